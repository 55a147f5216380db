/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the OpenMAX IL core: what a component is made of, and which file does what with it.
 *
 * Theory of operation. A component has one thread of its own, which does all that takes time and makes all
 * callbacks; the client's calls check their arguments, leave work on a queue and return. Everything is guarded by
 * the component's one lock. It is held neither during a callback nor while the backend is spoken to, so that a
 * client may call anything from within a callback, and the link's thread (session.c) never waits.
 *
 * Memory. A *slot* is a piece of granted pages: the device reads or writes it while it is lent. A *buffer* is what
 * the client knows, a header, and has a slot. The two part where the rules of OpenMAX IL and of the wire differ:
 * a header must be given back at once when a port is flushed or disabled, whereas a lent output comes back only when
 * the device is done with it. So a slot may be lent while its header is with the client, or is no more. Slots without
 * a header are the component's own; what the device puts there is copied out, and counted.
 */
#ifndef PARACORE_SHIMS_OMX_H
#define PARACORE_SHIMS_OMX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#pragma GCC visibility push(default) /* the core's own functions, nine of which core.c has */
#include <OMX_Component.h>
#include <OMX_Core.h>
#include <OMX_Index.h>
#include <OMX_Video.h>
#pragma GCC visibility pop

#include "../link/link.h"
#include "extensions.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BIT(n) (UINT64_C(1) << (n))

enum {
    INPUT = 0,
    OUTPUT = 1,
    PORTS = 2,
    STATES = OMX_StateWaitForResources + 1,
    GENERATIONS = 16, /* formats that may be on their way at once; a stream that changes faster is refused */
};

/* --- states.c: which state may follow which -------------------------------------------------------------- */

/* What a command to change the state leads to. */
enum step {
    STEP_NEVER,   /* OMX_ErrorIncorrectStateTransition; being 0, it is what the table does not say */
    STEP_SAME,    /* OMX_ErrorSameState */
    STEP_INVALID, /* at once, from anywhere */
    STEP_WAIT,    /* to wait for resources, at once */
    STEP_ACQUIRE, /* open the session; complete when all enabled ports are populated */
    STEP_RELEASE, /* close the session; complete when all buffers are freed */
    STEP_START,   /* at once */
    STEP_STOP,    /* forget what is queued; complete when all buffers are back with the client */
};

extern const enum step TRANSITIONS[STATES][STATES]; /* from, to */

/* --- codecs.c: the tables ---------------------------------------------------------------------------------- */

struct level {
    uint32_t profile, level; /* OpenMAX IL's numbers; the level is the highest served */
    int32_t control;         /* the wire's `profile` for it; -1: there is none, it is only decoded */
};

struct codec {
    uint32_t codec; /* the wire's */
    const char *role;
    const char *mime;
    OMX_VIDEO_CODINGTYPE coding;
    const struct level *levels;  /* NULL: OpenMAX IL has no numbers for this codec */
    uint32_t level_count;
};

struct pixels {
    uint32_t pixel_format; /* the wire's */
    OMX_COLOR_FORMATTYPE color;
    uint32_t planes;
    uint32_t across, down; /* log2 of how much less chroma there is */
    uint32_t interleaved;  /* chroma samples in one plane */
};

const struct codec *codec_find(uint32_t codec);
const struct pixels *pixels_of_wire(uint32_t pixel_format);
/* The n-th that a capability has, or NULL. */
const struct pixels *pixels_of_capability(uint64_t pixel_formats, uint32_t n);
const struct pixels *pixels_of_color(uint64_t pixel_formats, OMX_COLOR_FORMATTYPE color);
/* The lowest AVC level for pictures of this size at this Q16 rate. */
uint32_t avc_level(uint32_t width, uint32_t height, uint32_t rate);

/* --- catalogue.c: what components there are ------------------------------------------------------------------ */

struct entry {
    char name[OMX_MAX_STRINGNAME_SIZE];
    char role[OMX_MAX_STRINGNAME_SIZE];
    const struct codec *codec;
    uint32_t device;
    struct paracore_video_capability_query_reply capability;
};

/* The n-th component of the devices there are now. False beyond the last. */
bool catalogue_entry(struct shim_link *link, uint32_t n, struct entry *entry);
bool catalogue_find(struct shim_link *link, const char *name, struct entry *entry);

/* --- a component --------------------------------------------------------------------------------------------- */

struct component;

struct slot {
    TAILQ_ENTRY(slot) entry;
    struct shim_piece memory;
    struct buffer *buffer; /* whose it is; NULL: the component's own */
    uint32_t cookie; /* of the loan, or of the last */
    uint32_t port;
    bool lent;    /* the device has it */
    bool filled;  /* a picture in it waits to be given out */
    bool doomed;  /* to be destroyed as soon as the device lets go of it */
    bool untried; /* it may have let go of it since it was asked last */
};
TAILQ_HEAD(slots, slot);

/* A callback that is to be made. */
struct notice {
    TAILQ_ENTRY(notice) entry;
    struct buffer *buffer; /* EmptyBufferDone or FillBufferDone; NULL: an event */
    OMX_EVENTTYPE event;
    OMX_U32 data1, data2;
    OMX_PTR data;
    bool queued;
};
TAILQ_HEAD(notices, notice);

struct buffer {
    OMX_BUFFERHEADERTYPE header; /* the first, for this is the pointer that the client has */
    TAILQ_ENTRY(buffer) entry;   /* of the port's */
    TAILQ_ENTRY(buffer) queued;  /* of those that the component has */
    struct notice notice;        /* each is given back once, so one is enough */
    struct slot *slot;
    uint32_t port;
    bool here;  /* with the component */
    bool key;   /* its picture was asked to be a key frame, and has not been coded */
    bool spent; /* the device has read it, and the packet of it has not gone out */
};
TAILQ_HEAD(buffers, buffer);

struct port {
    OMX_PARAM_PORTDEFINITIONTYPE definition;
    struct buffers buffers; /* all of it */
    struct buffers queue;   /* those with the component, in order */
    uint32_t count;
    bool enabling, disabling; /* a command is under way */
    OMX_MARKTYPE mark;        /* for the next buffer; without a target when there is none */
};

struct command {
    TAILQ_ENTRY(command) entry;
    OMX_COMMANDTYPE command;
    OMX_U32 parameter;
    OMX_MARKTYPE mark;
};
TAILQ_HEAD(commands, command);

/* What the device has said and has not been looked at. */
enum event_kind { EVENT_INPUT_DONE, EVENT_OUTPUT_READY, EVENT_SOURCE_CHANGE, EVENT_DRAINED, EVENT_FAILED };

struct event {
    TAILQ_ENTRY(event) entry;
    enum event_kind kind;
    union {
        struct paracore_video_input_done done;
        struct paracore_video_output_ready ready;
        struct paracore_video_source_change change;
        int error;
    };
};
TAILQ_HEAD(events, event);

/* What is to be given out: a picture or packet in a slot, octets, or only the end of the stream. */
struct picture {
    TAILQ_ENTRY(picture) entry;
    struct slot *slot;
    uint8_t *octets;
    uint32_t length, given; /* of a packet or octets: how many there are, and have been given out */
    struct paracore_video_output_ready ready;
    OMX_U32 flags;
    bool last; /* of a drain or a generation: it may have to carry the end of the stream */
};
TAILQ_HEAD(pictures, picture);

/* What the output buffer takes over from the input that it comes of. */
struct trace {
    TAILQ_ENTRY(trace) entry;
    int64_t timestamp;
    OMX_U32 flags;
    OMX_MARKTYPE mark;
};
TAILQ_HEAD(traces, trace);

enum flush { FLUSH_NONE, FLUSH_WANTED, FLUSH_SETTLING };

/* What an encoder is to do; see parameters.c. */
struct settings {
    OMX_VIDEO_CONTROLRATETYPE rate_control;
    uint32_t bitrate, quantizer;
    uint32_t p_frames, b_frames, idr_period;
    uint32_t profile, level; /* 0: the device's choice */
};

struct component {
    OMX_COMPONENTTYPE type; /* the first, for this is the client's handle */
    struct entry entry;
    bool decodes;
    struct shim_link *link;
    OMX_CALLBACKTYPE callbacks;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of the monotonic clock */

    /* Guarded by the lock. */
    bool ending;
    uint64_t wakes; /* counts what may have given the thread something to do */
    OMX_STATETYPE state, target;
    enum step step;    /* towards the target; STEP_SAME: none is under way */
    bool acquired;     /* within STEP_ACQUIRE: the session is there */
    bool stopped;      /* within STEP_STOP and STEP_RELEASE: the device is at rest */
    uint64_t retry_at; /* when to ask for resources again */
    struct commands commands;
    struct notices notices;
    struct events events;
    uint32_t event_count;
    struct port ports[PORTS];
    uint32_t flushing; /* bit n: a flush of port n is under way */
    struct slots slots;
    struct slots spares; /* granted together with others, for buffers that are to come */
    uint32_t next_cookie;
    struct settings settings;

    /* The stream. */
    struct shim_session *session;
    bool begun;      /* it has been given something since it was opened */
    bool fed;        /* it has been given something since it was opened or came to rest */
    bool fed_after;  /* and that also after it was told to drain */
    bool changed_settings; /* an encoder: the device does not know the format or the settings */
    bool draining;   /* the device was told to */
    bool reopening;  /* an encoder's settings have changed: after the drain the session is made anew */
    bool recall;     /* the device is to give back outputs that are to be replaced */
    bool force_key;
    bool rate_changed;
    enum flush flush;
    struct pictures pictures;
    struct traces traces;
    uint8_t *gathered; /* a decoder's access unit that comes in several buffers */
    uint32_t gathered_length;
    OMX_BUFFERHEADERTYPE gathered_head; /* of its first piece */
    struct paracore_picture_format formats[GENERATIONS]; /* of generation n at n modulo GENERATIONS */
    /* Generations: the device's newest; the one the client was told of, enables the port for, and has. */
    uint32_t newest, announced, offered, agreed;
    uint32_t ended;                     /* of this one there are no more pictures */
    struct paracore_picture_format format; /* of the agreed generation; an encoder's input */
    uint64_t required;                  /* octets that an output slot must have */
    uint8_t *parameter_sets; /* of an encoder's stream; NULL: none, or not known */
    uint32_t parameter_sets_length;
    bool parameter_sets_told;
    struct statistics_of_paracore statistics;
};

/* The component of a handle. */
static inline struct component *component_of(OMX_HANDLETYPE handle)
{
    return (struct component *)handle;
}

/* --- component.c --------------------------------------------------------------------------------------------- */

OMX_ERRORTYPE component_make(struct shim_link *link, const struct entry *entry, struct component **component);
void component_free(struct component *component);
bool component_is_thread(const struct component *component);

/* --- commands.c; all with the lock held --------------------------------------------------------------------- */

OMX_ERRORTYPE command_send(struct component *component, OMX_COMMANDTYPE command, OMX_U32 parameter,
                           const OMX_MARKTYPE *mark);
/* Begins those that can. */
void commands_run(struct component *component);
/* One step of what is under way. True when there was one. May let go of the lock meanwhile. */
bool commands_advance(struct component *component);
void commands_forget(struct component *component);

/* --- steps.c: from state to state; all with the lock held ------------------------------------------------------ */

void step_begin(struct component *component, OMX_STATETYPE target);
/* As commands_advance(). */
bool step_advance(struct component *component);
/* Whether this is how a client that cannot populate its ports gives up the way to OMX_StateIdle. */
bool step_gives_up(const struct component *component, OMX_STATETYPE target);

/* --- work.c ----------------------------------------------------------------------------------------------------- */

/* The thread. */
void *component_run(void *component);
/* All with the lock held. */
void wake(struct component *component);
void tell(struct component *component, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2, OMX_PTR data);
void tell_complete(struct component *component, OMX_COMMANDTYPE command, OMX_U32 data);
void tell_error(struct component *component, OMX_ERRORTYPE error);
/* Gives a buffer back to the client. */
void give_back(struct component *component, struct buffer *buffer);
void give_back_all(struct component *component, uint32_t port);
/* The session is over, or the component cannot go on: OMX_StateInvalid. */
void component_fail(struct component *component, OMX_ERRORTYPE error);
void events_forget(struct component *component);
uint64_t now_ns(void);

/* --- buffers.c: the client's headers --------------------------------------------------------------------------- */

OMX_ERRORTYPE buffer_use(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                         OMX_U32 size, OMX_U8 *memory);
OMX_ERRORTYPE buffer_allocate(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                              OMX_U32 size);
OMX_ERRORTYPE buffer_free(OMX_HANDLETYPE handle, OMX_U32 port, OMX_BUFFERHEADERTYPE *header);
OMX_ERRORTYPE buffer_empty(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE *header);
OMX_ERRORTYPE buffer_fill(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE *header);
/* Whether its memory is the client's, so that each use of it costs a copy. */
bool buffer_is_foreign(const struct buffer *buffer);
/* The lock is held. */
void buffers_forget(struct component *component);

/* --- slots.c: granted memory -------------------------------------------------------------------------------------- */

enum { SLOTS_AT_ONCE = 64 }; /* of one grant */

/* Grants; without the lock. Up to `count`, and at least one, unless it returns an error of paracore_buffer_create(). */
int slots_make(struct component *component, uint32_t port, uint64_t length, uint32_t count, struct slots *made);
int slot_make(struct component *component, uint32_t port, uint64_t length, struct slot **slot);
/* All with the lock held; slots_sweep lets go of it. */
void slot_add(struct component *component, struct slot *slot);
/* One that was granted ahead of its buffer, or NULL; and the end of those that no buffer came for. */
struct slot *spare_take(struct component *component, uint32_t port, uint64_t length);
void spares_doom(struct component *component);
void slot_doom(struct slot *slot);
/* Destroys one that the device has let go of. True when there was one. */
bool slots_sweep(struct component *component);
/* The device may have let go of some. */
void slots_retry(struct component *component);
/* All of them, at the end. */
void slots_destroy(struct component *component);
/* The device gets it. Returns what it calls it: no other loan was ever called so, so that what is said of one that is over
 * is known for what it is. */
uint32_t slot_lend(struct component *component, struct slot *slot);
struct slot *slot_find(struct component *component, uint32_t port, uint32_t cookie);
/* Slots of the component's own that the device has, or that hold what is to be given out. */
uint32_t slots_own(struct component *component);

/* --- controls.c: an encoder's settings in the wire's words ------------------------------------------------------- */

enum { CONTROLS_MAX = 6 };

struct controls {
    bool low_delay; /* for the opening */
    uint32_t count;
    struct {
        uint32_t control;
        int64_t value;
    } list[CONTROLS_MAX];
};

/* Those that the device has. */
void controls_list(const struct component *component, struct controls *controls);
void controls_defaults(struct settings *settings);

/* --- session.c: the device; with the lock held, and letting go of it meanwhile, but for those that say otherwise - */

/* Opens it, if it is not open, and tells an encoder what to do. Errors as paracore_call(). */
int session_open(struct component *component);
void session_close(struct component *component);
/* Forgets all input and output that is under way. */
void session_flush(struct component *component);
bool session_drain(struct component *component);
/* Has the device give back the outputs that it has no use for yet. */
void session_recall(struct component *component);
/* False when the session has failed. */
bool session_post(struct component *component, uint16_t opcode, const void *request, size_t size);
/* Tells a running encoder its new bit rate. */
void session_set_bitrate(struct component *component);
/* Opens one apart from the stream and sets it up as an encoder. Without the lock. */
int session_try(struct component *component, const struct shim_listener *listener, void *owner,
                const struct controls *controls, struct paracore_picture_format *format, struct shim_session **session);
/* Asks the device how it wants pictures of this format to lie, and fills that in. Without the lock. */
int session_layout(struct component *component, struct paracore_picture_format *format);
/* The client's error for one of libparacore's. Pure. */
OMX_ERRORTYPE session_error(int error);

/* --- headers.c: an encoder's parameter sets ---------------------------------------------------------------------- */

/* Has the device code one picture apart from the stream. Without the lock. Returns what to free, or NULL. */
uint8_t *headers_probe(struct component *component, const struct controls *controls,
                       const struct paracore_picture_format *format, uint32_t *length);

/* --- input.c, pictures.c, output.c: the stream; all with the lock held, all true when something was done --------- */

bool input_feed(struct component *component);
void input_done(struct component *component, const struct paracore_video_input_done *done);
void input_forget(struct component *component); /* what was gathered */
/* The packet of the picture of this time has been given out. */
void input_coded(struct component *component, int64_t timestamp);
/* Gives spent pictures back when the device has nothing but them. True when there were any. */
bool input_release(struct component *component);

bool output_give(struct component *component);
bool output_lend(struct component *component);
bool output_announce(struct component *component);
bool output_bridge(struct component *component);
void output_ready(struct component *component, const struct paracore_video_output_ready *ready);
void output_change(struct component *component, const struct paracore_video_source_change *change);
void output_drained(struct component *component);
void output_agree(struct component *component); /* the client has enabled the port */
void output_forget(struct component *component);
void output_restart(struct component *component); /* a session begins */
void output_octets(struct component *component, const uint8_t *octets, uint32_t length, OMX_U32 flags);
void picture_drop(struct component *component, struct picture *picture);
/* Whether a slot of the component's own is still of use. */
bool output_wants_own(const struct component *component);

/* --- traces.c: what goes from an input to its output ------------------------------------------------------------- */

void trace_input(struct component *component, struct buffer *buffer);
void trace_output(struct component *component, OMX_BUFFERHEADERTYPE *header, bool end);
void traces_forget(struct component *component);

/* --- units.c: what is in an access unit; pure -------------------------------------------------------------------- */

/* Whether there are parameter sets in it and no picture. */
bool unit_is_config(uint32_t codec, const uint8_t *octets, size_t length);
/* Whether a codec has parameter sets that can be told from the rest; and they. Returns what to free, or NULL. */
bool unit_has_sets(uint32_t codec);
uint8_t *unit_sets(uint32_t codec, const uint8_t *octets, size_t length, uint32_t *found);

/* --- layout.c: how pictures lie; pure ---------------------------------------------------------------------------- */

/* How OpenMAX IL has it: chroma behind nStride * nSliceHeight octets. */
struct layout {
    uint32_t stride, rows, size;
};

/* As near as can be to how the device has it. */
struct layout layout_of(const struct paracore_picture_format *format);
/* Whether the device's own layout is one that OpenMAX IL can describe. */
bool layout_is_direct(const struct paracore_picture_format *format);
/* Whether planes of this format lie within its size; the backend is not trusted. */
bool layout_is_sound(const struct paracore_picture_format *format);
/* Between the device's layout and OpenMAX IL's. */
void layout_pack(const struct paracore_picture_format *format, const uint8_t *from, uint8_t *to);
void layout_unpack(const struct paracore_picture_format *format, const uint8_t *from, uint8_t *to);

/* --- ports.c: definitions ---------------------------------------------------------------------------------------- */

void ports_init(struct component *component);
/* The definition that follows from a format. */
void port_describe(struct component *component, struct port *port, const struct paracore_picture_format *format);
/* Whether a picture of this format is what the client expects. */
bool port_describes(const struct component *component, const struct paracore_picture_format *format);
bool port_populated(const struct component *component, uint32_t port);
/* Buffers may come and go on it: the client is to populate or to empty it. */
bool port_is_filling(const struct component *component, uint32_t port);
bool port_is_emptying(const struct component *component, uint32_t port);
/* Buffers may be worked on. */
bool port_runs(const struct component *component, uint32_t port);
/* What the client says of a decoder's stream. */
struct shim_stream port_stream(const struct component *component);
OMX_ERRORTYPE port_define(struct component *component, const OMX_PARAM_PORTDEFINITIONTYPE *wanted);

/* --- parameters.c, codings.c, and index_table.c, which codegen makes --------------------------------------------- */

enum reach {
    REACH_COMPONENT, /* the structure names no port */
    REACH_PORT,      /* any */
    REACH_INPUT,
    REACH_OUTPUT,
};

struct index {
    OMX_INDEXTYPE index;
    const char *name; /* of an extension; else NULL */
    size_t size;
    bool config;       /* by GetConfig and SetConfig */
    bool encoder_only;
    uint32_t codec;    /* the wire's, the only one that has it; 0: any */
    enum reach reach;
    OMX_ERRORTYPE (*get)(struct component *component, void *structure);
    OMX_ERRORTYPE (*set)(struct component *component, const void *structure);
};

extern const struct index INDEXES[];
extern const size_t INDEX_COUNT;

OMX_ERRORTYPE index_get(struct component *component, OMX_INDEXTYPE index, void *structure, bool config);
OMX_ERRORTYPE index_set(struct component *component, OMX_INDEXTYPE index, const void *structure, bool config);
OMX_ERRORTYPE index_of_name(const char *name, OMX_INDEXTYPE *index);
/* nSize and nVersion of any structure. */
OMX_ERRORTYPE structure_check(const void *structure, size_t size);

#endif
