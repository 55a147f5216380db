/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

static const char *const refusal_texts[] = {
    [PARACORE_REFUSAL_NONE] = "it gave no reason",
    [PARACORE_REFUSAL_UNKNOWN_PEER] = "this user matches no domain of the backend's configuration",
    [PARACORE_REFUSAL_VERSION] = "the backend speaks no protocol version that this library does",
    [PARACORE_REFUSAL_LIMIT] = "a limit of the domain is reached",
    [PARACORE_REFUSAL_PROTOCOL] = "this side broke the protocol",
    [PARACORE_REFUSAL_WORKER_LOST] = "the domain's worker died",
    [PARACORE_REFUSAL_SHUTDOWN] = "the backend is stopping",
    [PARACORE_REFUSAL_DETACHED] = "the administrator detached the domain",
    [PARACORE_REFUSAL_NO_BACKEND] = "the guest's frontend daemon has no backend",
};

const char *paracore_refusal_text(uint32_t reason)
{
    return reason < sizeof refusal_texts / sizeof refusal_texts[0] ? refusal_texts[reason] : "an unknown reason";
}

const char *paracore_version(void)
{
    return PARACORE_VERSION_TEXT;
}
