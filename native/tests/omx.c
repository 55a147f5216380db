/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenMAX IL core, as far as it needs no backend: its tables, layouts and what it sees in a stream. */
#include <string.h>

#include "check.h"
#include "omx.h"

/* --- states ------------------------------------------------------------------------------------------------ */

static void test_each_state_but_the_invalid_one_leads_to_it(void)
{
    for (int from = OMX_StateInvalid + 1; from < STATES; from++)
        CHECK(TRANSITIONS[from][OMX_StateInvalid] == STEP_INVALID);
    for (int to = 0; to < STATES; to++)
        CHECK(TRANSITIONS[OMX_StateInvalid][to] == (to == OMX_StateInvalid ? STEP_SAME : STEP_NEVER));
}

static void test_a_state_is_its_own_same(void)
{
    for (int from = 0; from < STATES; from++)
        for (int to = 0; to < STATES; to++)
            CHECK((TRANSITIONS[from][to] == STEP_SAME) == (from == to));
}

/* Sooner or later, by whatever steps. */
static void test_each_state_reaches_loaded(void)
{
    bool reaches[STATES] = {[OMX_StateLoaded] = true};

    for (int round = 0; round < STATES; round++)
        for (int from = 0; from < STATES; from++)
            for (int to = 0; to < STATES; to++)
                reaches[from] |= reaches[to] && TRANSITIONS[from][to] > STEP_SAME;
    for (int from = OMX_StateLoaded; from < STATES; from++)
        CHECK(reaches[from]);
    CHECK(!reaches[OMX_StateInvalid]);
}

/* --- layouts ------------------------------------------------------------------------------------------------ */

static struct paracore_picture_format i420(uint32_t width, uint32_t height, uint32_t stride, uint32_t rows, uint32_t gap)
{
    uint32_t luma = stride * rows + gap, chroma = stride / 2 * (rows / 2) + gap;

    return (struct paracore_picture_format){
        .pixel_format = PARACORE_PIXEL_FORMAT_YUV420P,
        .coded_width = width,
        .coded_height = height,
        .width = width,
        .height = height,
        .plane_count = 3,
        .plane_offset = {0, luma, luma + chroma},
        .plane_stride = {stride, stride / 2, stride / 2},
        .size = luma + 2 * chroma,
    };
}

static void test_a_layout_is_direct_when_planes_follow_each_other(void)
{
    struct paracore_picture_format format = i420(162, 110, 256, 114, 0);
    struct layout layout = layout_of(&format);

    CHECK(layout_is_sound(&format) && layout_is_direct(&format));
    CHECK(layout.stride == 256 && layout.rows == 114 && layout.size == 256 * 114 * 3 / 2);
    format = i420(162, 110, 256, 114, 64);
    CHECK(layout_is_sound(&format) && !layout_is_direct(&format));
    format = i420(16, 16, 16, 16, 0);
    format.plane_stride[1] = 32;
    CHECK(!layout_is_direct(&format));
}

static void fill(uint8_t *memory, const struct paracore_picture_format *format)
{
    memset(memory, 0, format->size);
    for (uint32_t plane = 0; plane < 3; plane++)
        for (uint32_t row = 0; row < (plane ? format->height / 2 : format->height); row++)
            for (uint32_t x = 0; x < (plane ? format->width / 2 : format->width); x++)
                memory[format->plane_offset[plane] + row * format->plane_stride[plane] + x] =
                    (uint8_t)(plane * 50 + row * 7 + x);
}

static void test_pictures_survive_another_layout(void)
{
    static uint8_t device[1 << 16], client[1 << 16], back[1 << 16];
    struct paracore_picture_format format = i420(98, 66, 128, 70, 192);

    fill(device, &format);
    layout_pack(&format, device, client);
    memset(back, 0, sizeof back);
    layout_unpack(&format, client, back);
    CHECK(memcmp(device, back, format.size) == 0);
    struct layout layout = layout_of(&format);
    CHECK(client[layout.stride * layout.rows + 1] == device[format.plane_offset[1] + 1]);
}

static void test_a_layout_beyond_its_size_is_refused(void)
{
    struct paracore_picture_format good = i420(64, 64, 64, 64, 0), bad = good;

    CHECK(layout_is_sound(&good));
    bad.size--;
    CHECK(!layout_is_sound(&bad));
    bad = good, bad.plane_offset[2] = UINT32_MAX;
    CHECK(!layout_is_sound(&bad));
    bad = good, bad.plane_stride[0] = 63;
    CHECK(!layout_is_sound(&bad));
    bad = good, bad.crop_left = 1;
    CHECK(!layout_is_sound(&bad));
    bad = good, bad.pixel_format = PARACORE_PIXEL_FORMAT_YUV420P10LE;
    CHECK(!layout_is_sound(&bad));
    bad = good, bad.plane_count = 2;
    CHECK(!layout_is_sound(&bad));
}

/* --- streams ------------------------------------------------------------------------------------------------- */

static const uint8_t SETS[] = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3};
static const uint8_t UNIT[] = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 6, 9, 0, 0, 1, 0x65, 4, 5};

static void test_parameter_sets_are_told_from_pictures(void)
{
    CHECK(unit_is_config(PARACORE_CODEC_H264, SETS, sizeof SETS));
    CHECK(!unit_is_config(PARACORE_CODEC_H264, UNIT, sizeof UNIT));
    CHECK(!unit_is_config(PARACORE_CODEC_H264, UNIT, 0));
    CHECK(!unit_is_config(PARACORE_CODEC_VP8, SETS, sizeof SETS));
    CHECK(unit_is_config(PARACORE_CODEC_MPEG4, (const uint8_t[]){0, 0, 1, 0xb0, 1, 0, 0, 1, 0x20}, 9));
    CHECK(!unit_is_config(PARACORE_CODEC_MPEG4, (const uint8_t[]){0, 0, 1, 0xb6, 1}, 5));
}

static void test_parameter_sets_are_taken_out(void)
{
    static const uint8_t WANTED[] = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3};
    uint32_t length;
    uint8_t *sets = unit_sets(PARACORE_CODEC_H264, UNIT, sizeof UNIT, &length);

    CHECK(sets && length == sizeof WANTED && memcmp(sets, WANTED, length) == 0);
    free(sets);
    CHECK(!unit_sets(PARACORE_CODEC_H264, UNIT + 13, sizeof UNIT - 13, &length) && length == 0);
}

/* However many zeros and ends there are, nothing is read beyond. */
static void test_any_octets_are_a_stream(void)
{
    uint64_t random = 1;
    uint32_t found;

    for (int n = 0; n < 20000; n++) {
        size_t length = next_random(&random) % 24;
        uint8_t *octets = malloc(length + 1);
        for (size_t i = 0; i < length; i++)
            octets[i] = (uint8_t)(next_random(&random) % 4 ? next_random(&random) % 2 : next_random(&random));
        uint8_t *exact = realloc(octets, length ? length : 1);
        unit_is_config(PARACORE_CODEC_HEVC, exact, length);
        free(unit_sets(PARACORE_CODEC_H264, exact, length, &found));
        free(exact);
    }
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

static void test_levels_follow_from_size_and_rate(void)
{
    CHECK(avc_level(176, 144, 15 << 16) == OMX_VIDEO_AVCLevel1);
    CHECK(avc_level(1280, 720, 30 << 16) == OMX_VIDEO_AVCLevel31);
    CHECK(avc_level(1920, 1080, 30 << 16) == OMX_VIDEO_AVCLevel4);
    CHECK(avc_level(1920, 1080, 60 << 16) == OMX_VIDEO_AVCLevel42);
    CHECK(avc_level(4096, 2304, 30 << 16) == OMX_VIDEO_AVCLevel51);
    CHECK(avc_level(16384, 16384, 60 << 16) == OMX_VIDEO_AVCLevel51);
}

static void test_each_index_has_one_row_and_a_structure(void)
{
    for (size_t n = 0; n < INDEX_COUNT; n++) {
        CHECK(INDEXES[n].get && INDEXES[n].size > 2 * sizeof(OMX_U32));
        for (size_t m = 0; m < n; m++)
            CHECK(INDEXES[n].index != INDEXES[m].index);
    }
}

static void test_structures_say_their_size_and_version(void)
{
    OMX_PORT_PARAM_TYPE ports = {.nSize = sizeof ports};

    ports.nVersion.s.nVersionMajor = 1;
    CHECK(structure_check(&ports, sizeof ports) == OMX_ErrorNone);
    CHECK(structure_check(&ports, sizeof ports - 1) == OMX_ErrorBadParameter);
    ports.nVersion.s.nVersionMinor = 2;
    CHECK(structure_check(&ports, sizeof ports) == OMX_ErrorVersionMismatch);
    ports.nVersion.s.nVersionMajor = 2;
    CHECK(structure_check(&ports, sizeof ports) == OMX_ErrorVersionMismatch);
}

static void test_an_encoders_pictures_are_counted_as_openmax_does(void)
{
    struct component component = {.entry.codec = codec_find(PARACORE_CODEC_H264), .entry.capability.controls = ~UINT64_C(0)};
    struct controls controls;

    controls_defaults(&component.settings);
    controls_list(&component, &controls);
    CHECK(controls.count == 5 && controls.list[2].value == 250 && controls.list[3].value == 0);
    component.settings = (struct settings){.p_frames = 9, .b_frames = 20, .profile = OMX_VIDEO_AVCProfileMain};
    controls_list(&component, &controls);
    CHECK(controls.list[2].value == 30 && controls.list[3].value == 2 && controls.list[4].value == 77);
    CHECK(!controls.low_delay);
    component.settings = (struct settings){.p_frames = 249, .idr_period = 20};
    controls_list(&component, &controls);
    CHECK(controls.list[2].value == 20 && controls.low_delay);
    component.settings = (struct settings){.p_frames = 15, .idr_period = 250};
    controls_list(&component, &controls);
    CHECK(controls.list[2].value == 16);
    component.settings = (struct settings){.p_frames = UINT32_MAX}; /* ffmpeg's -g 0 */
    controls_list(&component, &controls);
    CHECK(controls.list[2].value == 1);
}

static const struct test TESTS[] = {
    {"each state but the invalid one leads to it", test_each_state_but_the_invalid_one_leads_to_it},
    {"a state is its own same", test_a_state_is_its_own_same},
    {"each state reaches loaded", test_each_state_reaches_loaded},
    {"a layout is direct when planes follow each other", test_a_layout_is_direct_when_planes_follow_each_other},
    {"pictures survive another layout", test_pictures_survive_another_layout},
    {"a layout beyond its size is refused", test_a_layout_beyond_its_size_is_refused},
    {"parameter sets are told from pictures", test_parameter_sets_are_told_from_pictures},
    {"parameter sets are taken out", test_parameter_sets_are_taken_out},
    {"any octets are a stream", test_any_octets_are_a_stream},
    {"levels follow from size and rate", test_levels_follow_from_size_and_rate},
    {"each index has one row and a structure", test_each_index_has_one_row_and_a_structure},
    {"structures say their size and version", test_structures_say_their_size_and_version},
    {"an encoder's pictures are counted as OpenMAX does", test_an_encoders_pictures_are_counted_as_openmax_does},
};

int main(void)
{
    run_tests(TESTS, sizeof TESTS / sizeof *TESTS);
    return 0;
}
