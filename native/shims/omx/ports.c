/* SPDX-License-Identifier: Apache-2.0 */
/* What the ports are like: their definitions, and when buffers may come, go and be worked on. */
#include "omx.h"

enum {
    CODED_BUFFERS = 4,
    CODED_SIZE_INPUT = 1 << 20, /* an access unit may take several buffers */
    CODED_SIZE_SPARE = 1 << 16,
    RAW_BUFFERS_SPARE = 2,     /* that the client may hold beyond those that the device needs */
    GUESS_ALIGNMENT = 64,      /* of a decoder's rows, before it has met its format */
    GUESS_BUFFERS = 4,
    DEFAULT_RATE = 15 << 16, /* of both ports; Q16, as all rates of OpenMAX IL */
    PER_SECONDS = 1000,      /* the wire's rates */
};

static bool is_coded(const struct component *component, uint32_t port)
{
    return component->decodes == (port == INPUT);
}

/* --- definitions -------------------------------------------------------------------------------------------- */

/* A packet may take several buffers, but gst-omx knows of no such thing: one holds any picture that is worth coding. */
static uint32_t coded_size(const struct component *component, const struct paracore_picture_format *format)
{
    if (component->decodes)
        return CODED_SIZE_INPUT;
    return format->width * format->height / 16 * 25 + CODED_SIZE_SPARE;
}

/* What a decoder says of its pictures before it knows. */
static struct paracore_picture_format guess(const struct component *component, uint32_t width, uint32_t height)
{
    const struct pixels *pixels = pixels_of_capability(component->entry.capability.pixel_formats, 0);
    uint32_t stride = (width + 2 * GUESS_ALIGNMENT - 1) & ~(2u * GUESS_ALIGNMENT - 1);
    uint32_t rows = (height + 1) & ~1u, chroma_rows = rows >> pixels->down;
    uint32_t chroma = (stride >> pixels->across) * pixels->interleaved;

    return (struct paracore_picture_format){
        .pixel_format = pixels->pixel_format,
        .coded_width = width,
        .coded_height = height,
        .width = width,
        .height = height,
        .plane_count = pixels->planes,
        .plane_offset = {0, stride * rows, stride * rows + chroma * chroma_rows},
        .plane_stride = {stride, chroma, chroma},
        .size = (uint64_t)stride * rows + 2 * (uint64_t)chroma * chroma_rows,
        .buffers_min = GUESS_BUFFERS - RAW_BUFFERS_SPARE,
    };
}

static uint32_t q16(const struct paracore_picture_format *format, uint32_t otherwise)
{
    uint64_t rate = format->rate_num && format->rate_den ? ((uint64_t)format->rate_num << 16) / format->rate_den : 0;

    return rate && rate <= UINT32_MAX ? (uint32_t)rate : otherwise;
}

/* What is cropped to the right and below is not mentioned; what is to the left and above can be told by nothing but
 * OMX_IndexConfigCommonOutputCrop. */
static void describe_raw(OMX_PARAM_PORTDEFINITIONTYPE *definition, const struct paracore_picture_format *format)
{
    OMX_VIDEO_PORTDEFINITIONTYPE *video = &definition->format.video;
    struct layout layout = layout_of(format);

    video->nFrameWidth = format->crop_left + format->width;
    video->nFrameHeight = format->crop_top + format->height;
    video->nStride = (OMX_S32)layout.stride;
    video->nSliceHeight = layout.rows;
    video->xFramerate = q16(format, (uint32_t)video->xFramerate);
    video->eCompressionFormat = OMX_VIDEO_CodingUnused;
    video->eColorFormat = pixels_of_wire(format->pixel_format)->color;
    definition->nBufferSize = layout.size;
    definition->nBufferCountMin = format->buffers_min ? format->buffers_min : 1;
    if (definition->nBufferCountActual < definition->nBufferCountMin + RAW_BUFFERS_SPARE)
        definition->nBufferCountActual = definition->nBufferCountMin + RAW_BUFFERS_SPARE;
}

static void describe_coded(struct component *component, OMX_PARAM_PORTDEFINITIONTYPE *definition,
                           const struct paracore_picture_format *format)
{
    OMX_VIDEO_PORTDEFINITIONTYPE *video = &definition->format.video;
    uint32_t size = coded_size(component, format);

    video->nFrameWidth = format->width;
    video->nFrameHeight = format->height;
    video->eCompressionFormat = component->entry.codec->coding;
    video->eColorFormat = OMX_COLOR_FormatUnused;
    if (definition->nBufferSize < size)
        definition->nBufferSize = size;
    definition->nBufferCountMin = 1;
}

void port_describe(struct component *component, struct port *port, const struct paracore_picture_format *format)
{
    if (is_coded(component, (uint32_t)port->definition.nPortIndex))
        describe_coded(component, &port->definition, format);
    else
        describe_raw(&port->definition, format);
}

bool port_describes(const struct component *component, const struct paracore_picture_format *format)
{
    const OMX_PARAM_PORTDEFINITIONTYPE *definition = &component->ports[OUTPUT].definition;
    OMX_PARAM_PORTDEFINITIONTYPE other = *definition;
    const OMX_VIDEO_PORTDEFINITIONTYPE *one = &definition->format.video, *two = &other.format.video;

    describe_raw(&other, format);
    return one->nFrameWidth == two->nFrameWidth && one->nFrameHeight == two->nFrameHeight &&
           one->nStride == two->nStride && one->nSliceHeight == two->nSliceHeight &&
           one->eColorFormat == two->eColorFormat && definition->nBufferSize == other.nBufferSize &&
           definition->nBufferCountActual >= other.nBufferCountMin;
}

static void init(struct component *component, uint32_t port, const struct paracore_picture_format *format)
{
    OMX_PARAM_PORTDEFINITIONTYPE *definition = &component->ports[port].definition;

    *definition = (OMX_PARAM_PORTDEFINITIONTYPE){
        .nSize = sizeof *definition,
        .nVersion = component->type.nVersion,
        .nPortIndex = port,
        .eDir = port == INPUT ? OMX_DirInput : OMX_DirOutput,
        .nBufferCountActual = is_coded(component, port) ? CODED_BUFFERS : 0,
        .bEnabled = OMX_TRUE,
        .eDomain = OMX_PortDomainVideo,
    };
    definition->format.video.cMIMEType =
        (OMX_STRING)(uintptr_t)(is_coded(component, port) ? component->entry.codec->mime : "video/raw");
    definition->format.video.xFramerate = DEFAULT_RATE;
    port_describe(component, &component->ports[port], format);
}

void ports_init(struct component *component)
{
    if (component->decodes)
        component->format = guess(component, component->format.width, component->format.height);
    for (uint32_t port = 0; port < PORTS; port++)
        init(component, port, &component->format);
}

/* --- population ---------------------------------------------------------------------------------------------- */

bool port_populated(const struct component *component, uint32_t port)
{
    const struct port *of = &component->ports[port];

    return of->definition.bEnabled && of->count >= of->definition.nBufferCountActual;
}

/* OpenMAX IL 1.1.2, section 3.2.2.12: on the way to OMX_StateIdle, or when the port is being enabled. */
bool port_is_filling(const struct component *component, uint32_t port)
{
    const struct port *of = &component->ports[port];

    bool enabling = of->enabling && component->state != OMX_StateLoaded;

    return of->definition.bEnabled && (component->step == STEP_ACQUIRE || enabling);
}

bool port_is_emptying(const struct component *component, uint32_t port)
{
    return component->step == STEP_RELEASE || component->state == OMX_StateLoaded ||
           component->state == OMX_StateWaitForResources || !component->ports[port].definition.bEnabled;
}

bool port_runs(const struct component *component, uint32_t port)
{
    const struct port *of = &component->ports[port];
    bool awake = component->state == OMX_StateIdle || component->state == OMX_StateExecuting ||
                 component->state == OMX_StatePause;

    return awake && component->step != STEP_STOP && component->step != STEP_RELEASE && of->definition.bEnabled &&
           !of->enabling;
}

/* --- the client's wishes -------------------------------------------------------------------------------------- */

static OMX_ERRORTYPE check_video(const struct component *component, uint32_t port,
                                 const OMX_VIDEO_PORTDEFINITIONTYPE *video)
{
    const struct paracore_video_capability_query_reply *capability = &component->entry.capability;

    if (video->nFrameWidth > capability->width_max || video->nFrameHeight > capability->height_max ||
        video->nBitrate > INT32_MAX || video->xFramerate > INT32_MAX)
        return OMX_ErrorUnsupportedSetting;
    if (is_coded(component, port))
        return video->eCompressionFormat == component->entry.codec->coding ||
                       video->eCompressionFormat == OMX_VIDEO_CodingUnused ||
                       video->eCompressionFormat == OMX_VIDEO_CodingAutoDetect
                   ? OMX_ErrorNone
                   : OMX_ErrorUnsupportedSetting;
    bool known = video->eColorFormat == OMX_COLOR_FormatUnused ||
                 pixels_of_color(capability->pixel_formats, video->eColorFormat);
    return known && video->eCompressionFormat == OMX_VIDEO_CodingUnused ? OMX_ErrorNone : OMX_ErrorUnsupportedSetting;
}

/* A rate of 24, 30 or 60 times 1000/1001 has no exact Q16 form: it is meant nevertheless. */
static void set_rate(struct paracore_picture_format *format, uint32_t rate)
{
    static const uint32_t NTSC[] = {24, 30, 48, 60, 120};

    format->rate_num = rate;
    format->rate_den = rate ? 1 << 16 : 1;
    for (size_t n = 0; n < COUNT(NTSC); n++) {
        uint32_t exact = (uint32_t)(((uint64_t)NTSC[n] * 1000 << 16) / 1001);
        if (rate + 1 >= exact && rate <= exact + 1)
            format->rate_num = NTSC[n] * 1000, format->rate_den = 1001;
    }
}

/* Clients write a whole definition back of which they have changed something else: the default means nothing. */
struct shim_stream port_stream(const struct component *component)
{
    const OMX_VIDEO_PORTDEFINITIONTYPE *video = &component->ports[INPUT].definition.format.video;
    struct shim_stream stream = {.samples = (int64_t)video->nFrameWidth * (int64_t)video->nFrameHeight};
    uint32_t rate = (uint32_t)video->xFramerate;
    struct paracore_picture_format format;

    if (!rate || rate == DEFAULT_RATE)
        return stream;
    set_rate(&format, rate);
    stream.rate = ((int64_t)format.rate_num * PER_SECONDS + format.rate_den / 2) / format.rate_den;
    return stream;
}

/* What an encoder's pictures are to be like now. */
static struct paracore_picture_format wish(const struct component *component, const OMX_VIDEO_PORTDEFINITIONTYPE *video)
{
    const struct pixels *pixels = pixels_of_color(component->entry.capability.pixel_formats, video->eColorFormat);
    struct paracore_picture_format format = {
        .pixel_format = pixels ? pixels->pixel_format : component->format.pixel_format,
        .width = (uint32_t)video->nFrameWidth,
        .height = (uint32_t)video->nFrameHeight,
    };

    set_rate(&format, (uint32_t)video->xFramerate);
    return format;
}

static bool same(const struct paracore_picture_format *one, const struct paracore_picture_format *other)
{
    return one->pixel_format == other->pixel_format && one->width == other->width && one->height == other->height;
}

/* The device is asked how it wants them, so that the client learns stride and size before it allocates. */
static OMX_ERRORTYPE define_encoder(struct component *component, const OMX_VIDEO_PORTDEFINITIONTYPE *video)
{
    struct paracore_picture_format format = wish(component, video);

    if (same(&format, &component->format)) {
        component->format.rate_num = format.rate_num;
        component->format.rate_den = format.rate_den;
    } else {
        pthread_mutex_unlock(&component->lock);
        int error = session_layout(component, &format);
        pthread_mutex_lock(&component->lock);
        if (error)
            return session_error(error);
        component->format = format;
    }
    component->ports[INPUT].definition.format.video.xFramerate = video->xFramerate;
    component->ports[OUTPUT].definition.format.video.xFramerate = video->xFramerate;
    port_describe(component, &component->ports[INPUT], &component->format);
    port_describe(component, &component->ports[OUTPUT], &component->format);
    component->changed_settings = true;
    return OMX_ErrorNone;
}

/* A decoder's input says what its pictures will probably be like; the stream has the last word. */
static OMX_ERRORTYPE define_decoder(struct component *component, const OMX_VIDEO_PORTDEFINITIONTYPE *video)
{
    struct paracore_picture_format format =
        guess(component, (uint32_t)video->nFrameWidth, (uint32_t)video->nFrameHeight);
    OMX_VIDEO_PORTDEFINITIONTYPE *input = &component->ports[INPUT].definition.format.video;

    input->nFrameWidth = video->nFrameWidth;
    input->nFrameHeight = video->nFrameHeight;
    input->xFramerate = video->xFramerate;
    component->ports[OUTPUT].definition.format.video.xFramerate = video->xFramerate;
    if (component->announced == 0 && component->ports[OUTPUT].count == 0)
        port_describe(component, &component->ports[OUTPUT], &format);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE define_video(struct component *component, uint32_t port, const OMX_VIDEO_PORTDEFINITIONTYPE *video)
{
    bool sized = video->nFrameWidth && video->nFrameHeight;

    if (port == INPUT && sized)
        return component->decodes ? define_decoder(component, video) : define_encoder(component, video);
    if (port == OUTPUT && !component->decodes && video->nBitrate) {
        component->settings.bitrate = (uint32_t)video->nBitrate;
        component->ports[OUTPUT].definition.format.video.nBitrate = video->nBitrate;
        component->changed_settings = true;
    }
    return OMX_ErrorNone;
}

OMX_ERRORTYPE port_define(struct component *component, const OMX_PARAM_PORTDEFINITIONTYPE *wanted)
{
    uint32_t port = (uint32_t)wanted->nPortIndex;
    OMX_PARAM_PORTDEFINITIONTYPE *definition = &component->ports[port].definition;
    OMX_ERRORTYPE result = check_video(component, port, &wanted->format.video);

    if (wanted->nBufferCountActual < definition->nBufferCountMin || wanted->nBufferSize > PARACORE_BUFFER_MAX)
        return OMX_ErrorBadParameter;
    if (result == OMX_ErrorNone)
        result = define_video(component, port, &wanted->format.video);
    if (result != OMX_ErrorNone)
        return result;
    if (wanted->nBufferCountActual >= definition->nBufferCountMin) /* it may have grown with the format */
        definition->nBufferCountActual = wanted->nBufferCountActual;
    if (is_coded(component, port) && wanted->nBufferSize > definition->nBufferSize)
        definition->nBufferSize = wanted->nBufferSize;
    return OMX_ErrorNone;
}
