/* SPDX-License-Identifier: Apache-2.0 */
#include "evtchn.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>

/* xen/evtchn.h: IOCTL_EVTCHN_BIND_INTERDOMAIN, IOCTL_EVTCHN_BIND_UNBOUND_PORT. */
#define BIND_INTERDOMAIN _IOC(_IOC_NONE, 'E', 1, 2 * sizeof(uint32_t))
#define BIND_UNBOUND_PORT _IOC(_IOC_NONE, 'E', 2, sizeof(uint32_t))

enum { PATIENCE_MS = 1000 };

static struct paracore_doorbell bind_port(unsigned long request, void *argument)
{
    int fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        err(1, "/dev/xen/evtchn");
    int port = ioctl(fd, request, argument);
    if (port < 0)
        err(1, "event channel");
    return (struct paracore_doorbell){fd, (uint32_t)port};
}

struct paracore_doorbell evtchn_offer(uint32_t domain)
{
    return bind_port(BIND_UNBOUND_PORT, &domain);
}

struct paracore_doorbell evtchn_bind(uint32_t domain, uint32_t port)
{
    uint32_t argument[] = {domain, port};
    struct paracore_doorbell bell = bind_port(BIND_INTERDOMAIN, argument);
    struct pollfd ready = {.fd = bell.fd, .events = POLLIN};

    /* Xen rings whoever binds, for what he may have missed. */
    if (poll(&ready, 1, PATIENCE_MS) == 1)
        evtchn_wait(&bell);
    evtchn_notify(&bell);
    return bell;
}

void evtchn_wait(const struct paracore_doorbell *bell)
{
    uint32_t port;

    if (read(bell->fd, &port, sizeof port) != sizeof port || write(bell->fd, &port, sizeof port) != sizeof port)
        err(1, "event channel");
}

void evtchn_notify(const struct paracore_doorbell *bell)
{
    if (!paracore_doorbell_ring(bell))
        err(1, "event channel");
}
