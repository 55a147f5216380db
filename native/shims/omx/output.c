/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the device to the client's output buffers.
 *
 * Theory of operation. Pictures go out in the order in which they came, each in the buffer whose pages it lies in.
 * One that lies elsewhere is copied into any buffer that the device has not: while there may be such pictures, one
 * buffer is kept back for them, for else the device could have all of them and nothing would move.
 *
 * A decoder's format. The client learns of it by OMX_EventPortSettingsChanged, once all pictures of the format
 * before are on their way, and gets none of the new format before it has disabled and enabled the port. But the
 * device may want memory for new pictures before it gives out the last old ones: meanwhile it has slots of the
 * component's own, and those few pictures are copied. The same slots serve where the device's layout is one that
 * OpenMAX IL cannot describe; then all are.
 */
#include "omx.h"

#include <string.h>

static const struct paracore_picture_format *format_of(const struct component *component, uint32_t generation)
{
    return &component->formats[generation % GENERATIONS];
}

static bool is_raw(const struct component *component, const struct picture *picture)
{
    return component->decodes && picture->slot;
}

/* --- which buffer --------------------------------------------------------------------------------------------- */

static bool is_vacant(const struct buffer *buffer)
{
    return !buffer->slot->lent && !buffer->slot->filled;
}

static struct buffer *first_vacant(struct component *component)
{
    struct buffer *buffer;

    TAILQ_FOREACH(buffer, &component->ports[OUTPUT].queue, queued)
        if (is_vacant(buffer))
            break;
    return buffer;
}

static bool lies_in(const struct picture *picture, const struct buffer *buffer)
{
    return picture->slot && picture->slot == buffer->slot;
}

/* An end alone may go even in a buffer whose pages the device has: nothing is in it. */
static struct buffer *buffer_for(struct component *component, const struct picture *picture)
{
    struct buffer *home = picture->slot ? picture->slot->buffer : NULL;

    if (home && home->here)
        return home;
    struct buffer *vacant = first_vacant(component);
    if (vacant || picture->slot || picture->octets)
        return vacant;
    return TAILQ_FIRST(&component->ports[OUTPUT].queue);
}

/* --- filling it ------------------------------------------------------------------------------------------------ */

static void fill_raw(struct component *component, struct buffer *buffer, const struct picture *picture)
{
    const struct paracore_picture_format *format = format_of(component, picture->ready.generation);
    OMX_BUFFERHEADERTYPE *header = &buffer->header;
    const uint8_t *from = picture->slot->memory.address;
    uint32_t size = layout_of(format).size;

    component->statistics.nPictures++;
    header->nFilledLen = header->pBuffer && size <= header->nAllocLen ? size : 0;
    if (!header->nFilledLen || (lies_in(picture, buffer) && !buffer_is_foreign(buffer)))
        return;
    component->statistics.nCopied++;
    if (layout_is_direct(format))
        memcpy(header->pBuffer, from, size);
    else
        layout_pack(format, from, header->pBuffer);
}

/* As much of a packet as there is room for; true when that was all. */
static bool fill_coded(struct buffer *buffer, struct picture *picture)
{
    OMX_BUFFERHEADERTYPE *header = &buffer->header;
    const uint8_t *octets = picture->octets ? picture->octets : picture->slot->memory.address;
    uint32_t left = picture->length - picture->given;
    uint32_t length = left > header->nAllocLen ? (uint32_t)header->nAllocLen : left;

    if (header->pBuffer && octets + picture->given != header->pBuffer)
        memcpy(header->pBuffer, octets + picture->given, length);
    header->nFilledLen = length;
    picture->given += length;
    return picture->given == picture->length;
}

static void describe(OMX_BUFFERHEADERTYPE *header, const struct picture *picture)
{
    const struct paracore_video_output_ready *ready = &picture->ready;

    header->nOffset = 0;
    header->nFilledLen = 0;
    header->nFlags = picture->flags & ~(OMX_U32)OMX_BUFFERFLAG_EOS;
    header->nTimeStamp = ready->timestamp == INT64_MIN ? 0 : ready->timestamp;
    header->nTickCount = ready->duration > 0 ? (OMX_U32)ready->duration : 0;
}

/* Returns whether that was all of it. Parameter sets are no frame, and end none. */
static bool fill(struct component *component, struct buffer *buffer, struct picture *picture)
{
    bool whole = true;

    if (is_raw(component, picture))
        fill_raw(component, buffer, picture);
    else if (picture->slot || picture->octets)
        whole = fill_coded(buffer, picture);
    if (whole && picture->slot)
        buffer->header.nFlags |= OMX_BUFFERFLAG_ENDOFFRAME;
    if (whole)
        buffer->header.nFlags |= picture->flags & OMX_BUFFERFLAG_EOS;
    return whole;
}

/* --- giving it ------------------------------------------------------------------------------------------------- */

/* The last picture waits for the device's word, which follows at once, whether it is the end of the stream too. */
static bool is_held(struct component *component, const struct picture *picture)
{
    bool undecided = picture->last && component->draining && !TAILQ_NEXT(picture, entry);

    return undecided || (is_raw(component, picture) && picture->ready.generation != component->agreed);
}

static void give(struct component *component, struct buffer *buffer, struct picture *picture)
{
    OMX_BUFFERHEADERTYPE *header = &buffer->header;
    bool first = picture->given == 0, packet = !component->decodes && picture->slot;
    int64_t timestamp = picture->ready.timestamp;

    describe(header, picture);
    bool whole = fill(component, buffer, picture);
    bool end = header->nFlags & OMX_BUFFERFLAG_EOS;
    if (first)
        trace_output(component, header, end);
    if (whole)
        picture_drop(component, picture);
    OMX_U32 flags = header->nFlags;
    give_back(component, buffer);
    if (whole && packet)
        input_coded(component, timestamp);
    if (end)
        tell(component, OMX_EventBufferFlag, OUTPUT, flags, NULL);
}

/* A port that was never enabled has no buffer for the end of the stream; the client hears of it all the same. */
static bool give_end_without_buffer(struct component *component, struct picture *picture)
{
    bool alone = !picture->slot && !picture->octets;

    if (component->ports[OUTPUT].definition.bEnabled || !alone || component->announced != component->agreed)
        return false;
    tell(component, OMX_EventBufferFlag, OUTPUT, picture->flags, NULL);
    picture_drop(component, picture);
    return true;
}

static void begin_with_parameter_sets(struct component *component)
{
    if (component->decodes || component->parameter_sets_told || !component->parameter_sets)
        return;
    component->parameter_sets_told = true;
    output_octets(component, component->parameter_sets, component->parameter_sets_length, OMX_BUFFERFLAG_CODECCONFIG);
}

bool output_give(struct component *component)
{
    begin_with_parameter_sets(component);
    struct picture *picture = TAILQ_FIRST(&component->pictures);

    if (!picture || is_held(component, picture))
        return false;
    if (!port_runs(component, OUTPUT))
        return give_end_without_buffer(component, picture);
    struct buffer *buffer = buffer_for(component, picture);
    if (buffer)
        give(component, buffer, picture);
    return buffer;
}

/* --- lending memory to the device --------------------------------------------------------------------------------- */

static bool lend(struct component *component, struct slot *slot)
{
    const struct paracore_video_queue_output request = {
        .span = shim_piece_span(&slot->memory, 0, (uint32_t)slot->memory.length),
        .cookie = slot_lend(component, slot),
    };

    return session_post(component, PARACORE_OP_VIDEO_QUEUE_OUTPUT, &request, sizeof request);
}

/* The client is about to replace its buffers, and all pictures of before are out: nothing is lent meanwhile, for
 * what would lie there would have to be copied. */
static bool is_expected(const struct component *component)
{
    return component->decodes && component->newest == component->announced && component->announced != component->agreed;
}

static bool fits(const struct component *component, const struct slot *slot)
{
    return slot->memory.length >= component->required;
}

/* Whether what comes next, or may come, lies in no buffer that could carry it. */
static bool needs_reserve(struct component *component)
{
    const struct picture *picture = TAILQ_FIRST(&component->pictures);
    bool stray = picture && (picture->octets || (picture->slot && !picture->slot->buffer));

    return stray || slots_own(component);
}

static bool is_direct(const struct component *component)
{
    return !component->decodes || layout_is_direct(format_of(component, component->newest));
}

static struct buffer *lendable(struct component *component)
{
    uint32_t left = needs_reserve(component) ? 1 : 0;
    struct buffer *buffer;

    TAILQ_FOREACH_REVERSE(buffer, &component->ports[OUTPUT].queue, buffers, queued)
        if (is_vacant(buffer) && fits(component, buffer->slot) && left-- == 0)
            return buffer;
    return NULL;
}

static bool is_own(const struct slot *slot)
{
    return slot->port == OUTPUT && !slot->buffer && !slot->doomed;
}

static struct slot *own_lendable(struct component *component)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->slots, entry)
        if (is_own(slot) && !slot->lent && !slot->filled && fits(component, slot))
            break;
    return slot;
}

bool output_lend(struct component *component)
{
    if (!component->session || (component->decodes && !component->newest))
        return false;
    struct slot *own = own_lendable(component);
    if (own)
        return lend(component, own) || true;
    if (!port_runs(component, OUTPUT) || !is_direct(component) || is_expected(component))
        return false;
    struct buffer *buffer = lendable(component);
    if (!buffer)
        return false;
    lend(component, buffer->slot);
    return true;
}

/* --- slots of the component's own -------------------------------------------------------------------------------- */

static uint32_t usable(const struct component *component)
{
    const struct buffer *buffer;
    uint32_t count = 0;

    TAILQ_FOREACH(buffer, &component->ports[OUTPUT].buffers, entry)
        count += fits(component, buffer->slot);
    return component->decodes && !is_direct(component) ? 0 : count;
}

/* How many there should be: while pictures of an older format are to come, as many as the device wants. An encoder
 * wants one for a packet that is larger than any of the client's buffers. */
static uint32_t wanted(const struct component *component)
{
    if (!component->decodes)
        return component->required && !usable(component);
    if (!component->newest || is_expected(component))
        return 0;
    uint32_t needed = format_of(component, component->newest)->buffers_min, have = usable(component);
    return have < needed ? needed - have : 0;
}

static uint32_t own(const struct component *component)
{
    const struct slot *slot;
    uint32_t count = 0;

    TAILQ_FOREACH(slot, &component->slots, entry)
        count += is_own(slot) && fits(component, slot);
    return count;
}

bool output_wants_own(const struct component *component)
{
    return own(component) <= wanted(component);
}

bool output_bridge(struct component *component)
{
    struct slot *slot;
    uint64_t length = component->required;

    if (!component->session || own(component) >= wanted(component))
        return false;
    pthread_mutex_unlock(&component->lock);
    int error = slot_make(component, OUTPUT, length, &slot);
    pthread_mutex_lock(&component->lock);
    if (error)
        component_fail(component, session_error(error));
    else
        slot_add(component, slot);
    return true;
}

/* --- a decoder's format ------------------------------------------------------------------------------------------ */

/* The generation that the client is to be told of, or 0. */
static uint32_t due(const struct component *component)
{
    const struct picture *picture = TAILQ_FIRST(&component->pictures);
    uint32_t told = component->announced;

    if (picture)
        return is_raw(component, picture) && picture->ready.generation > told ? picture->ready.generation : 0;
    return component->newest > told && (told == 0 || component->ended >= told) ? component->newest : 0;
}

/* The first is always told of; a later one that looks the same to the client needs nothing of it. */
bool output_announce(struct component *component)
{
    uint32_t generation = component->decodes ? due(component) : 0;

    if (!generation)
        return false;
    const struct paracore_picture_format *format = format_of(component, generation);
    bool first = !component->announced, same = port_describes(component, format);
    bool settled = component->announced == component->agreed;
    component->announced = generation;
    port_describe(component, &component->ports[OUTPUT], format);
    component->recall = component->session && slots_own(component);
    if (same && settled && usable(component) >= format->buffers_min)
        component->agreed = component->offered = generation;
    if (first || !same)
        tell(component, OMX_EventPortSettingsChanged, OUTPUT, 0, NULL);
    return true;
}
