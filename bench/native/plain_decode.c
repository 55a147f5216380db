/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference of every decode benchmark: plain libav, nothing else. Demuxes a file, decodes its
 * video, touches no picture, and prints when it began and ended.
 *
 *   plain-decode FILE THREADS [PICTURES [scenes]]
 *
 * With `scenes` it decodes the first PICTURES packets up to a drain, again for each line of input; the codec is open by then.
 *
 * The clock starts when the codec is opened and stops when the last picture is out, as it does for
 * a domain between the opening of its session and its last picture. It begins on a line of input.
 */
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "clock.h"

struct run {
    AVFormatContext *container;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    int stream;
    int64_t wanted;   /* pictures after which to stop */
    AVPacket **units; /* of a scene: as many */
    struct run_times times;
};

static int open_file(struct run *run, const char *path)
{
    int error = avformat_open_input(&run->container, path, NULL, NULL);

    if (!error)
        error = avformat_find_stream_info(run->container, NULL);
    if (error < 0)
        return error;
    run->stream = av_find_best_stream(run->container, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    run->packet = av_packet_alloc();
    run->frame = av_frame_alloc();
    if (!run->packet || !run->frame)
        return AVERROR(ENOMEM);
    return run->stream < 0 ? run->stream : 0;
}

static int open_codec(struct run *run, int threads)
{
    const AVCodecParameters *parameters = run->container->streams[run->stream]->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    int error;

    run->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!run->codec)
        return AVERROR_DECODER_NOT_FOUND;
    error = avcodec_parameters_to_context(run->codec, parameters);
    if (error < 0)
        return error;
    run->codec->thread_count = threads;
    return avcodec_open2(run->codec, codec, NULL);
}

/* Takes all pictures there are; AVERROR_EOF once there are enough. */
static int receive(struct run *run)
{
    int error;

    while (!(error = avcodec_receive_frame(run->codec, run->frame))) {
        count_picture(&run->times);
        av_frame_unref(run->frame);
        if (run->times.pictures == run->wanted)
            return AVERROR_EOF;
    }
    return error == AVERROR(EAGAIN) ? 0 : error;
}

static int decode_packet(struct run *run)
{
    int error = 0;

    if (run->packet->stream_index == run->stream) {
        error = avcodec_send_packet(run->codec, run->packet);
        if (!error)
            error = receive(run);
    }
    av_packet_unref(run->packet);
    return error;
}

static int drain(struct run *run)
{
    int error = avcodec_send_packet(run->codec, NULL);

    if (!error)
        error = receive(run);
    return error == AVERROR_EOF ? 0 : error;
}

static int decode(struct run *run)
{
    int error = 0;

    while (!error && av_read_frame(run->container, run->packet) >= 0)
        error = decode_packet(run);
    if (!error)
        error = drain(run);
    return error == AVERROR_EOF ? 0 : error;
}

/* The first packets of the stream. */
static int read_units(struct run *run)
{
    int64_t count = 0;
    int error = 0;

    run->units = calloc((size_t)run->wanted, sizeof *run->units);
    while (run->units && count < run->wanted && !(error = av_read_frame(run->container, run->packet)))
        if (run->packet->stream_index != run->stream)
            av_packet_unref(run->packet);
        else if (!(run->units[count++] = av_packet_clone(run->packet)))
            return AVERROR(ENOMEM);
        else
            av_packet_unref(run->packet);
    return run->units ? error : AVERROR(ENOMEM);
}

/* As clients/scenes.py does. */
static int decode_scene(struct run *run)
{
    int error = 0;

    avcodec_flush_buffers(run->codec);
    run->times = (struct run_times){.connecting = now_ns()};
    run->times.started = run->times.connecting;
    for (int64_t n = 0; !error && n < run->wanted; n++) {
        error = avcodec_send_packet(run->codec, run->units[n]);
        if (!error)
            error = receive(run);
    }
    if (!error)
        error = drain(run);
    run->times.ended = now_ns();
    return error == AVERROR_EOF ? 0 : error;
}

static int play_scenes(struct run *run, const char *path, int threads)
{
    int error = open_file(run, path);

    if (!error)
        error = read_units(run);
    if (!error)
        error = open_codec(run, threads);
    puts("ready");
    while (!error && wait_for_line()) {
        error = decode_scene(run);
        report_times(&run->times);
    }
    return error;
}

static int measure(struct run *run, const char *path, int threads)
{
    int error = open_file(run, path);

    if (error)
        return error;
    wait_for_start();
    run->times.connecting = run->times.started = now_ns();
    error = open_codec(run, threads);
    if (!error)
        error = decode(run);
    run->times.ended = now_ns();
    if (!error)
        report_times(&run->times);
    return error;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    bool scenes = argc == 5 && !strcmp(argv[4], "scenes");
    int error;

    if (argc < 3 || (argc > 4 && !scenes)) {
        fprintf(stderr, "usage: plain-decode FILE THREADS [PICTURES [scenes]]\n");
        return 2;
    }
    av_log_set_level(AV_LOG_ERROR);
    run.wanted = argc > 3 ? atoll(argv[3]) : 0;
    error = (scenes ? play_scenes : measure)(&run, argv[1], atoi(argv[2]));
    if (error)
        fprintf(stderr, "plain-decode: %s: %s\n", argv[1], av_err2str(error));
    for (int64_t n = 0; run.units && n < run.wanted; n++)
        av_packet_free(&run.units[n]);
    free(run.units);
    av_frame_free(&run.frame);
    av_packet_free(&run.packet);
    avcodec_free_context(&run.codec);
    avformat_close_input(&run.container);
    return error ? 1 : 0;
}
