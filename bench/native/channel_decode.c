/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain in C: decodes an H.264 file through libparacore and prints when it began and ended, as
 * plain-decode does. Also the shortest complete program against paracore.h.
 *
 *   channel-decode SOCKET FILE THREADS [PICTURES]
 *
 * libavformat opens the container here, in the domain; access units in Annex B form cross to the
 * device. Pictures are given back as soon as they are there.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>

#include "paracore/paracore.h"

#include "clock.h"

enum {
    INPUTS = 8,          /* access units on their way at most */
    INPUT_SIZE = 1 << 20, /* octets of the largest */
    SPARE_OUTPUTS = 4,   /* pictures beyond what the codec itself needs */
    OUTPUTS_MAX = 64,
};

struct client {
    AVFormatContext *container;
    AVBSFContext *filter;
    AVPacket *packet;
    int stream;

    struct paracore_channel *channel;
    struct paracore_buffer inputs;
    struct paracore_buffer outputs[OUTPUTS_MAX];
    int output_count;
    uint32_t session;
    uint32_t free_inputs; /* a bit per span of `inputs` */
    bool drained;

    int64_t wanted;
    struct run_times times;
};

/* --- the container ------------------------------------------------------------------------- */

static int open_filter(struct client *client)
{
    const AVStream *stream = client->container->streams[client->stream];
    int error = av_bsf_alloc(av_bsf_get_by_name("h264_mp4toannexb"), &client->filter);

    if (!error)
        error = avcodec_parameters_copy(client->filter->par_in, stream->codecpar);
    return error < 0 ? error : av_bsf_init(client->filter);
}

static int open_file(struct client *client, const char *path)
{
    int error = avformat_open_input(&client->container, path, NULL, NULL);

    if (!error)
        error = avformat_find_stream_info(client->container, NULL);
    if (error < 0)
        return error;
    client->stream = av_find_best_stream(client->container, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    client->packet = av_packet_alloc();
    if (client->stream < 0 || !client->packet)
        return AVERROR(EINVAL);
    return open_filter(client);
}

/* The next access unit into `packet`; AVERROR_EOF after the last. */
static int next_unit(struct client *client)
{
    int error;

    while ((error = av_bsf_receive_packet(client->filter, client->packet)) == AVERROR(EAGAIN)) {
        error = av_read_frame(client->container, client->packet);
        if (!error && client->packet->stream_index != client->stream) {
            av_packet_unref(client->packet);
            continue;
        }
        error = av_bsf_send_packet(client->filter, error ? NULL : client->packet);
        if (error)
            return error;
    }
    return error;
}

/* --- the session --------------------------------------------------------------------------- */

static int open_session(struct client *client, int threads)
{
    struct paracore_video_open request = {.codec = PARACORE_CODEC_H264, .direction = PARACORE_DIRECTION_DECODE};
    struct paracore_video_open_reply reply;
    struct paracore_video_control_set control = {.control = PARACORE_CONTROL_THREADS, .value = threads};
    struct paracore_video_control_set_reply taken;
    size_t size = sizeof(reply);
    size_t taken_size = sizeof(taken);
    int error = paracore_call(client->channel, PARACORE_OP_VIDEO_OPEN, 0, &request, sizeof(request), &reply, &size,
                              NULL, PARACORE_FOREVER);

    if (error)
        return error;
    client->session = reply.session;
    client->free_inputs = (1U << INPUTS) - 1;
    error = paracore_call(client->channel, PARACORE_OP_VIDEO_CONTROL_SET, client->session, &control, sizeof(control),
                          &taken, &taken_size, NULL, PARACORE_FOREVER);
    if (error)
        return error;
    return paracore_buffer_create(client->channel, INPUTS * INPUT_SIZE, PARACORE_BUFFER_FLAG_READ_ONLY,
                                  &client->inputs);
}

static int lend_output(struct client *client, uint32_t cookie)
{
    const struct paracore_buffer *buffer = &client->outputs[cookie];
    struct paracore_video_queue_output post = {
        .span = {.buffer = buffer->id, .length = (uint32_t)buffer->length},
        .cookie = cookie,
    };

    return paracore_post(client->channel, PARACORE_OP_VIDEO_QUEUE_OUTPUT, client->session, &post, sizeof(post), NULL,
                         PARACORE_FOREVER);
}

/* Gives the device memory for its pictures. This client decodes streams of one format. */
static int take_format(struct client *client, const struct paracore_picture_format *format)
{
    int wanted = (int)format->buffers_min + SPARE_OUTPUTS;
    int error = 0;

    if (wanted > OUTPUTS_MAX)
        return -ENOSPC;
    for (; !error && client->output_count < wanted; client->output_count++) {
        error = paracore_buffer_create(client->channel, format->size, 0, &client->outputs[client->output_count]);
        if (!error)
            error = lend_output(client, (uint32_t)client->output_count);
    }
    return error;
}

static int take_output(struct client *client, const struct paracore_video_output_ready *output)
{
    uint32_t no_picture = PARACORE_OUTPUT_FLAG_EMPTY | PARACORE_OUTPUT_FLAG_CANCELLED;

    if (output->cookie >= (uint32_t)client->output_count)
        return -EPROTO;
    if (!(output->flags & no_picture))
        count_picture(&client->times);
    return lend_output(client, output->cookie);
}

/* Waits for one event and acts on it. */
static int serve_event(struct client *client)
{
    struct paracore_event event;
    struct paracore_video_input_done done;
    struct paracore_video_output_ready output;
    struct paracore_video_source_change change;
    int error = paracore_next_event(client->channel, &event, PARACORE_FOREVER);

    if (error < 0)
        return error;
    switch (event.header.opcode) {
    case PARACORE_OP_VIDEO_INPUT_DONE:
        memcpy(&done, event.payload, sizeof(done));
        client->free_inputs |= 1U << (done.cookie % INPUTS);
        return done.error ? -EIO : 0;
    case PARACORE_OP_VIDEO_OUTPUT_READY:
        memcpy(&output, event.payload, sizeof(output));
        return take_output(client, &output);
    case PARACORE_OP_VIDEO_SOURCE_CHANGE:
        memcpy(&change, event.payload, sizeof(change));
        return take_format(client, &change.format);
    case PARACORE_OP_VIDEO_DRAINED:
        client->drained = true;
        return 0;
    default:
        return -EIO; /* a failure, and this client has no second plan */
    }
}

static int send_unit(struct client *client)
{
    uint32_t slot = (uint32_t)__builtin_ctz(client->free_inputs);
    struct paracore_video_queue_input post = {
        .span = {.buffer = client->inputs.id, .offset = (uint64_t)slot * INPUT_SIZE},
        .cookie = slot,
        .timestamp = client->packet->pts,
        .duration = client->packet->duration,
    };

    if (client->packet->size > INPUT_SIZE)
        return -EMSGSIZE;
    post.span.length = (uint32_t)client->packet->size;
    memcpy((uint8_t *)client->inputs.address + post.span.offset, client->packet->data, post.span.length);
    client->free_inputs &= ~(1U << slot);
    av_packet_unref(client->packet);
    return paracore_post(client->channel, PARACORE_OP_VIDEO_QUEUE_INPUT, client->session, &post, sizeof(post), NULL,
                         PARACORE_FOREVER);
}

static bool enough(const struct client *client)
{
    return client->wanted && client->times.pictures >= client->wanted;
}

static int decode(struct client *client)
{
    int error = 0;

    while (!error && !enough(client) && !(error = next_unit(client))) {
        while (!error && !client->free_inputs)
            error = serve_event(client);
        if (!error)
            error = send_unit(client);
    }
    if (error == AVERROR_EOF)
        error = paracore_post(client->channel, PARACORE_OP_VIDEO_DRAIN, client->session, NULL, 0, NULL,
                              PARACORE_FOREVER);
    while (!error && !enough(client) && !client->drained)
        error = serve_event(client);
    return error;
}

static int measure(struct client *client, const char *address, const char *path, int threads)
{
    int error = open_file(client, path);

    if (error)
        return error;
    wait_for_start();
    client->times.connecting = now_ns();
    error = paracore_open(address, NULL, &client->channel, NULL);
    client->times.started = now_ns();
    if (!error)
        error = open_session(client, threads);
    if (!error)
        error = decode(client);
    client->times.ended = now_ns();
    return error;
}

int main(int argc, char **argv)
{
    struct client client = {0};
    int error;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: channel-decode SOCKET FILE THREADS [PICTURES]\n");
        return 2;
    }
    av_log_set_level(AV_LOG_ERROR);
    client.wanted = argc == 5 ? atoll(argv[4]) : 0;
    error = measure(&client, argv[1], argv[2], atoi(argv[3]));
    if (error)
        fprintf(stderr, "channel-decode: %s: %s\n", argv[2], av_err2str(error));
    else
        report_times(&client.times);
    if (client.channel)
        paracore_close(client.channel);
    av_packet_free(&client.packet);
    av_bsf_free(&client.filter);
    avformat_close_input(&client.container);
    return error ? 1 : 0;
}
