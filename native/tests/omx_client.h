/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the OpenMAX IL core that looks closely: each callback must be due, each buffer comes back once, and what
 * is waited for comes within PATIENCE_S or the test fails. One client at a time may use it from one thread.
 */
#ifndef PARACORE_TEST_OMX_CLIENT_H
#define PARACORE_TEST_OMX_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <OMX_Component.h>
#include <OMX_Core.h>

enum { IN = 0, OUT = 1, BUFFERS_MAX = 64, EVENTS_MAX = 256, PATIENCE_S = 10 };

struct client_event {
    OMX_EVENTTYPE event;
    OMX_U32 data1, data2;
    OMX_PTR data;
};

struct client {
    OMX_HANDLETYPE handle;
    OMX_BUFFERHEADERTYPE *buffers[2][BUFFERS_MAX];
    bool mine[2][BUFFERS_MAX]; /* with the client */
    uint32_t order[2][EVENTS_MAX], ordered[2], taken[2]; /* buffers in the order in which they came back */
    uint32_t count[2];
    struct client_event events[EVENTS_MAX];
    uint32_t event_count, event_taken;
    uint8_t *memory[2][BUFFERS_MAX]; /* of OMX_UseBuffer; else NULL */
};

void client_open(struct client *client, const char *name);
void client_close(struct client *client);

/* The next event, which must be this. */
void client_expect(struct client *client, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2);
struct client_event client_next(struct client *client);
/* That there is none, now and for a moment. */
void client_expect_silence(struct client *client);
/* The next buffer that comes back from a port. */
OMX_BUFFERHEADERTYPE *client_wait_buffer(struct client *client, uint32_t port);
bool client_has_back(struct client *client, uint32_t port);
bool client_has_event(struct client *client);
/* Until there is an event, an output or an input that came back. */
void client_wait_any(struct client *client);
/* That all of a port's buffers are with the client, or will be. */
void client_expect_home(struct client *client, uint32_t port);
void client_wait_home(struct client *client, uint32_t port);

OMX_ERRORTYPE client_command(struct client *client, OMX_COMMANDTYPE command, OMX_U32 parameter);
OMX_STATETYPE client_state(struct client *client);
OMX_PARAM_PORTDEFINITIONTYPE client_definition(struct client *client, uint32_t port);
void client_set_up(void *structure, OMX_U32 size, OMX_U32 port); /* nSize, nVersion, nPortIndex */

/* As many as the port wants; with `use` in memory of the client's own. */
void client_allocate(struct client *client, uint32_t port, bool use);
void client_free(struct client *client, uint32_t port);
OMX_ERRORTYPE client_fill(struct client *client, OMX_BUFFERHEADERTYPE *header);
OMX_ERRORTYPE client_empty(struct client *client, OMX_BUFFERHEADERTYPE *header);
void client_fill_all(struct client *client);
/* An input buffer that is with the client; the second does not wait for one. */
OMX_BUFFERHEADERTYPE *client_input(struct client *client);
OMX_BUFFERHEADERTYPE *client_input_nowait(struct client *client);

/* From OMX_StateLoaded all the way; and back from any. */
void client_go(struct client *client, OMX_STATETYPE state);
void client_go_loaded(struct client *client);

#endif
