/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: whatever a client calls, in whatever order, each buffer comes back at most once, none after it was freed or
 * the handle was, and nothing crashes or hangs.
 *
 *     test-omx-storm CALLS SEED
 *
 * A backend with the null device is where $PARACORE_SOCKET says. The calls are at random, more of them sensible than not.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "omx.h"

enum { HELD_MAX = 24 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t random_state;
static OMX_HANDLETYPE handle;
static bool decodes;
static uint64_t came_back, events;

static struct held {
    OMX_BUFFERHEADERTYPE *header;
    uint8_t *memory;
    bool mine;
} held[2][HELD_MAX];

static uint32_t pick(uint32_t count)
{
    return next_random(&random_state) % count;
}

/* --- callbacks ------------------------------------------------------------------------------------------- */

static OMX_ERRORTYPE on_event(OMX_HANDLETYPE from, OMX_PTR data, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2,
                              OMX_PTR more)
{
    (void)data, (void)event, (void)data1, (void)data2, (void)more;
    pthread_mutex_lock(&lock);
    CHECK(from == handle);
    events++;
    pthread_mutex_unlock(&lock);
    return OMX_ErrorNone;
}

static void come_back(uint32_t port, const OMX_BUFFERHEADERTYPE *header)
{
    uint32_t n = 0;

    pthread_mutex_lock(&lock);
    while (n < HELD_MAX && held[port][n].header != header)
        n++;
    CHECK(n < HELD_MAX && !held[port][n].mine);
    held[port][n].mine = true;
    came_back++;
    pthread_mutex_unlock(&lock);
}

static OMX_ERRORTYPE on_empty(OMX_HANDLETYPE from, OMX_PTR data, OMX_BUFFERHEADERTYPE *header)
{
    (void)from, (void)data;
    come_back(0, header);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE on_fill(OMX_HANDLETYPE from, OMX_PTR data, OMX_BUFFERHEADERTYPE *header)
{
    (void)from, (void)data;
    come_back(1, header);
    return OMX_ErrorNone;
}

/* --- calls ------------------------------------------------------------------------------------------------ */

static void set_up(void *structure, OMX_U32 size, OMX_U32 port)
{
    struct {
        OMX_U32 nSize;
        OMX_VERSIONTYPE nVersion;
        OMX_U32 nPortIndex;
    } head = {.nSize = size, .nPortIndex = port};

    memset(structure, 0, size);
    head.nVersion.s.nVersionMajor = head.nVersion.s.nVersionMinor = 1;
    memcpy(structure, &head, sizeof head < size ? sizeof head : size);
}

static void command(void)
{
    static const OMX_U32 PORTS_TO_NAME[] = {0, 1, OMX_ALL, 0, 1, OMX_ALL, 2};
    static const OMX_U32 LIKELY[] = {OMX_StateIdle, OMX_StateExecuting, OMX_StateExecuting, OMX_StatePause, OMX_StateLoaded};
    OMX_COMMANDTYPE code = (OMX_COMMANDTYPE)pick(5);
    OMX_MARKTYPE mark = {pick(2) ? handle : &mark, NULL};

    if (code == OMX_CommandStateSet || pick(3) == 0) {
        OMX_U32 state = pick(100) ? LIKELY[pick(COUNT(LIKELY))] : pick(STATES + 1);
        OMX_SendCommand(handle, OMX_CommandStateSet, state, NULL);
    } else {
        OMX_SendCommand(handle, code, PORTS_TO_NAME[pick(COUNT(PORTS_TO_NAME))], &mark);
    }
}

static struct held *find(uint32_t port, bool wanted)
{
    struct held *found = NULL;

    pthread_mutex_lock(&lock);
    for (uint32_t n = 0, at = pick(HELD_MAX); n < HELD_MAX && !found; n++, at = (at + 1) % HELD_MAX)
        if ((wanted && held[port][at].header && held[port][at].mine) || (!wanted && !held[port][at].header))
            found = &held[port][at];
    pthread_mutex_unlock(&lock);
    return found;
}

static void add(uint32_t port)
{
    struct held *place = find(port, false);
    OMX_PARAM_PORTDEFINITIONTYPE definition;
    OMX_BUFFERHEADERTYPE *header = NULL;

    set_up(&definition, sizeof definition, port);
    if (!place || OMX_GetParameter(handle, OMX_IndexParamPortDefinition, &definition) != OMX_ErrorNone)
        return;
    OMX_U32 size = pick(20) ? definition.nBufferSize : pick(100000);
    uint8_t *memory = pick(4) || size > 1 << 24 ? NULL : malloc(size ? size : 1);
    OMX_ERRORTYPE error = memory ? OMX_UseBuffer(handle, &header, port, NULL, size, memory)
                                 : OMX_AllocateBuffer(handle, &header, port, NULL, size);
    if (error != OMX_ErrorNone) {
        free(memory);
        return;
    }
    pthread_mutex_lock(&lock);
    *place = (struct held){header, memory, true};
    pthread_mutex_unlock(&lock);
}

static void drop(uint32_t port)
{
    struct held *place = find(port, true);

    if (!place)
        return;
    CHECK(OMX_FreeBuffer(handle, port, place->header) == OMX_ErrorNone);
    pthread_mutex_lock(&lock);
    free(place->memory);
    *place = (struct held){NULL, NULL, false};
    pthread_mutex_unlock(&lock);
}

static void write_input(OMX_BUFFERHEADERTYPE *header)
{
    uint8_t unit[9] = {'n', 'u', 'l', 'l', (uint8_t)(1 + pick(3) * 40), 0, (uint8_t)(1 + pick(2) * 30), 0, (uint8_t)pick(256)};
    bool brim = pick(50) == 0;

    header->nOffset = 0;
    header->nFilledLen = decodes && !brim ? sizeof unit : header->nAllocLen;
    if (header->nFilledLen > header->nAllocLen)
        header->nFilledLen = header->nAllocLen;
    memcpy(header->pBuffer, unit, header->nAllocLen < sizeof unit ? header->nAllocLen : sizeof unit);
    if (pick(20) == 0)
        header->nFilledLen = pick(2) ? 0 : header->nAllocLen + 1;
    header->nFlags = pick(20) ? 0 : pick(256);
    header->nTimeStamp = pick(1000);
}

static void hand_over(uint32_t port)
{
    struct held *place = find(port, true);

    if (!place)
        return;
    if (port == 0)
        write_input(place->header);
    pthread_mutex_lock(&lock);
    place->mine = false;
    pthread_mutex_unlock(&lock);
    OMX_ERRORTYPE error =
        port == 0 ? OMX_EmptyThisBuffer(handle, place->header) : OMX_FillThisBuffer(handle, place->header);
    pthread_mutex_lock(&lock);
    if (error != OMX_ErrorNone)
        place->mine = true;
    pthread_mutex_unlock(&lock);
}

static void parameter(void)
{
    const struct index *row = &INDEXES[pick((uint32_t)INDEX_COUNT)];
    OMX_COMPONENTTYPE *component = handle;
    uint8_t structure[1024];

    set_up(structure, row->size, pick(3));
    if ((row->config ? component->GetConfig : component->GetParameter)(handle, row->index, structure) != OMX_ErrorNone)
        return;
    if (pick(2))
        structure[24 + pick((uint32_t)row->size - 24)] = (uint8_t)pick(256);
    if (row->index != OMX_IndexParamPortDefinition || pick(10) == 0) /* sizes at random make few pictures */
        (row->config ? component->SetConfig : component->SetParameter)(handle, row->index, structure);
}

static void step(void)
{
    uint32_t kind = pick(100), port = pick(2);

    if (kind < 6)
        command();
    else if (kind < 30)
        add(port);
    else if (kind < 34)
        drop(port);
    else if (kind < 90)
        hand_over(port);
    else if (kind < 92)
        parameter();
    else
        usleep(pick(500));
}

/* --- a handle's life ------------------------------------------------------------------------------------------ */

static void open_handle(void)
{
    static OMX_CALLBACKTYPE callbacks = {on_event, on_empty, on_fill};

    decodes = pick(3);
    pthread_mutex_lock(&lock); /* a callback may come before OMX_GetHandle returns: it waits */
    CHECK(OMX_GetHandle(&handle,
                        (OMX_STRING)(uintptr_t)(decodes ? "OMX.paracore.video_decoder.vp9" : "OMX.paracore.video_encoder.vp9"),
                        NULL, &callbacks) == OMX_ErrorNone);
    pthread_mutex_unlock(&lock);
}

static void close_handle(void)
{
    CHECK(OMX_FreeHandle(handle) == OMX_ErrorNone);
    for (uint32_t port = 0; port < 2; port++)
        for (uint32_t n = 0; n < HELD_MAX; n++) {
            free(held[port][n].memory);
            held[port][n] = (struct held){NULL, NULL, false};
        }
}

/* Most lives go the usual way first: calls at random seldom do. */
static void prepare(void)
{
    if (pick(4) == 0)
        return;
    OMX_SendCommand(handle, OMX_CommandStateSet, OMX_StateIdle, NULL);
    for (int n = 0; n < 20; n++)
        add((uint32_t)n % 2);
    OMX_SendCommand(handle, OMX_CommandStateSet, OMX_StateExecuting, NULL);
}

int main(int count, char **words)
{
    CHECK(count == 3 && OMX_Init() == OMX_ErrorNone);
    long calls = atol(words[1]);
    random_state = strtoull(words[2], NULL, 0) * 2 + 1;
    while (calls > 0) {
        open_handle();
        prepare();
        for (uint32_t n = pick(800); n && calls > 0; n--, calls--)
            step();
        close_handle();
    }
    printf("%lu events, %lu buffers came back\n", (unsigned long)events, (unsigned long)came_back);
    CHECK(OMX_Deinit() == OMX_ErrorNone);
    return 0;
}
