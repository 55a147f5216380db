/* SPDX-License-Identifier: Apache-2.0 */
/* Which state may follow which: OpenMAX IL 1.1.2, section 3.1.1.2. The tests walk this very table. */
#include "omx.h"

const enum step TRANSITIONS[STATES][STATES] = {
    [OMX_StateInvalid] = {
        [OMX_StateInvalid] = STEP_SAME, /* and nothing else, ever: the handle is to be freed */
    },
    [OMX_StateLoaded] = {
        [OMX_StateInvalid] = STEP_INVALID,
        [OMX_StateLoaded] = STEP_SAME,
        [OMX_StateIdle] = STEP_ACQUIRE,
        [OMX_StateWaitForResources] = STEP_WAIT,
    },
    [OMX_StateIdle] = {
        [OMX_StateInvalid] = STEP_INVALID,
        [OMX_StateLoaded] = STEP_RELEASE,
        [OMX_StateIdle] = STEP_SAME,
        [OMX_StateExecuting] = STEP_START,
        [OMX_StatePause] = STEP_START,
    },
    [OMX_StateExecuting] = {
        [OMX_StateInvalid] = STEP_INVALID,
        [OMX_StateIdle] = STEP_STOP,
        [OMX_StateExecuting] = STEP_SAME,
        [OMX_StatePause] = STEP_START,
    },
    [OMX_StatePause] = {
        [OMX_StateInvalid] = STEP_INVALID,
        [OMX_StateIdle] = STEP_STOP,
        [OMX_StateExecuting] = STEP_START,
        [OMX_StatePause] = STEP_SAME,
    },
    [OMX_StateWaitForResources] = {
        [OMX_StateInvalid] = STEP_INVALID,
        [OMX_StateLoaded] = STEP_START,
        [OMX_StateIdle] = STEP_ACQUIRE,
        [OMX_StateWaitForResources] = STEP_SAME,
    },
};
