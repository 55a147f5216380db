/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that the worker's loop answers itself, without the interpreter: `native` in the description. */
#ifndef PARACORE_BACKEND_NATIVE_H
#define PARACORE_BACKEND_NATIVE_H

#include <stdint.h>

/* Answers a checked native call. `reply` has message_max octets. Returns the reply's size, 0 when
 * there is no handler for the opcode. */
uint32_t native_answer(const void *request, void *reply);

#endif
