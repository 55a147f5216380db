/* SPDX-License-Identifier: Apache-2.0 */
#include "omx_client.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* --- callbacks -------------------------------------------------------------------------------------------- */

static OMX_ERRORTYPE on_event(OMX_HANDLETYPE handle, OMX_PTR data, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2,
                              OMX_PTR more)
{
    struct client *client = data;

    pthread_mutex_lock(&lock);
    CHECK(!client->handle || handle == client->handle);
    CHECK(client->event_count - client->event_taken < EVENTS_MAX);
    client->events[client->event_count++ % EVENTS_MAX] = (struct client_event){event, data1, data2, more};
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return OMX_ErrorNone;
}

static uint32_t index_of(const struct client *client, uint32_t port, const OMX_BUFFERHEADERTYPE *header)
{
    uint32_t n = 0;

    while (n < client->count[port] && client->buffers[port][n] != header)
        n++;
    CHECK(n < client->count[port]);
    return n;
}

static void come_back(struct client *client, uint32_t port, const OMX_BUFFERHEADERTYPE *header)
{
    pthread_mutex_lock(&lock);
    uint32_t n = index_of(client, port, header);
    CHECK(!client->mine[port][n]); /* exactly once */
    client->mine[port][n] = true;
    CHECK(client->ordered[port] - client->taken[port] < EVENTS_MAX);
    client->order[port][client->ordered[port]++ % EVENTS_MAX] = n;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static OMX_ERRORTYPE on_empty(OMX_HANDLETYPE handle, OMX_PTR data, OMX_BUFFERHEADERTYPE *header)
{
    (void)handle;
    come_back(data, IN, header);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE on_fill(OMX_HANDLETYPE handle, OMX_PTR data, OMX_BUFFERHEADERTYPE *header)
{
    (void)handle;
    come_back(data, OUT, header);
    return OMX_ErrorNone;
}

static OMX_CALLBACKTYPE callbacks = {on_event, on_empty, on_fill};

void client_open(struct client *client, const char *name)
{
    memset(client, 0, sizeof *client);
    CHECK(OMX_GetHandle(&client->handle, (OMX_STRING)(uintptr_t)name, client, &callbacks) == OMX_ErrorNone);
}

void client_close(struct client *client)
{
    CHECK(OMX_FreeHandle(client->handle) == OMX_ErrorNone);
    for (uint32_t n = 0; n < BUFFERS_MAX; n++) {
        free(client->memory[IN][n]);
        free(client->memory[OUT][n]);
    }
}

/* --- waiting ---------------------------------------------------------------------------------------------- */

/* The lock is held. False when nothing came in time. */
static bool wait_for(const uint32_t *produced, const uint32_t *taken, long milliseconds)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (*produced == *taken && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    return *produced != *taken;
}

struct client_event client_next(struct client *client)
{
    pthread_mutex_lock(&lock);
    CHECK(wait_for(&client->event_count, &client->event_taken, PATIENCE_S * 1000));
    struct client_event event = client->events[client->event_taken++ % EVENTS_MAX];
    pthread_mutex_unlock(&lock);
    return event;
}

void client_expect(struct client *client, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2)
{
    struct client_event next = client_next(client);

    if (next.event != event || next.data1 != data1 || next.data2 != data2)
        fprintf(stderr, "event %d, %lx, %lx instead of %d, %lx, %lx\n", (int)next.event, next.data1, next.data2,
                (int)event, data1, data2);
    CHECK(next.event == event && next.data1 == data1 && next.data2 == data2);
}

void client_expect_silence(struct client *client)
{
    pthread_mutex_lock(&lock);
    bool some = wait_for(&client->event_count, &client->event_taken, 50);
    pthread_mutex_unlock(&lock);
    CHECK(!some);
}

OMX_BUFFERHEADERTYPE *client_wait_buffer(struct client *client, uint32_t port)
{
    pthread_mutex_lock(&lock);
    CHECK(wait_for(&client->ordered[port], &client->taken[port], PATIENCE_S * 1000));
    OMX_BUFFERHEADERTYPE *header = client->buffers[port][client->order[port][client->taken[port]++ % EVENTS_MAX]];
    pthread_mutex_unlock(&lock);
    return header;
}

void client_expect_home(struct client *client, uint32_t port)
{
    pthread_mutex_lock(&lock);
    for (uint32_t n = 0; n < client->count[port]; n++)
        CHECK(client->mine[port][n]);
    client->taken[port] = client->ordered[port];
    pthread_mutex_unlock(&lock);
}

static uint32_t away(const struct client *client, uint32_t port)
{
    uint32_t count = 0;

    for (uint32_t n = 0; n < client->count[port]; n++)
        count += !client->mine[port][n];
    return count;
}

bool client_has_back(struct client *client, uint32_t port)
{
    pthread_mutex_lock(&lock);
    bool has = client->ordered[port] != client->taken[port];
    pthread_mutex_unlock(&lock);
    return has;
}

bool client_has_event(struct client *client)
{
    pthread_mutex_lock(&lock);
    bool has = client->event_count != client->event_taken;
    pthread_mutex_unlock(&lock);
    return has;
}

void client_wait_any(struct client *client)
{
    pthread_mutex_lock(&lock);
    uint32_t had = client->event_taken + client->taken[IN] + client->taken[OUT], have;
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while ((have = client->event_count + client->ordered[IN] + client->ordered[OUT]) == had && !error)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    CHECK(have != had);
    client->taken[IN] = client->ordered[IN]; /* inputs are looked for, not waited for */
    pthread_mutex_unlock(&lock);
}

void client_wait_home(struct client *client, uint32_t port)
{
    pthread_mutex_lock(&lock);
    while (away(client, port)) {
        client->taken[port] = client->ordered[port];
        CHECK(wait_for(&client->ordered[port], &client->taken[port], PATIENCE_S * 1000));
    }
    pthread_mutex_unlock(&lock);
}

/* --- calls ------------------------------------------------------------------------------------------------ */

OMX_ERRORTYPE client_command(struct client *client, OMX_COMMANDTYPE command, OMX_U32 parameter)
{
    return OMX_SendCommand(client->handle, command, parameter, NULL);
}

OMX_STATETYPE client_state(struct client *client)
{
    OMX_STATETYPE state = OMX_StateMax;

    CHECK(OMX_GetState(client->handle, &state) == OMX_ErrorNone);
    return state;
}

void client_set_up(void *structure, OMX_U32 size, OMX_U32 port)
{
    struct {
        OMX_U32 nSize;
        OMX_VERSIONTYPE nVersion;
        OMX_U32 nPortIndex;
    } head = {.nSize = size, .nPortIndex = port};

    memset(structure, 0, size);
    head.nVersion.s.nVersionMajor = 1;
    head.nVersion.s.nVersionMinor = 1;
    head.nVersion.s.nRevision = 2;
    memcpy(structure, &head, sizeof head < size ? sizeof head : size);
}

OMX_PARAM_PORTDEFINITIONTYPE client_definition(struct client *client, uint32_t port)
{
    OMX_PARAM_PORTDEFINITIONTYPE definition;

    client_set_up(&definition, sizeof definition, port);
    CHECK(OMX_GetParameter(client->handle, OMX_IndexParamPortDefinition, &definition) == OMX_ErrorNone);
    return definition;
}

static OMX_ERRORTYPE add(struct client *client, uint32_t port, OMX_U32 size, bool use)
{
    uint32_t n = client->count[port];
    OMX_BUFFERHEADERTYPE **header = &client->buffers[port][n];

    client->mine[port][n] = true;
    if (!use)
        return OMX_AllocateBuffer(client->handle, header, port, client, size);
    free(client->memory[port][n]);
    client->memory[port][n] = malloc(size);
    return OMX_UseBuffer(client->handle, header, port, client, size, client->memory[port][n]);
}

void client_allocate(struct client *client, uint32_t port, bool use)
{
    OMX_PARAM_PORTDEFINITIONTYPE definition = client_definition(client, port);

    CHECK(definition.nBufferCountActual <= BUFFERS_MAX);
    while (client->count[port] < definition.nBufferCountActual) {
        CHECK(add(client, port, definition.nBufferSize, use) == OMX_ErrorNone);
        CHECK(client->buffers[port][client->count[port]]->nAllocLen == definition.nBufferSize);
        client->count[port]++;
    }
}

void client_free(struct client *client, uint32_t port)
{
    client_expect_home(client, port);
    while (client->count[port])
        CHECK(OMX_FreeBuffer(client->handle, port, client->buffers[port][--client->count[port]]) == OMX_ErrorNone);
    client->ordered[port] = client->taken[port] = 0;
}

static OMX_ERRORTYPE hand_over(struct client *client, uint32_t port, OMX_BUFFERHEADERTYPE *header)
{
    pthread_mutex_lock(&lock);
    uint32_t n = index_of(client, port, header);
    bool was = client->mine[port][n];
    client->mine[port][n] = false;
    pthread_mutex_unlock(&lock);
    OMX_ERRORTYPE error =
        port == IN ? OMX_EmptyThisBuffer(client->handle, header) : OMX_FillThisBuffer(client->handle, header);
    pthread_mutex_lock(&lock);
    if (error != OMX_ErrorNone)
        client->mine[port][n] = was;
    pthread_mutex_unlock(&lock);
    return error;
}

OMX_ERRORTYPE client_fill(struct client *client, OMX_BUFFERHEADERTYPE *header)
{
    return hand_over(client, OUT, header);
}

OMX_ERRORTYPE client_empty(struct client *client, OMX_BUFFERHEADERTYPE *header)
{
    return hand_over(client, IN, header);
}

void client_fill_all(struct client *client)
{
    for (uint32_t n = 0; n < client->count[OUT]; n++) {
        pthread_mutex_lock(&lock);
        bool mine = client->mine[OUT][n];
        pthread_mutex_unlock(&lock);
        if (mine)
            CHECK(client_fill(client, client->buffers[OUT][n]) == OMX_ErrorNone);
    }
}

static OMX_BUFFERHEADERTYPE *find_input(struct client *client)
{
    OMX_BUFFERHEADERTYPE *header = NULL;

    pthread_mutex_lock(&lock);
    for (uint32_t n = 0; n < client->count[IN] && !header; n++)
        header = client->mine[IN][n] ? client->buffers[IN][n] : NULL;
    pthread_mutex_unlock(&lock);
    return header;
}

OMX_BUFFERHEADERTYPE *client_input_nowait(struct client *client)
{
    OMX_BUFFERHEADERTYPE *header = find_input(client);

    if (header)
        header->nFilledLen = header->nOffset = header->nFlags = 0;
    return header;
}

OMX_BUFFERHEADERTYPE *client_input(struct client *client)
{
    OMX_BUFFERHEADERTYPE *header;

    while (!(header = client_input_nowait(client)))
        client_wait_buffer(client, IN);
    return header;
}

/* --- states ------------------------------------------------------------------------------------------------ */

void client_go(struct client *client, OMX_STATETYPE state)
{
    CHECK(client_command(client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorNone);
    client_allocate(client, IN, false);
    client_allocate(client, OUT, false);
    client_expect(client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateIdle);
    if (state == OMX_StateIdle)
        return;
    CHECK(client_command(client, OMX_CommandStateSet, state) == OMX_ErrorNone);
    client_expect(client, OMX_EventCmdComplete, OMX_CommandStateSet, state);
}

void client_go_loaded(struct client *client)
{
    if (client_state(client) == OMX_StateExecuting || client_state(client) == OMX_StatePause) {
        CHECK(client_command(client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorNone);
        client_expect(client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateIdle);
    }
    client_expect_home(client, IN);
    client_expect_home(client, OUT);
    CHECK(client_command(client, OMX_CommandStateSet, OMX_StateLoaded) == OMX_ErrorNone);
    client_free(client, IN);
    CHECK(client->count[OUT] == 0 || client_state(client) == OMX_StateIdle); /* until all buffers are freed */
    client_free(client, OUT);
    client_expect(client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateLoaded);
    CHECK(client_state(client) == OMX_StateLoaded);
}
