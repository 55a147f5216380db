/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the client's input buffers to the device.
 *
 * The wire wants a decoder's input in access units. OpenMAX IL lets a client cut them as it likes, and says where
 * one ends by OMX_BUFFERFLAG_ENDOFFRAME; many clients never do, but put one into each buffer. So a buffer is
 * an access unit, unless it is full to the brim and does not say that it ends one: then the next belongs to it.
 *
 * A picture's buffer goes back once its packet has gone out, though the device may have read it before. ffmpeg looks
 * for one packet after each picture that it gives, and waits for nothing but a buffer to put the next one in: given
 * back sooner, all of its buffers could be with the device while all packets wait for ffmpeg to look. A device that
 * wants more pictures before there is a packet gets them: when it has read all there are, they go back.
 */
#include "omx.h"

#include <stdlib.h>
#include <string.h>

/* Bounds what a client can have gathered that never ends its access unit. */
enum { UNIT_MAX = 64 << 20 };

/* --- to the device -------------------------------------------------------------------------------------------- */

static bool post(struct component *component, struct slot *slot, const OMX_BUFFERHEADERTYPE *header, uint64_t offset,
                 uint64_t length, uint32_t flags)
{
    const struct paracore_video_queue_input request = {
        .span = shim_piece_span(&slot->memory, offset, (uint32_t)length),
        .cookie = slot_lend(component, slot),
        .flags = flags,
        .timestamp = header->nTimeStamp,
        .duration = (int64_t)header->nTickCount,
    };

    component->begun = component->fed = true;
    component->fed_after = component->draining;
    return session_post(component, PARACORE_OP_VIDEO_QUEUE_INPUT, &request, sizeof request);
}

/* The buffer has been taken in, and nothing of it is with the device. */
static void finish(struct component *component, struct buffer *buffer)
{
    buffer->header.nFilledLen = 0;
    give_back(component, buffer);
}

/* With B pictures the device wants many before the first packet. */
static bool waits_for_packet(const struct component *component, const struct paracore_video_input_done *done)
{
    return !component->decodes && !component->settings.b_frames && done->error == 0;
}

void input_done(struct component *component, const struct paracore_video_input_done *done)
{
    struct slot *slot = slot_find(component, INPUT, done->cookie);

    if (!slot || !slot->lent)
        return;
    slot->lent = false;
    slots_retry(component);
    if (!slot->buffer) {
        slot_doom(slot);
        return;
    }
    if (done->error != PARACORE_ERROR_CANCELLED)
        slot->buffer->header.nFilledLen = 0;
    if (!slot->buffer->here)
        return;
    if (waits_for_packet(component, done))
        slot->buffer->spent = true;
    else
        give_back(component, slot->buffer);
}

/* All that are spent, up to one of them, or to the end of the queue. */
static void give_back_spent(struct component *component, const struct buffer *last)
{
    struct buffer *buffer, *next;

    for (buffer = TAILQ_FIRST(&component->ports[INPUT].queue); buffer; buffer = next) {
        next = buffer == last ? NULL : TAILQ_NEXT(buffer, queued);
        if (buffer->spent)
            give_back(component, buffer);
    }
}

void input_coded(struct component *component, int64_t timestamp)
{
    struct buffer *buffer;

    TAILQ_FOREACH(buffer, &component->ports[INPUT].queue, queued)
        if (buffer->spent && buffer->header.nTimeStamp == timestamp) {
            give_back_spent(component, buffer);
            return;
        }
}

bool input_release(struct component *component)
{
    struct buffer *buffer;

    if (TAILQ_EMPTY(&component->ports[INPUT].queue) || !TAILQ_EMPTY(&component->pictures))
        return false;
    TAILQ_FOREACH(buffer, &component->ports[INPUT].queue, queued)
        if (!buffer->spent)
            return false;
    give_back_spent(component, NULL);
    return true;
}

/* --- access units ----------------------------------------------------------------------------------------------- */

static bool is_partial(const OMX_BUFFERHEADERTYPE *header)
{
    bool ends = header->nFlags & (OMX_BUFFERFLAG_ENDOFFRAME | OMX_BUFFERFLAG_EOS | OMX_BUFFERFLAG_CODECCONFIG);

    return !ends && header->nOffset + header->nFilledLen == header->nAllocLen;
}

/* gst-omx flags a whole access unit that begins with parameter sets like one that is nothing else: look. */
static uint32_t unit_flags(const struct component *component, const OMX_BUFFERHEADERTYPE *header, const uint8_t *octets,
                           size_t length)
{
    bool config = header->nFlags & OMX_BUFFERFLAG_CODECCONFIG &&
                  unit_is_config(component->entry.codec->codec, octets, length);

    return config ? PARACORE_INPUT_FLAG_CONFIG : 0;
}

void input_forget(struct component *component)
{
    free(component->gathered);
    component->gathered = NULL;
    component->gathered_length = 0;
}

static bool gather(struct component *component, const OMX_BUFFERHEADERTYPE *header)
{
    uint64_t length = component->gathered_length + header->nFilledLen;
    uint8_t *grown = length <= UNIT_MAX ? realloc(component->gathered, length) : NULL;

    if (!grown)
        return false;
    memcpy(grown + component->gathered_length, header->pBuffer + header->nOffset, header->nFilledLen);
    if (!component->gathered_length)
        component->gathered_head = *header;
    component->gathered = grown;
    component->gathered_length = (uint32_t)length;
    return true;
}

/* Sends what was gathered, in a slot of its own. */
static void send_gathered(struct component *component)
{
    OMX_BUFFERHEADERTYPE head = component->gathered_head;
    uint8_t *octets = component->gathered;
    uint32_t length = component->gathered_length, flags = unit_flags(component, &head, octets, length);
    struct slot *slot;

    component->gathered = NULL;
    component->gathered_length = 0;
    pthread_mutex_unlock(&component->lock);
    int error = slot_make(component, INPUT, length, &slot);
    if (error == 0)
        memcpy(slot->memory.address, octets, length);
    free(octets);
    pthread_mutex_lock(&component->lock);
    if (error) {
        component_fail(component, session_error(error));
        return;
    }
    slot_add(component, slot);
    post(component, slot, &head, 0, length, flags);
}

static void feed_piece(struct component *component, struct buffer *buffer)
{
    OMX_BUFFERHEADERTYPE *header = &buffer->header;
    bool whole = !is_partial(header), kept = gather(component, header);

    finish(component, buffer);
    if (!kept) {
        input_forget(component);
        tell(component, OMX_EventError, OMX_ErrorStreamCorrupt, 0, NULL);
    } else if (whole) {
        send_gathered(component);
    }
}

/* Straight from its own pages, unless they are the client's. */
static void feed_unit(struct component *component, struct buffer *buffer)
{
    const OMX_BUFFERHEADERTYPE *header = &buffer->header;
    uint32_t flags = unit_flags(component, header, header->pBuffer + header->nOffset, header->nFilledLen);
    uint64_t offset = header->nOffset;

    if (buffer_is_foreign(buffer)) {
        memcpy(buffer->slot->memory.address, header->pBuffer + header->nOffset, header->nFilledLen);
        offset = 0;
    }
    post(component, buffer->slot, header, offset, header->nFilledLen, flags);
}

static void feed_decoder(struct component *component, struct buffer *buffer)
{
    if (component->gathered_length || is_partial(&buffer->header))
        feed_piece(component, buffer);
    else
        feed_unit(component, buffer);
}

/* --- pictures ---------------------------------------------------------------------------------------------------- */

/* Into the device's own pages, as it wants it. False when there is less than a picture. */
static bool copy_picture(struct component *component, struct buffer *buffer)
{
    const OMX_BUFFERHEADERTYPE *header = &buffer->header;
    const struct paracore_picture_format *format = &component->format;
    bool direct = layout_is_direct(format);

    if (header->nFilledLen < layout_of(format).size && !direct)
        return false;
    if (direct)
        memmove(buffer->slot->memory.address, header->pBuffer + header->nOffset, header->nFilledLen);
    else
        layout_unpack(format, header->pBuffer + header->nOffset, buffer->slot->memory.address);
    component->statistics.nCopied++;
    return true;
}

static void feed_encoder(struct component *component, struct buffer *buffer)
{
    bool in_place = !buffer_is_foreign(buffer) && !buffer->header.nOffset && layout_is_direct(&component->format);

    component->statistics.nPictures++;
    if (!in_place && !copy_picture(component, buffer)) {
        finish(component, buffer);
        tell(component, OMX_EventError, OMX_ErrorStreamCorrupt, 0, NULL);
        return;
    }
    uint32_t flags = buffer->key ? PARACORE_INPUT_FLAG_KEY : 0;
    buffer->key = false;
    post(component, buffer->slot, &buffer->header, 0, component->format.size, flags);
}

/* --- one buffer after the other ---------------------------------------------------------------------------------- */

static struct buffer *next_of(struct component *component)
{
    struct buffer *buffer;

    TAILQ_FOREACH(buffer, &component->ports[INPUT].queue, queued)
        if (!buffer->slot->lent && !buffer->spent)
            break;
    return buffer;
}

/* gst-omx 1.x keeps an encoder's output disabled until it hears that its settings are there. */
static void announce_encoder(struct component *component)
{
    if (component->decodes || component->announced || component->ports[OUTPUT].definition.bEnabled)
        return;
    component->announced = 1;
    tell(component, OMX_EventPortSettingsChanged, OUTPUT, 0, NULL);
}

/* A buffer may be empty, and say no more than that the stream ends. */
static void feed(struct component *component, struct buffer *buffer)
{
    bool end = buffer->header.nFlags & OMX_BUFFERFLAG_EOS;

    announce_encoder(component);
    trace_input(component, buffer);
    if (!buffer->header.nFilledLen || !buffer->header.pBuffer)
        finish(component, buffer);
    else if (component->decodes)
        feed_decoder(component, buffer);
    else
        feed_encoder(component, buffer);
    if (end && component->gathered_length)
        send_gathered(component);
    if (end && component->state != OMX_StateInvalid)
        session_drain(component);
}

/* New settings count from the next picture: the device gives out what it has, and the session is made anew. */
static bool renew(struct component *component)
{
    if (component->draining)
        return false;
    if (component->fed) {
        component->reopening = true;
        session_drain(component);
        return true;
    }
    session_close(component);
    int error = session_open(component);
    if (error)
        component_fail(component, session_error(error));
    return true;
}

bool input_feed(struct component *component)
{
    struct buffer *buffer = next_of(component);

    if (!buffer || !component->session || !port_runs(component, INPUT))
        return false;
    if (component->changed_settings && !component->decodes)
        return renew(component);
    if (component->draining && buffer->header.nFlags & OMX_BUFFERFLAG_EOS)
        return false; /* one drain at a time */
    if (component->rate_changed)
        session_set_bitrate(component);
    else
        feed(component, buffer);
    return true;
}
