/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend in a thread, for the tests of libparacore. It knows no devices. It answers
 *
 *     core.ping, core.limits_query, core.buffer_attach and _detach    as one would, but takes no read-only pages
 *     core.device_query       with `no_entry`
 *     video.capability_query  never
 *     video.format_get        late: once the next call comes
 *     video.drain             with the event video.drained for the same object
 */
#ifndef PARACORE_TEST_FAKE_BACKEND_H
#define PARACORE_TEST_FAKE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

struct fake_backend;

/* With `evtchn` its doorbells are event channels, see fake_evtchn.h. */
struct fake_backend *fake_backend_start(bool evtchn);
const char *fake_backend_address(const struct fake_backend *backend);
/* Says goodbye (shutdown) to all and hangs up. */
void fake_backend_hang_up(struct fake_backend *backend);
void fake_backend_stop(struct fake_backend *backend);

#endif
