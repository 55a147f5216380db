/* SPDX-License-Identifier: Apache-2.0 */
/* One end of an event channel between two Xen domains, without anything around it. Failures end the program. */
#ifndef PARACORE_EVTCHN_H
#define PARACORE_EVTCHN_H

#include <stdint.h>

#include "doorbell.h"

/* A port that the other domain may bind. */
struct paracore_doorbell evtchn_offer(uint32_t domain);
/* Binds one that the other domain offers, and rings it once: the two ends are then in step. */
struct paracore_doorbell evtchn_bind(uint32_t domain, uint32_t port);
/* Sleeps until it is rung. */
void evtchn_wait(const struct paracore_doorbell *bell);
void evtchn_notify(const struct paracore_doorbell *bell);

#endif
