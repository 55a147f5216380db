/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the link: link.c makes and ends it, session.c dispatches, devices.c asks what there is. */
#ifndef PARACORE_SHIMS_LINK_INTERNAL_H
#define PARACORE_SHIMS_LINK_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "link.h"

struct shim_session {
    LIST_ENTRY(shim_session) entry;
    struct shim_link *link;
    uint32_t id;
    const struct shim_listener *listener;
    void *owner;
    bool busy;   /* a callback runs */
    bool failed; /* its owner has been told, or is being told */
    bool stirred; /* an event came for it; its owner is to be told when there are no more */
};

struct shim_link {
    struct paracore_channel *channel;
    unsigned age;        /* of which process, counted by forks; see shim_link_is_ours() */
    unsigned references; /* under the process's lock */
    uint32_t device_count;
    struct shim_device devices[SHIM_DEVICES_MAX];

    pthread_mutex_t lock; /* guards what follows, and the sessions */
    pthread_cond_t idle;  /* a callback has returned */
    int dead;             /* atomic; 0, or the negative error that the channel died of */
    bool pumping;         /* its thread has been started */
    LIST_HEAD(, shim_session) sessions;
};

/* --- devices.c --- */

/* Fills in the devices. Returns 0 or a negative error. */
int devices_query(struct shim_link *link);

/* --- session.c --- */

/* Starts the link's thread unless it runs. The lock is held. Returns 0 or a negative error. */
int pump_start(struct shim_link *link);

#endif
