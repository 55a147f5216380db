/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference of the encode benchmark: libx264 by plain libav. Reads raw yuv420p pictures from a
 * file, encodes them, drops the packets, and prints when it began and ended.
 *
 *   plain-encode FILE WIDTH HEIGHT [OPTION=VALUE...]
 *
 * The options are libav's own, of the codec context or of libx264. It begins on a line of input.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "clock.h"

struct run {
    FILE *file;
    AVCodecContext *codec;
    AVDictionary *options;
    AVPacket *packet;
    AVFrame *frame;
    int width, height;
    int64_t sent;
    struct run_times times;
};

static int open_codec(struct run *run)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");

    run->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!run->codec)
        return AVERROR_ENCODER_NOT_FOUND;
    run->codec->width = run->width;
    run->codec->height = run->height;
    run->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    run->codec->time_base = (AVRational){1, 25};
    run->codec->framerate = (AVRational){25, 1};
    return avcodec_open2(run->codec, codec, &run->options);
}

/* Reads one picture into memory that the encoder does not hold; false at the end of the file. */
static bool read_picture(struct run *run)
{
    av_frame_unref(run->frame);
    run->frame->width = run->width;
    run->frame->height = run->height;
    run->frame->format = AV_PIX_FMT_YUV420P;
    if (av_frame_get_buffer(run->frame, 0) < 0)
        return false;
    for (int plane = 0; plane < 3; plane++) {
        size_t columns = (size_t)(plane ? run->width / 2 : run->width);
        int rows = plane ? run->height / 2 : run->height;

        for (int row = 0; row < rows; row++)
            if (fread(run->frame->data[plane] + (ptrdiff_t)row * run->frame->linesize[plane], 1, columns, run->file) != columns)
                return false;
    }
    run->frame->pts = run->sent++;
    return true;
}

static int receive(struct run *run)
{
    int error;

    while (!(error = avcodec_receive_packet(run->codec, run->packet))) {
        count_picture(&run->times);
        av_packet_unref(run->packet);
    }
    return error == AVERROR(EAGAIN) || error == AVERROR_EOF ? 0 : error;
}

static int encode(struct run *run)
{
    int error = 0;

    while (!error && read_picture(run)) {
        error = avcodec_send_frame(run->codec, run->frame);
        if (!error)
            error = receive(run);
    }
    if (!error)
        error = avcodec_send_frame(run->codec, NULL);
    return error ? error : receive(run);
}

static int measure(struct run *run, const char *path)
{
    int error;

    run->file = fopen(path, "rb");
    run->packet = av_packet_alloc();
    run->frame = av_frame_alloc();
    if (!run->file || !run->packet || !run->frame)
        return AVERROR(ENOENT);
    wait_for_start();
    run->times.connecting = run->times.started = now_ns();
    error = open_codec(run);
    if (!error)
        error = encode(run);
    run->times.ended = now_ns();
    return error;
}

static int parse(struct run *run, int argc, char **argv)
{
    run->width = atoi(argv[2]);
    run->height = atoi(argv[3]);
    for (int i = 4; i < argc; i++)
        if (av_dict_parse_string(&run->options, argv[i], "=", "", 0) < 0)
            return AVERROR(EINVAL);
    return run->width > 0 && run->height > 0 ? 0 : AVERROR(EINVAL);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    int error;

    if (argc < 4) {
        fprintf(stderr, "usage: plain-encode FILE WIDTH HEIGHT [OPTION=VALUE...]\n");
        return 2;
    }
    av_log_set_level(AV_LOG_ERROR);
    error = parse(&run, argc, argv);
    if (!error)
        error = measure(&run, argv[1]);
    if (!error && av_dict_count(run.options))
        error = AVERROR_OPTION_NOT_FOUND;
    if (error)
        fprintf(stderr, "plain-encode: %s: %s\n", argv[1], av_err2str(error));
    else
        report_times(&run.times);
    av_dict_free(&run.options);
    av_frame_free(&run.frame);
    av_packet_free(&run.packet);
    avcodec_free_context(&run.codec);
    if (run.file)
        fclose(run.file);
    return error ? 1 : 0;
}
