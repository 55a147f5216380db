/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenMAX IL core on a backend with the null device, and with one session for this domain: each transition of each
 * state, legal and illegal, and what a client may do on the way. $PARACORE_SOCKET says where the backend is. A
 * word as argument is the test to run alone. Only so are run "loss", which says "ready", waits for the backend's end
 * and goes on with another one, and "encode-sizes", which needs a second session for a moment.
 */
#include <string.h>

#include "check.h"
#include "omx.h"
#include "omx_client.h"

#define DECODER "OMX.paracore.video_decoder.vp8"
#define ENCODER "OMX.paracore.video_encoder.vp8"

static struct client client, holder;

/* --- states ----------------------------------------------------------------------------------------------- */

static void enter_invalid(void)
{
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateInvalid) == OMX_ErrorNone);
    client_expect(&client, OMX_EventError, OMX_ErrorInvalidState, 0);
}

static void enter_wait(void)
{
    client_open(&holder, DECODER);
    client_go(&holder, OMX_StateIdle); /* the domain's one session */
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateWaitForResources) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateWaitForResources);
}

static void enter(OMX_STATETYPE state)
{
    client_open(&client, DECODER);
    if (state == OMX_StateInvalid)
        enter_invalid();
    else if (state == OMX_StateWaitForResources)
        enter_wait();
    else if (state != OMX_StateLoaded)
        client_go(&client, state);
    CHECK(client_state(&client) == state);
}

static void leave(void)
{
    client_close(&client);
    if (holder.handle)
        client_close(&holder);
    memset(&holder, 0, sizeof holder);
}

static void check_acquire(void)
{
    client_expect_silence(&client);
    client_allocate(&client, IN, false);
    client_expect_silence(&client);
    client_allocate(&client, OUT, false);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateIdle);
}

static void check_release(void)
{
    client_free(&client, IN);
    client_expect_silence(&client);
    client_free(&client, OUT);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateLoaded);
}

static void check_step(OMX_STATETYPE from, OMX_STATETYPE to)
{
    switch (TRANSITIONS[from][to]) {
    case STEP_NEVER:
        client_expect(&client, OMX_EventError, OMX_ErrorIncorrectStateTransition, 0);
        break;
    case STEP_SAME:
        client_expect(&client, OMX_EventError, OMX_ErrorSameState, 0);
        break;
    case STEP_INVALID:
        client_expect(&client, OMX_EventError, OMX_ErrorInvalidState, 0);
        break;
    case STEP_ACQUIRE:
        if (from == OMX_StateWaitForResources)
            client_expect(&client, OMX_EventError, OMX_ErrorInsufficientResources, 0);
        else
            check_acquire();
        break;
    case STEP_RELEASE:
        check_release();
        break;
    default:
        client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, to);
    }
}

static bool stays(OMX_STATETYPE from, OMX_STATETYPE to)
{
    enum step step = TRANSITIONS[from][to];

    return step == STEP_NEVER || step == STEP_SAME || (step == STEP_ACQUIRE && from == OMX_StateWaitForResources);
}

static void walk(OMX_STATETYPE from, OMX_STATETYPE to)
{
    enter(from);
    if (from == OMX_StateLoaded && to == OMX_StateWaitForResources) {
        client_open(&holder, DECODER);
        client_go(&holder, OMX_StateIdle);
    }
    OMX_ERRORTYPE sent = client_command(&client, OMX_CommandStateSet, to);
    if (from == OMX_StateInvalid) {
        CHECK(sent == OMX_ErrorInvalidState);
    } else {
        CHECK(sent == OMX_ErrorNone);
        check_step(from, to);
    }
    CHECK(client_state(&client) == (stays(from, to) ? from : to));
    client_expect_silence(&client);
    leave();
}

static void test_transitions(void)
{
    for (int from = 0; from < STATES; from++)
        for (int to = 0; to < STATES; to++)
            walk((OMX_STATETYPE)from, (OMX_STATETYPE)to);
}

static void test_waiting_for_resources_ends_when_there_are_some(void)
{
    enter(OMX_StateWaitForResources);
    client_expect_silence(&client);
    client_close(&holder);
    memset(&holder, 0, sizeof holder);
    client_expect(&client, OMX_EventResourcesAcquired, 0, 0);
    check_acquire();
    client_go_loaded(&client);
    leave();
}

static void test_the_way_to_idle_can_be_given_up(void)
{
    enter(OMX_StateLoaded);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorNone);
    client_allocate(&client, IN, false);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateLoaded) == OMX_ErrorNone);
    client_expect_silence(&client);
    client_free(&client, IN);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateLoaded);
    client_go(&client, OMX_StateIdle);
    client_go_loaded(&client);
    leave();
}

static void test_without_a_session_there_is_no_idle(void)
{
    enter(OMX_StateWaitForResources);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateLoaded) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateLoaded);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorNone);
    client_expect(&client, OMX_EventError, OMX_ErrorInsufficientResources, 0);
    CHECK(client_state(&client) == OMX_StateLoaded);
    leave();
}

/* --- a stream ------------------------------------------------------------------------------------------------ */

/* A unit of the null device: a picture of one shade. */
static void feed(uint16_t width, uint16_t height, uint8_t shade, OMX_U32 flags)
{
    OMX_BUFFERHEADERTYPE *header = client_input(&client);
    uint8_t unit[9] = {'n', 'u', 'l', 'l', (uint8_t)width, (uint8_t)(width >> 8), (uint8_t)height,
                       (uint8_t)(height >> 8), shade};

    memcpy(header->pBuffer, unit, sizeof unit);
    header->nFilledLen = sizeof unit;
    header->nTimeStamp = shade;
    header->nFlags = flags;
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
}

static OMX_BUFFERHEADERTYPE *see(uint16_t width, uint16_t height, uint8_t shade)
{
    OMX_BUFFERHEADERTYPE *header = client_wait_buffer(&client, OUT);

    CHECK(header->nFilledLen == (OMX_U32)width * height && header->nTimeStamp == shade);
    for (uint32_t n = 0; n < header->nFilledLen; n++)
        CHECK(header->pBuffer[n] == shade);
    return header;
}

static void disable(uint32_t port)
{
    CHECK(client_command(&client, OMX_CommandPortDisable, port) == OMX_ErrorNone);
    client_wait_home(&client, port); /* its buffers come back first */
    client_free(&client, port);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, port);
    CHECK(!client_definition(&client, port).bEnabled);
}

static void enable(uint32_t port, bool use)
{
    CHECK(client_command(&client, OMX_CommandPortEnable, port) == OMX_ErrorNone);
    client_allocate(&client, port, use);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortEnable, port);
    CHECK(client_definition(&client, port).bEnabled && client_definition(&client, port).bPopulated);
}

static void reconfigure(bool use)
{
    client_expect(&client, OMX_EventPortSettingsChanged, OUT, 0);
    disable(OUT);
    enable(OUT, use);
    client_fill_all(&client);
}

static void start(void)
{
    enter(OMX_StateExecuting);
    feed(64, 48, 1, 0);
    reconfigure(false);
    OMX_PARAM_PORTDEFINITIONTYPE definition = client_definition(&client, OUT);
    CHECK(definition.format.video.nFrameWidth == 64 && definition.format.video.nFrameHeight == 48);
    CHECK(definition.format.video.eColorFormat == OMX_COLOR_FormatL8 && definition.nBufferSize == 64 * 48);
    CHECK(client_fill(&client, see(64, 48, 1)) == OMX_ErrorNone);
}

static OMX_PARACORE_CONFIG_STATISTICSTYPE statistics(void)
{
    OMX_PARACORE_CONFIG_STATISTICSTYPE now;
    OMX_INDEXTYPE index;

    CHECK(OMX_GetExtensionIndex(client.handle, (OMX_STRING)(uintptr_t) "OMX.paracore.index.statistics", &index) ==
          OMX_ErrorNone);
    client_set_up(&now, sizeof now, 0);
    CHECK(OMX_GetConfig(client.handle, index, &now) == OMX_ErrorNone);
    return now;
}

static void test_pictures_come_in_order_and_are_not_copied(void)
{
    start();
    for (uint8_t shade = 2; shade < 100; shade++) {
        feed(64, 48, shade, 0);
        CHECK(client_fill(&client, see(64, 48, shade)) == OMX_ErrorNone);
    }
    CHECK(statistics().nPictures == 99 && statistics().nCopied == 0);
    client_expect_silence(&client);
    client_go_loaded(&client);
    leave();
}

static void test_the_clients_own_memory_costs_a_copy(void)
{
    enter(OMX_StateExecuting);
    feed(64, 48, 1, 0);
    reconfigure(true);
    for (uint8_t shade = 2; shade < 20; shade++) {
        CHECK(client_fill(&client, see(64, 48, shade - 1)) == OMX_ErrorNone);
        feed(64, 48, shade, 0);
    }
    see(64, 48, 19);
    CHECK(statistics().nPictures == 19 && statistics().nCopied == 19);
    client_go_loaded(&client);
    leave();
}

/* With all that changes the old pictures come first, then the word, and then the new ones. */
static void test_the_format_changes_in_mid_stream(void)
{
    static const uint16_t SIZES[][2] = {{96, 80}, {200, 160}, {32, 16}, {640, 360}};
    uint16_t width = 64, height = 48;

    start();
    for (size_t n = 0; n < COUNT(SIZES); n++) {
        feed(width, height, 7, 0);
        feed(SIZES[n][0], SIZES[n][1], 8, 0);
        feed(SIZES[n][0], SIZES[n][1], 9, 0);
        CHECK(client_fill(&client, see(width, height, 7)) == OMX_ErrorNone);
        width = SIZES[n][0], height = SIZES[n][1];
        reconfigure(false);
        CHECK(client_definition(&client, OUT).format.video.nFrameWidth == width);
        CHECK(client_fill(&client, see(width, height, 8)) == OMX_ErrorNone);
        CHECK(client_fill(&client, see(width, height, 9)) == OMX_ErrorNone);
    }
    client_expect_silence(&client);
    client_go_loaded(&client);
    leave();
}

/* A device that had given the picture out before it heard of the end says so afterwards. */
static void test_the_end_of_the_stream_goes_with_its_last_picture_or_behind_it(void)
{
    start();
    feed(64, 48, 2, OMX_BUFFERFLAG_EOS);
    OMX_BUFFERHEADERTYPE *last = see(64, 48, 2);
    CHECK(last->nFlags & OMX_BUFFERFLAG_ENDOFFRAME);
    if (!(last->nFlags & OMX_BUFFERFLAG_EOS)) {
        CHECK(client_fill(&client, last) == OMX_ErrorNone);
        last = client_wait_buffer(&client, OUT);
        CHECK(last->nFilledLen == 0 && last->nFlags & OMX_BUFFERFLAG_EOS);
    }
    client_expect(&client, OMX_EventBufferFlag, OUT, last->nFlags);
    CHECK(client_fill(&client, last) == OMX_ErrorNone);
    feed(64, 48, 3, 0); /* and another stream may begin */
    CHECK(client_fill(&client, see(64, 48, 3)) == OMX_ErrorNone);
    client_go_loaded(&client);
    leave();
}

static void end_with_nothing(void)
{
    OMX_BUFFERHEADERTYPE *header = client_input(&client);

    header->nFlags = OMX_BUFFERFLAG_EOS;
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
}

static void test_the_end_of_the_stream_may_come_alone(void)
{
    start();
    for (int n = 0; n < 3; n++) {
        end_with_nothing();
        OMX_BUFFERHEADERTYPE *last = client_wait_buffer(&client, OUT);
        CHECK(last->nFilledLen == 0 && last->nFlags == OMX_BUFFERFLAG_EOS);
        client_expect(&client, OMX_EventBufferFlag, OUT, OMX_BUFFERFLAG_EOS);
        CHECK(client_fill(&client, last) == OMX_ErrorNone);
    }
    client_go_loaded(&client);
    leave();
}

static void test_the_end_of_a_stream_without_pictures_is_told_of(void)
{
    enter(OMX_StateExecuting);
    disable(OUT);
    end_with_nothing();
    client_expect(&client, OMX_EventBufferFlag, OUT, OMX_BUFFERFLAG_EOS);
    client_go_loaded(&client);
    leave();
}

static void test_octets_that_are_no_stream_are_swallowed(void)
{
    start();
    for (int n = 0; n < 10; n++) {
        OMX_BUFFERHEADERTYPE *header = client_input(&client);
        memset(header->pBuffer, n, 100);
        header->nFilledLen = 100;
        CHECK(client_empty(&client, header) == OMX_ErrorNone);
    }
    feed(64, 48, 5, 0);
    see(64, 48, 5);
    client_go_loaded(&client);
    leave();
}

/* A unit that fills its buffer to the brim goes on in the next. */
static void test_a_unit_may_take_several_buffers(void)
{
    start();
    OMX_BUFFERHEADERTYPE *header = client_input(&client);
    memset(header->pBuffer, 0, header->nAllocLen);
    memcpy(header->pBuffer + header->nAllocLen - 5, "null@", 5);
    header->nOffset = header->nAllocLen - 5;
    header->nFilledLen = 5;
    header->nTimeStamp = 77;
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
    header = client_input(&client);
    memcpy(header->pBuffer, "\0\x30\0\x4d", 4);
    header->nFilledLen = 4;
    header->nTimeStamp = 5;
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
    see(64, 48, 77);
    client_go_loaded(&client);
    leave();
}

/* --- flush, pause, ports ---------------------------------------------------------------------------------------- */

static void expect_flushed(void)
{
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandFlush, IN);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandFlush, OUT);
    client_expect_home(&client, IN);
    client_expect_home(&client, OUT);
}

static void test_a_flush_gives_all_buffers_back(void)
{
    start();
    for (uint8_t n = 0; n < 20; n++) {
        feed(64, 48, 100, 0);
        CHECK(client_command(&client, OMX_CommandFlush, OMX_ALL) == OMX_ErrorNone);
        expect_flushed();
        client_fill_all(&client);
        feed(64, 48, n, 0);
        CHECK(client_fill(&client, see(64, 48, n)) == OMX_ErrorNone);
    }
    client_go_loaded(&client);
    leave();
}

static void set_state(OMX_STATETYPE state)
{
    CHECK(client_command(&client, OMX_CommandStateSet, state) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, state);
}

static void test_a_pause_holds_everything_until_it_ends_or_is_flushed(void)
{
    start();
    set_state(OMX_StatePause);
    feed(64, 48, 9, 0);
    client_expect_silence(&client);
    CHECK(!client_has_back(&client, OUT));
    set_state(OMX_StateExecuting);
    CHECK(client_fill(&client, see(64, 48, 9)) == OMX_ErrorNone);
    set_state(OMX_StatePause);
    feed(64, 48, 10, 0);
    CHECK(client_command(&client, OMX_CommandFlush, IN) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandFlush, IN);
    client_expect_home(&client, IN);
    CHECK(client_command(&client, OMX_CommandFlush, OUT) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandFlush, OUT);
    client_expect_home(&client, OUT);
    set_state(OMX_StateExecuting);
    client_fill_all(&client);
    feed(64, 48, 11, 0);
    see(64, 48, 11);
    client_go_loaded(&client);
    leave();
}

static void test_ports_come_and_go(void)
{
    start();
    for (uint8_t n = 0; n < 5; n++) {
        disable(IN);
        enable(IN, n % 2);
        feed(64, 48, n, 0);
        CHECK(client_fill(&client, see(64, 48, n)) == OMX_ErrorNone);
        disable(OUT);
        feed(64, 48, n + 50, 0);
        enable(OUT, n % 2);
        client_fill_all(&client);
        CHECK(client_fill(&client, see(64, 48, n + 50)) == OMX_ErrorNone);
    }
    client_go_loaded(&client);
    leave();
}

static void test_disabled_ports_need_no_buffers(void)
{
    client_open(&client, DECODER);
    CHECK(client_command(&client, OMX_CommandPortDisable, OMX_ALL) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, IN);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, OUT);
    set_state(OMX_StateIdle);
    set_state(OMX_StateExecuting);
    OMX_BUFFERHEADERTYPE *header;
    CHECK(OMX_AllocateBuffer(client.handle, &header, IN, NULL, 1 << 20) == OMX_ErrorIncorrectStateOperation);
    enable(IN, false);
    enable(OUT, false);
    feed(64, 48, 1, 0);
    reconfigure(false);
    see(64, 48, 1);
    client_go_loaded(&client);
    leave();
}

static void test_a_port_that_is_being_enabled_can_be_disabled(void)
{
    enter(OMX_StateExecuting);
    disable(OUT);
    CHECK(client_command(&client, OMX_CommandPortEnable, OUT) == OMX_ErrorNone);
    client_expect_silence(&client);
    CHECK(client_command(&client, OMX_CommandPortDisable, OUT) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, OUT);
    client_go_loaded(&client);
    leave();
}

static void test_a_buffer_that_is_missed_is_told_of(void)
{
    enter(OMX_StateExecuting);
    CHECK(OMX_FreeBuffer(client.handle, OUT, client.buffers[OUT][--client.count[OUT]]) == OMX_ErrorNone);
    client_expect(&client, OMX_EventError, OMX_ErrorPortUnpopulated, OUT);
    leave();
}

/* --- marks ------------------------------------------------------------------------------------------------------- */

static void test_a_mark_for_the_component_is_told_of(void)
{
    OMX_MARKTYPE mark = {client.handle, &mark};

    start();
    mark.hMarkTargetComponent = client.handle;
    CHECK(OMX_SendCommand(client.handle, OMX_CommandMarkBuffer, IN, &mark) == OMX_ErrorNone);
    client_expect_silence(&client);
    feed(64, 48, 2, 0);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandMarkBuffer, IN);
    CHECK(client_next(&client).data == &mark);
    CHECK(see(64, 48, 2)->hMarkTargetComponent == NULL);
    client_go_loaded(&client);
    leave();
}

static void test_a_mark_for_another_goes_with_its_picture(void)
{
    start();
    OMX_BUFFERHEADERTYPE *header = client_input(&client);
    header->hMarkTargetComponent = &holder;
    header->pMarkData = &client;
    feed(64, 48, 2, OMX_BUFFERFLAG_DECODEONLY);
    feed(64, 48, 3, 0);
    header = see(64, 48, 2);
    CHECK(header->hMarkTargetComponent == &holder && header->pMarkData == &client);
    CHECK(header->nFlags & OMX_BUFFERFLAG_DECODEONLY);
    header = see(64, 48, 3);
    CHECK(!header->hMarkTargetComponent && !(header->nFlags & OMX_BUFFERFLAG_DECODEONLY));
    client_go_loaded(&client);
    leave();
}

/* --- encoding ------------------------------------------------------------------------------------------------------ */

static void define(uint32_t width, uint32_t height)
{
    OMX_PARAM_PORTDEFINITIONTYPE definition = client_definition(&client, IN);

    definition.format.video.nFrameWidth = width;
    definition.format.video.nFrameHeight = height;
    CHECK(OMX_SetParameter(client.handle, OMX_IndexParamPortDefinition, &definition) == OMX_ErrorNone);
    definition = client_definition(&client, IN);
    CHECK(definition.nBufferSize == width * height && (uint32_t)definition.format.video.nStride == width);
    CHECK(client_definition(&client, OUT).format.video.nFrameWidth == width);
}

static void encode(uint8_t shade, OMX_U32 flags)
{
    OMX_BUFFERHEADERTYPE *header = client_input(&client);

    memset(header->pBuffer, shade, header->nAllocLen);
    header->nFilledLen = header->nAllocLen;
    header->nTimeStamp = shade;
    header->nFlags = flags;
    CHECK(client_empty(&client, header) == OMX_ErrorNone);
}

static OMX_BUFFERHEADERTYPE *see_unit(uint32_t width, uint8_t shade)
{
    OMX_BUFFERHEADERTYPE *header = client_wait_buffer(&client, OUT);

    CHECK(header->nFilledLen == 9 && memcmp(header->pBuffer, "null", 4) == 0 && header->nTimeStamp == shade);
    CHECK(header->pBuffer[4] == (uint8_t)width && header->pBuffer[8] == shade);
    CHECK(header->nFlags & OMX_BUFFERFLAG_ENDOFFRAME && header->nFlags & OMX_BUFFERFLAG_SYNCFRAME);
    return header;
}

static void test_pictures_are_coded(void)
{
    client_open(&client, ENCODER);
    define(64, 48);
    client_go(&client, OMX_StateExecuting);
    client_fill_all(&client);
    for (uint8_t shade = 1; shade < 50; shade++) {
        encode(shade, shade == 49 ? OMX_BUFFERFLAG_EOS : 0);
        CHECK(client_fill(&client, see_unit(64, shade)) == OMX_ErrorNone);
    }
    CHECK(client_next(&client).event == OMX_EventBufferFlag);
    CHECK(statistics().nPictures == 49 && statistics().nCopied == 0);
    client_go_loaded(&client);
    leave();
}

/* In mid-stream, by way of a disabled input: nothing that was on its way is lost. */
static void test_an_encoders_pictures_change_size(void)
{
    client_open(&client, ENCODER);
    define(64, 48);
    client_go(&client, OMX_StateExecuting);
    client_fill_all(&client);
    for (uint16_t n = 0; n < 3; n++) {
        encode(5, 0);
        CHECK(client_fill(&client, see_unit(64u + 16u * n, 5)) == OMX_ErrorNone);
        disable(IN);
        define(80u + 16u * n, 48);
        enable(IN, false);
    }
    encode(6, 0);
    see_unit(112, 6);
    client_go_loaded(&client);
    leave();
}

static void test_an_encoder_with_its_output_disabled_says_when_it_is_due(void)
{
    client_open(&client, ENCODER);
    CHECK(client_command(&client, OMX_CommandPortDisable, OUT) == OMX_ErrorNone);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandPortDisable, OUT);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorNone);
    client_allocate(&client, IN, false);
    client_expect(&client, OMX_EventCmdComplete, OMX_CommandStateSet, OMX_StateIdle);
    set_state(OMX_StateExecuting);
    encode(3, 0);
    client_expect(&client, OMX_EventPortSettingsChanged, OUT, 0);
    enable(OUT, false);
    client_fill_all(&client);
    see_unit(176, 3);
    client_go_loaded(&client);
    leave();
}

/* --- arguments ------------------------------------------------------------------------------------------------------- */

static void check_row(const struct index *row)
{
    uint8_t structure[1024];
    const OMX_COMPONENTTYPE *component = client.handle;
    OMX_ERRORTYPE (*get)(OMX_HANDLETYPE handle, OMX_INDEXTYPE index, OMX_PTR structure) =
        row->config ? component->GetConfig : component->GetParameter;
    OMX_U32 port = row->reach == REACH_INPUT ? IN : OUT;

    CHECK(row->size <= sizeof structure);
    client_set_up(structure, row->size, port);
    OMX_ERRORTYPE good = get(client.handle, row->index, structure);
    CHECK(good == OMX_ErrorNone || good == OMX_ErrorUnsupportedIndex || good == OMX_ErrorBadPortIndex);
    CHECK(get(client.handle, row->index, NULL) == OMX_ErrorBadParameter);
    if (good != OMX_ErrorNone)
        return;
    client_set_up(structure, row->size, port);
    CHECK(component->GetParameter(client.handle, row->index, structure) == OMX_ErrorNone);
    CHECK(row->config || component->GetConfig(client.handle, row->index, structure) == OMX_ErrorUnsupportedIndex);
    client_set_up(structure, row->size - 1, port);
    CHECK(get(client.handle, row->index, structure) == OMX_ErrorBadParameter);
    client_set_up(structure, row->size, port);
    ((OMX_VERSIONTYPE *)(void *)(structure + sizeof(OMX_U32)))->s.nVersionMajor = 2;
    CHECK(get(client.handle, row->index, structure) == OMX_ErrorVersionMismatch);
    client_set_up(structure, row->size, 7);
    CHECK(get(client.handle, row->index, structure) == (row->reach == REACH_COMPONENT ? OMX_ErrorNone : OMX_ErrorBadPortIndex));
}

static void test_structures_are_checked(void)
{
    static const char *const NAMES[] = {DECODER, ENCODER, "OMX.paracore.video_decoder.avc", "OMX.paracore.video_encoder.avc"};

    for (size_t name = 0; name < COUNT(NAMES); name++) {
        client_open(&client, NAMES[name]);
        for (size_t n = 0; n < INDEX_COUNT; n++)
            check_row(&INDEXES[n]);
        leave();
    }
}

static void test_parameters_have_their_time(void)
{
    enter(OMX_StateExecuting);
    OMX_PARAM_PORTDEFINITIONTYPE definition = client_definition(&client, OUT);
    CHECK(OMX_SetParameter(client.handle, OMX_IndexParamPortDefinition, &definition) == OMX_ErrorIncorrectStateOperation);
    disable(OUT);
    definition.nBufferCountActual = definition.nBufferCountMin;
    CHECK(OMX_SetParameter(client.handle, OMX_IndexParamPortDefinition, &definition) == OMX_ErrorNone);
    definition.nBufferCountActual = definition.nBufferCountMin - 1;
    CHECK(OMX_SetParameter(client.handle, OMX_IndexParamPortDefinition, &definition) == OMX_ErrorBadParameter);
    enable(OUT, false);
    client_go_loaded(&client);
    leave();
}

static void test_bad_arguments_are_refused(void)
{
    OMX_BUFFERHEADERTYPE *header, stranger = {.nSize = sizeof stranger};
    OMX_U32 count = 0;
    char name[OMX_MAX_STRINGNAME_SIZE];

    start();
    CHECK(client_command(&client, OMX_CommandStateSet, 77) == OMX_ErrorBadParameter);
    CHECK(client_command(&client, OMX_CommandFlush, 2) == OMX_ErrorBadPortIndex);
    CHECK(client_command(&client, OMX_CommandMarkBuffer, IN) == OMX_ErrorBadParameter);
    CHECK(client_command(&client, (OMX_COMMANDTYPE)0x7F000001, IN) == OMX_ErrorNotImplemented);
    CHECK(OMX_AllocateBuffer(client.handle, &header, 2, NULL, 1) == OMX_ErrorBadPortIndex);
    CHECK(OMX_AllocateBuffer(client.handle, &header, IN, NULL, 1 << 20) == OMX_ErrorIncorrectStateOperation);
    CHECK(OMX_EmptyThisBuffer(client.handle, &stranger) == OMX_ErrorBadParameter);
    CHECK(OMX_EmptyThisBuffer(client.handle, client.buffers[OUT][0]) == OMX_ErrorBadPortIndex);
    CHECK(OMX_FreeBuffer(client.handle, IN, &stranger) == OMX_ErrorBadParameter);
    header = client_input(&client);
    header->nFilledLen = header->nAllocLen + 1;
    CHECK(client_empty(&client, header) == OMX_ErrorBadParameter);
    CHECK(OMX_SetupTunnel(client.handle, OUT, client.handle, IN) == OMX_ErrorTunnelingUnsupported);
    CHECK(OMX_UseEGLImage(client.handle, &header, OUT, NULL, NULL) == OMX_ErrorNotImplemented);
    CHECK(OMX_ComponentNameEnum(name, sizeof name, 10000) == OMX_ErrorNoMore);
    CHECK(OMX_ComponentNameEnum(name, 3, 0) == OMX_ErrorBadParameter);
    CHECK(OMX_GetComponentsOfRole((OMX_STRING)(uintptr_t) "audio_decoder.aac", &count, NULL) == OMX_ErrorNone && !count);
    CHECK(OMX_GetHandle(&stranger.pAppPrivate, (OMX_STRING)(uintptr_t) "OMX.none", NULL, NULL) == OMX_ErrorBadParameter);
    client_go_loaded(&client);
    leave();
}

static void test_components_have_names_and_roles(void)
{
    char name[OMX_MAX_STRINGNAME_SIZE], role[OMX_MAX_STRINGNAME_SIZE], other[OMX_MAX_STRINGNAME_SIZE];
    OMX_U8 *names[] = {(OMX_U8 *)other}, *roles[] = {(OMX_U8 *)role};
    OMX_U32 index = 0;

    for (; OMX_ComponentNameEnum(name, sizeof name, index) == OMX_ErrorNone; index++) {
        OMX_U32 count = 1;
        CHECK(OMX_GetRolesOfComponent(name, &count, roles) == OMX_ErrorNone && count == 1);
        CHECK(strcmp(name + strlen("OMX.paracore."), role) == 0);
        CHECK(OMX_GetComponentsOfRole(role, &count, names) == OMX_ErrorNone && count == 1);
        CHECK(strcmp(other, name) == 0);
    }
    CHECK(index == 18);
}

/* --- loss ---------------------------------------------------------------------------------------------------------------- */

/* The backend that is back is another one, and so is the handle. */
static void check_return(void)
{
    getchar(); /* the test says when it is back */
    start();
    feed(64, 48, 3, 0);
    see(64, 48, 3);
    client_go_loaded(&client);
    leave();
}

static void test_loss(void)
{
    start();
    feed(64, 48, 2, 0);
    see(64, 48, 2);
    puts("ready");
    fflush(stdout);
    client_expect(&client, OMX_EventError, OMX_ErrorHardware, 0);
    puts("lost");
    fflush(stdout);
    client_expect(&client, OMX_EventError, OMX_ErrorInvalidState, 0);
    CHECK(client_state(&client) == OMX_StateInvalid);
    client_wait_home(&client, OUT);
    CHECK(client_fill(&client, client.buffers[OUT][0]) == OMX_ErrorInvalidState);
    CHECK(client_command(&client, OMX_CommandStateSet, OMX_StateIdle) == OMX_ErrorInvalidState);
    memset(client.buffers[OUT][0]->pBuffer, 1, client.buffers[OUT][0]->nAllocLen); /* still there */
    client_free(&client, IN);
    client_free(&client, OUT);
    leave();
    check_return();
}

static const struct test TESTS[] = {
    {"names", test_components_have_names_and_roles},
    {"transitions", test_transitions},
    {"resources", test_waiting_for_resources_ends_when_there_are_some},
    {"giving-up", test_the_way_to_idle_can_be_given_up},
    {"no-session", test_without_a_session_there_is_no_idle},
    {"pictures", test_pictures_come_in_order_and_are_not_copied},
    {"use-buffer", test_the_clients_own_memory_costs_a_copy},
    {"format", test_the_format_changes_in_mid_stream},
    {"end", test_the_end_of_the_stream_goes_with_its_last_picture_or_behind_it},
    {"end-alone", test_the_end_of_the_stream_may_come_alone},
    {"end-of-nothing", test_the_end_of_a_stream_without_pictures_is_told_of},
    {"noise", test_octets_that_are_no_stream_are_swallowed},
    {"pieces", test_a_unit_may_take_several_buffers},
    {"flush", test_a_flush_gives_all_buffers_back},
    {"pause", test_a_pause_holds_everything_until_it_ends_or_is_flushed},
    {"ports", test_ports_come_and_go},
    {"disabled", test_disabled_ports_need_no_buffers},
    {"enabling", test_a_port_that_is_being_enabled_can_be_disabled},
    {"unpopulated", test_a_buffer_that_is_missed_is_told_of},
    {"mark", test_a_mark_for_the_component_is_told_of},
    {"mark-on", test_a_mark_for_another_goes_with_its_picture},
    {"encode", test_pictures_are_coded},
    {"encode-disabled", test_an_encoder_with_its_output_disabled_says_when_it_is_due},
    {"structures", test_structures_are_checked},
    {"parameters", test_parameters_have_their_time},
    {"arguments", test_bad_arguments_are_refused},
};

/* These want a backend of their own. */
static const struct test OTHERS[] = {
    {"loss", test_loss},
    {"encode-sizes", test_an_encoders_pictures_change_size},
};

static bool run_named(const struct test *tests, size_t count, const char *name)
{
    for (size_t n = 0; n < count; n++)
        if (strcmp(tests[n].name, name) == 0) {
            run_tests(&tests[n], 1);
            return true;
        }
    return false;
}

int main(int count, char **words)
{
    CHECK(OMX_Deinit() == OMX_ErrorNotReady);
    CHECK(OMX_Init() == OMX_ErrorNone);
    if (count > 1)
        CHECK(run_named(TESTS, COUNT(TESTS), words[1]) || run_named(OTHERS, COUNT(OTHERS), words[1]));
    else
        run_tests(TESTS, COUNT(TESTS));
    CHECK(OMX_Deinit() == OMX_ErrorNone);
    return 0;
}
