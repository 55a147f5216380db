/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of one session share.
 *
 * Three kinds of threads meet here: the worker's (the functions of codec.h), the session's own (it alone
 * runs the codec: the functions of struct role and struct engine), and the codec's (they take and release
 * spans). One lock guards all that they share; one condition tells of any change. Neither is held
 * while the codec runs, and references to pictures are dropped without the lock, for their release takes it.
 *
 * Nothing is allocated to tell of a completion: a loan brings its slip, which carries the word back, and
 * the session keeps one slip each for a source change, a drain and a failure. So the memory of a
 * session is bounded by what the domain has queued, and a completion cannot get lost.
 */
#ifndef PARACORE_LIBAV_SESSION_H
#define PARACORE_LIBAV_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "codec.h"

#define SPAN_ALIGNMENT 64u /* of a span's address: what the widest vector instructions ask for */
#define THREADS_MAX 64     /* bounds the threads and picture memory that one control can ask for */
#define CONTROLS (PARACORE_CONTROL_PROFILE + 1)
#define BIT(n) (UINT64_C(1) << (n))

/* A loan of the domain's memory, and later the word that it is over. */
struct slip {
    TAILQ_ENTRY(slip) link;
    struct paracore_codec *codec;
    struct paracore_completion done;
    void *address;
    size_t length;
    int64_t timestamp, duration;
    uint32_t flags;
};
TAILQ_HEAD(slips, slip);

/*
 * Output memory that is lent (it has a slip), held by the codec, or both: a picture given back goes on
 * being held as a reference, and may be lent anew meanwhile. Neither: it is forgotten.
 */
struct span {
    TAILQ_ENTRY(span) link;
    struct paracore_codec *codec;
    uint8_t *address;
    size_t length;
    struct slip *slip;
    bool held;  /* the codec reads or writes it */
    bool shown; /* while held: its picture has been given out */
    bool warm;  /* its pages are there, or are being touched */
    struct paracore_picture_format format; /* while held: the layout of its picture */
};

TAILQ_HEAD(spans, span);

/* What a direction does, on the session's thread. */
struct role {
    int (*open)(struct paracore_codec *codec); /* on the worker's thread */
    void (*unit)(struct paracore_codec *codec, struct slip *slip);
    void (*drain)(struct paracore_codec *codec);
    void (*flush)(struct paracore_codec *codec);
    void (*close)(struct paracore_codec *codec); /* also after a failed open */
};
extern const struct role paracore_decoder, paracore_encoder;

/* Where a session stands with the device's time. */
enum gate_state { GATE_RESTS, GATE_WAITS, GATE_RUNS };

struct gate_pass {
    TAILQ_ENTRY(gate_pass) link;
    struct paracore_codec *codec;
    enum gate_state wish; /* of the session's thread */
    unsigned blocked;     /* threads of the codec that wait for the domain: while there are any, the session rests */
    enum gate_state state; /* that follows, as the gate has counted it */
    uint64_t waits_since;  /* while it wishes to pass, and may not */
};

/* What a trace tells of a unit. */
struct mark {
    uint32_t cookie;
    int64_t timestamp;
    uint64_t drains; /* 1: it is none, but what a drain still has to give */
};

/* What the session's thread is at. */
struct job {
    uint64_t since;   /* of the monotonic clock, later by what it waited; 0: it is at none */
    uint64_t paused;  /* while anybody waits: since when */
    unsigned waiting; /* threads that wait for the domain, the codec's own among them */
    struct paracore_codec_times spent; /* so far */
    struct mark mark; /* of the unit */
};

struct paracore_codec {
    const struct role *role;
    void *state; /* the role's own */
    struct paracore_codec_options options;
    int64_t control[CONTROLS];
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Guarded by the lock. */
    struct slips inputs, completions;
    struct spans spans; /* those that became usable last stand last */
    struct slip *change, *drained, *failed; /* NULL while under way */
    bool started;                           /* the first input has been queued */
    bool over;                              /* it has failed */
    bool flushing, closing;
    bool in_unit; /* the session's thread is at one unit, and tells of what comes of it when it is done */
    bool untold;  /* completions wait that the worker was not told of */
    uint32_t queued;     /* inputs that wait */
    uint32_t given_back; /* inputs that the worker was not told of */
    bool has_shown; /* an output was given back since the last opening, flush or source change */
    uint64_t told_at; /* when it was told last, of the monotonic clock */
    uint64_t told_work; /* the same of the processor time of this process */
    struct paracore_picture_format told; /* the newest format that the domain was told of */
    uint32_t generation;                 /* of it; 0: none yet */
    struct paracore_picture_format shown; /* of the pictures now coming out */
    uint32_t shown_generation;
    bool unmarked; /* pictures came out since the last one marked with LAST */
    uint32_t cold; /* spans whose pages are still to be touched */
    bool warming;  /* the thread that does it is at work */
    bool warmer_made;
    pthread_t warmer; /* if made */
    struct gate_pass pass;
    struct job job;
    uint32_t channel, number; /* by which traces know the session */
};

/* --- session.c -------------------------------------------------------------------------------- */

/* Starts the session's thread. -ENOMEM. */
int paracore_start(struct paracore_codec *codec);
/* A thread that no signal interrupts. -ENOMEM. */
int paracore_thread(pthread_t *thread, void *(*run)(void *), void *argument);

/* The wire's word for an AVERROR. */
uint32_t paracore_error(int averror);
/* Something to do, for the session's thread. Needs the lock. */
void paracore_queue(struct paracore_codec *codec, struct slip *slip);
/* An input is the domain's again. Takes the lock, as does the next; the others need it. */
void paracore_done(struct slip *slip, uint32_t error);
/* A flush or a close wants the codec to come to rest: nothing may wait any longer. */
bool paracore_stopping(struct paracore_codec *codec);
bool paracore_stopped(const struct paracore_codec *codec);
void paracore_wait(struct paracore_codec *codec);
void paracore_push(struct paracore_codec *codec, struct slip *slip); /* whose completion is filled in */
void paracore_fail(struct paracore_codec *codec, uint32_t error);
/* A source change. Needs `change` to be there; counts a new generation. */
void paracore_tell(struct paracore_codec *codec, const struct paracore_picture_format *format, uint32_t changes);

/* --- gate.c; enter and leave are for the worker's thread, the others need the lock ------------------- */

void paracore_gate_enter(struct paracore_codec *codec);
void paracore_gate_leave(struct paracore_codec *codec);
/* Whether the next unit may begin now; else the session is woken when it may be so. */
bool paracore_gate_pass(struct paracore_codec *codec);
/* There is nothing to do. */
void paracore_gate_rest(struct paracore_codec *codec);
/* As paracore_wait, in the midst of a unit, for what the domain is to give: meanwhile others may have the device. */
void paracore_gate_wait(struct paracore_codec *codec);

/* --- job.c; all need the lock --------------------------------------------------------------------------- */

void paracore_job_begin(struct paracore_codec *codec, const struct slip *slip);
void paracore_job_end(struct paracore_codec *codec);
void paracore_job_advance(struct paracore_codec *codec, const struct slip *slip); /* an output has come of it */
void paracore_job_pause(struct paracore_codec *codec);   /* a thread waits for the domain... */
void paracore_job_resume(struct paracore_codec *codec);  /* ...and does no more */
/* For whoever traces: an enum paracore_trace_event about an input, or a drain. */
void paracore_job_mark(const struct paracore_codec *codec, uint32_t event, const struct slip *slip);

/* --- spans.c; paracore_span_free takes the lock, the others need it ----------------------------- */

int paracore_span_lend(struct paracore_codec *codec, struct slip *slip);
/* Memory for a picture of this format, telling of it first if the domain must; NULL when told to stop. Waits. */
struct span *paracore_span_take(struct paracore_codec *codec, const struct paracore_picture_format *format);
/* The same at once, of any size, or NULL. */
struct span *paracore_span_any(struct paracore_codec *codec);
void paracore_span_release(struct span *span);
/* The free callback of an AVBuffer: the codec's last reference has gone. */
void paracore_span_free(void *span, uint8_t *data);
/* The held span that begins here, or NULL. */
struct span *paracore_span_find(struct paracore_codec *codec, const uint8_t *address);
void paracore_span_cancel(struct paracore_codec *codec, uint64_t size); /* those that are smaller */
void paracore_span_recall(struct paracore_codec *codec); /* all that no picture is in, or comes into */
/* Takes the oldest loan, or NULL. */
struct slip *paracore_span_collect(struct paracore_codec *codec);
/* Whether pictures of the layout told last are on their way behind those of the layout shown. */
bool paracore_span_behind(struct paracore_codec *codec);
bool paracore_span_holds(struct paracore_codec *codec, const void *address, size_t length);
void paracore_span_forget(struct paracore_codec *codec); /* all of them, at the end */

/* --- warm.c ----------------------------------------------------------------------------------------- */

/* Sees to it that `cold` of the spans get their pages. Needs the lock. */
void paracore_warm(struct paracore_codec *codec);
/* Waits for the end of that, which has come or must come soon: it does not wait for anything. */
void paracore_warm_end(struct paracore_codec *codec);

#endif
