/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes a stream through the OpenMAX IL core, as fast as it goes and without a drain before the format changes.
 *
 *     test-omx-play COMPONENT UNITS PICTURES [use|refused]
 *
 * UNITS holds access units, each after its length in four octets; PICTURES gets what is to be seen of each picture, in
 * I420. With "use" the buffers are the client's own memory. It prints how many pictures there were, and copies. With
 * "refused" the stream must be one that the component cannot give out.
 */
#include <string.h>

#include "check.h"
#include "extensions.h"
#include "omx_client.h"

static struct client client;
static FILE *units, *pictures;
static bool use, refused, over;
static OMX_PARAM_PORTDEFINITIONTYPE definition;
static OMX_CONFIG_RECTTYPE crop;

/* --- format ------------------------------------------------------------------------------------------------ */

static void look(void)
{
    definition = client_definition(&client, OUT);
    client_set_up(&crop, sizeof crop, OUT);
    CHECK(OMX_GetConfig(client.handle, OMX_IndexConfigCommonOutputCrop, &crop) == OMX_ErrorNone);
}

static void write_rows(const uint8_t *from, size_t stride, size_t width, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        CHECK(fwrite(from + row * stride, 1, width, pictures) == width);
}

static void write_picture(const OMX_BUFFERHEADERTYPE *header)
{
    size_t stride = (size_t)definition.format.video.nStride, rows = definition.format.video.nSliceHeight;
    const uint8_t *luma = header->pBuffer + header->nOffset, *chroma = luma + stride * rows;
    size_t left = (size_t)crop.nLeft, top = (size_t)crop.nTop;

    CHECK(definition.format.video.eColorFormat == OMX_COLOR_FormatYUV420Planar);
    CHECK(header->nFilledLen == stride * rows * 3 / 2 && header->nFlags & OMX_BUFFERFLAG_ENDOFFRAME);
    write_rows(luma + top * stride + left, stride, crop.nWidth, crop.nHeight);
    for (int plane = 0; plane < 2; plane++, chroma += stride / 2 * (rows / 2))
        write_rows(chroma + top / 2 * (stride / 2) + left / 2, stride / 2, (crop.nWidth + 1) / 2, (crop.nHeight + 1) / 2);
}

/* --- what comes -------------------------------------------------------------------------------------------- */

static void take_output(void)
{
    OMX_BUFFERHEADERTYPE *header = client_wait_buffer(&client, OUT);

    if (header->nFilledLen)
        write_picture(header);
    over |= header->nFlags & OMX_BUFFERFLAG_EOS;
    CHECK(over || client_fill(&client, header) == OMX_ErrorNone || refused);
}

/* Pictures that had been given before the change was told are of the old format: all of them are here. */
static void reconfigure(void)
{
    while (client_has_back(&client, OUT))
        take_output();
    CHECK(client_command(&client, OMX_CommandPortDisable, OUT) == OMX_ErrorNone);
    client_wait_home(&client, OUT);
    client_free(&client, OUT);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, OUT);
    look();
    CHECK(client_command(&client, OMX_CommandPortEnable, OUT) == OMX_ErrorNone);
    client_allocate(&client, OUT, use);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortEnable, OUT);
    client_fill_all(&client);
}

static void take_event(void)
{
    struct client_event event = client_next(&client);

    if (event.event == OMX_EventPortSettingsChanged)
        reconfigure();
    else if (event.event == OMX_EventError && refused)
        over = event.data1 == OMX_ErrorUnsupportedSetting;
    else
        CHECK(event.event == OMX_EventBufferFlag);
}

static bool feed(void)
{
    OMX_BUFFERHEADERTYPE *header = units ? client_input_nowait(&client) : NULL;
    uint32_t length;

    if (!header)
        return false;
    if (fread(&length, sizeof length, 1, units) == 1) {
        CHECK(length <= header->nAllocLen && fread(header->pBuffer, 1, length, units) == length);
        header->nFilledLen = length;
        header->nFlags = OMX_BUFFERFLAG_ENDOFFRAME;
    } else {
        fclose(units);
        units = NULL;
        header->nFlags = OMX_BUFFERFLAG_EOS;
    }
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
    return true;
}

static void play(void)
{
    while (!over) {
        if (client_has_back(&client, OUT))
            take_output();
        else if (client_has_event(&client))
            take_event();
        else if (!feed())
            client_wait_any(&client);
    }
}

static void report(void)
{
    OMX_PARACORE_CONFIG_STATISTICSTYPE now;

    client_set_up(&now, sizeof now, 0);
    CHECK(OMX_GetConfig(client.handle, (OMX_INDEXTYPE)OMX_PARACORE_IndexConfigStatistics, &now) == OMX_ErrorNone);
    printf("%lu pictures, %lu copied\n", now.nPictures, now.nCopied);
}

int main(int count, char **words)
{
    CHECK(count >= 4 && OMX_Init() == OMX_ErrorNone);
    use = count > 4 && strcmp(words[4], "use") == 0;
    refused = count > 4 && !use;
    units = fopen(words[2], "rb");
    pictures = fopen(words[3], "wb");
    CHECK(units && pictures);
    client_open(&client, words[1]);
    client_go(&client, OMX_StateExecuting);
    look();
    client_fill_all(&client);
    play();
    if (refused)
        puts("refused");
    else
        report();
    fclose(pictures);
    client_close(&client);
    CHECK(OMX_Deinit() == OMX_ErrorNone);
    return 0;
}
