/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the link: link.c makes and ends it, devices.c asks what there is, pump.c takes events, session.c makes calls, journal.c
 * knows what each session has with the backend, pages.c the pages, recovery.c goes on after a loss.
 *
 * Locks, in the order in which they may be taken: a session's, then the link's. Neither is held while a callback runs, nor
 * while a call is made that waits for a reply; but a session's is held while something is posted for it, and while the
 * arena that it is posted from is made or given back.
 */
#ifndef PARACORE_SHIMS_LINK_INTERNAL_H
#define PARACORE_SHIMS_LINK_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "history.h"
#include "link.h"

enum {
    GENERATIONS = 4,    /* formats remembered: pictures of an old one may follow those of a new one, but not of many */
    CONTROLS_MAX = 64,  /* remembered of a session: more than there are */
    FRUITLESS_MAX = 3,  /* recoveries in a row that brought nothing: what kills each worker is not given to ever more */
    REPLAY_DEPTH = 16,  /* units given again that are with the device: enough for each codec thread */
};

struct shim_pages {
    LIST_ENTRY(shim_pages) entry; /* of the link's; under its lock, as is what follows */
    struct shim_link *link;       /* a reference */
    struct paracore_buffer buffer;
    uint32_t flags;
    uint32_t name;           /* what the shims call it; the backend's number changes with the channel */
    uint8_t *address;        /* where the pieces are, for as long as there are any */
    uint64_t length, piece;  /* octets: of all, of one */
    bool moved;              /* the channel on which they were made has gone: `address` is ours to unmap */
    int fd;                  /* of the buffer; -1 unless pieces are stale */
    int error;               /* why they were not granted again, or 0 */
    uint32_t stale_count;
    uint32_t held;           /* times that something that may have to be given again lies there */
    uint32_t pieces;         /* that are not dropped; atomic */
    bool stale[];            /* what is at its address are still the pages of a channel that has gone */
};

/* An input that the device has, or should have, and the program has not. */
struct sent {
    TAILQ_ENTRY(sent) entry;
    struct paracore_video_queue_input request; /* the program's; `span` by the link's name */
    struct shim_pages *pages;                  /* an encoder's: held */
    int64_t number;                            /* in the order of sending: what it is called on the wire */
};
TAILQ_HEAD(sents, sent);

/* An output that the device has, or should have. */
struct loan {
    TAILQ_ENTRY(loan) entry;
    struct paracore_video_queue_output request; /* likewise */
    struct shim_pages *pages;                   /* held */
    bool posted;                                /* the present device has it */
};
TAILQ_HEAD(loans, loan);

/* What the program is told that no device says: of what none has any more. */
struct word {
    TAILQ_ENTRY(word) entry;
    bool input;
    struct paracore_video_input_done done;
    struct paracore_video_output_ready ready;
};
TAILQ_HEAD(words, word);

/* What the device is given units from again. */
struct arena {
    struct paracore_buffer buffer; /* no address: none */
    uint64_t used;                 /* octets given out since it was empty */
    uint32_t busy;                 /* units with the device */
    int64_t first;                 /* of them; since it was empty */
};

struct shim_session {
    LIST_ENTRY(shim_session) entry;
    struct shim_link *link;
    const struct shim_listener *listener;
    void *owner;
    bool busy;   /* a callback runs */
    bool failed; /* its owner has been told, or is being told */
    bool stirred; /* ... of something, and is to be told when there is no more; of the link's thread */

    struct paracore_video_open request;
    struct shim_stream stream;
    char device[PARACORE_NAME_MAX];
    pthread_mutex_t lock; /* guards what follows */
    uint32_t id;
    unsigned turn; /* of the channel that it is, or was, open on */
    struct paracore_channel *channel; /* on which it is open; NULL: posts are written down only */
    bool recovers;
    uint32_t fruitless;
    struct sents sent;
    struct loans loans;
    struct words words;
    uint32_t word_count; /* atomic, for a look without the lock; as is `unsettled` */
    int64_t last_number; /* an encoder's inputs */

    /* a decoder */
    struct history *history;
    struct arena arena;
    int64_t replayed; /* units before this one, the present device was given from the arena */
    uint64_t wanted;  /* octets of a picture of the device's format */
    bool unsettled;   /* the device is not where its predecessor was */
    bool flushing;
    bool recall_due;  /* the channel died of the call: its outputs go back to the program when the session is lost */
    struct paracore_picture_format formats[GENERATIONS]; /* that the program was told of, by generation */
    uint32_t told;               /* the newest of them */
    uint32_t view;               /* the one that the device is at; 0 before its first */
    uint32_t heard;              /* the device's newest generation */
    uint32_t views[GENERATIONS]; /* by the device's generation */
    uint32_t ended;              /* of this one and those before it the program has been told the end */

    /* an encoder */
    int64_t newest; /* time of the newest unit that came; INT64_MIN: none */
    int64_t awaited; /* pictures that were given of which no unit has come; fewer than none while units overtake */
    uint32_t lost;   /* of those that went with a device, how many the program has yet to be told of */
    bool key_due;
    bool has_format;
    struct paracore_picture_format wish, format;

    bool draining;
    uint32_t controls_before; /* controls that were set before the format was */
    uint32_t control_count;
    struct paracore_video_control_set controls[CONTROLS_MAX];
};

struct shim_link {
    unsigned age;        /* of which process, counted by forks; see shim_link_is_ours() */
    unsigned references; /* under the process's lock */
    bool recovers;
    uint32_t device_count;
    struct shim_device devices[SHIM_DEVICES_MAX];

    pthread_mutex_t lock; /* guards what follows, and the list of sessions */
    pthread_cond_t idle;  /* something of this has changed */
    struct paracore_channel *channel; /* changes while nobody uses it; its thread may look at it at any time */
    unsigned users;
    unsigned turn;        /* counts channels */
    bool lost;            /* the channel is dead, and another is looked for */
    int dead;             /* atomic; 0, or the negative error that the last channel died of */
    bool pumping;         /* its thread has been started */
    pthread_t pump;
    bool unsettled;       /* some session is, or has a word to say; of its thread */
    bool stirred;         /* some session is; of its thread */
    uint64_t delivered;   /* events of this channel */
    uint32_t last_name;
    LIST_HEAD(, shim_pages) pages;
    LIST_HEAD(, shim_session) sessions;
};

/* --- link.c --- */

/* A channel that stays while it is used. */
struct use {
    struct paracore_channel *channel;
    unsigned turn;
};

/* Waits while another channel is looked for. Returns 0, what the link died of, or -ETIMEDOUT. */
int use_begin(struct shim_link *link, struct use *use);
void use_end(struct shim_link *link);
/* The channel that was used is dead. Waits until there is another; false when there will be none, and on the link's own
 * thread, which is to find one. */
bool use_again(struct shim_link *link, const struct use *use);
/* Whether anybody holds it but the process and its thread. */
bool link_is_wanted(struct shim_link *link);
/* Opens a channel within that time. Returns 0 or a negative error. */
int link_dial(struct paracore_channel **channel, uint64_t connect_ns);

/* --- wish.c --- */

/* Whether sessions go on when their worker dies, as `on_loss` in Python: true unless it is "fail". */
bool wish_recovers(void);
/* Pictures in a thousand seconds at which decoders' pictures are shown, as `rate` in Python; 0: nobody said. It
 * goes before what the program says, as far as its API has a word for it. */
int64_t wish_rate(void);

/* --- devices.c --- */

/* Fills in the devices. Returns 0 or a negative error. */
int devices_query(struct shim_link *link);
/* Whether the device of this number has that name on that channel. Returns 0, -ENODEV, or the error of the question. */
int device_check(struct paracore_channel *channel, uint32_t index, const char *name);

/* --- pages.c --- */

/* By the link's name, held: they live on, whatever becomes of the pieces. NULL when there are none. */
struct shim_pages *pages_hold(struct shim_link *link, uint32_t name);
void pages_release(struct shim_pages *pages);
/* Where a span lies; NULL when it is not within. */
const uint8_t *pages_at(const struct shim_pages *pages, const struct paracore_span *span);
/* Makes the span one for the present channel; `keep`: what is written there stays. Returns 0 or a negative error. */
int pages_lend(struct shim_pages *pages, struct paracore_span *span, bool keep);
/* The channel is lost, and soon closed: the pages are the process's own. */
void pages_leave(struct shim_pages *pages, struct paracore_channel *lost);
void pages_grant_again(struct shim_pages *pages, struct paracore_channel *channel);

/* --- pump.c --- */

/* Starts the link's thread unless it runs: from now on a channel that is lost is followed by another. Returns 0 or a
 * negative error. */
int pump_start(struct shim_link *link);
/* Owners of sessions that no device goes on with are told, if they have not been. No lock is held. */
void pump_fail_given_up(struct shim_link *link);

/* --- session.c --- */

/* On the channel that the session is open on; its lock is held. Seen by the backend with the next call or shim_session_publish(),
 * or when the link's thread goes to sleep. A channel that is lost takes it,
 * too: what is due is posted on the next. Returns 0 or a negative error. */
int wire_post(struct shim_session *session, uint16_t opcode, const void *request, size_t size);

/* --- journal.c --- */

/* Prepares a session's journal. Returns 0 or -ENOMEM. */
int journal_open(struct shim_session *session);
/* The session is closed, or will not be opened. */
void journal_close(struct shim_session *session);
/* One post of the program's. Returns 0 or a negative error. */
int journal_post(struct shim_session *session, uint16_t opcode, const void *request, size_t size);
/* Before and after a call that the backend has answered so. */
void journal_before_call(struct shim_session *session, uint16_t opcode);
void journal_after_call(struct shim_session *session, uint16_t opcode, const void *request, const void *reply,
                        int error);
/* An event: returns 1 when the program is to be told, with its numbers in it; 0 when not; or a negative error, of which
 * the session dies. */
int journal_event(struct shim_session *session, struct paracore_event *event);
/* Units of an encoder that are missing before the one that the program is about to be told of; once. */
uint32_t journal_take_lost(struct shim_session *session);

/* --- replay.c: the session's lock is held --- */

int post_sent(struct shim_session *session, const struct sent *sent);
int post_loan(struct shim_session *session, struct loan *loan);
/* What the present device lacks, as far as it can be given now. Returns 0 or a negative error. */
int replay(struct shim_session *session);
/* The device is lost. Returns false when no other can go on. */
bool replay_lose(struct shim_session *session);
/* Another one is there: what it is to be given first. Returns 0 or a negative error. */
int replay_begin(struct shim_session *session);
/* Outputs that no device has are the program's again. */
void replay_recalled(struct shim_session *session);
/* What the arena had of the device's input is free again. */
void replay_done(struct shim_session *session, int64_t number);
/* The session is not open on that channel any more: all of the arena is free. */
void replay_end(struct shim_session *session, struct paracore_channel *channel);
/* A decoder's outputs that the device may have by now. Returns 0 or a negative error. */
int replay_loans(struct shim_session *session);
/* The program is told that something is its own again. */
void say_input(struct shim_session *session, const struct sent *sent, uint32_t error);
void say_output(struct shim_session *session, const struct loan *loan);
void sent_drop(struct shim_session *session, struct sent *sent);
void loan_drop(struct shim_session *session, struct loan *loan);

/* --- recovery.c --- */

/* Opens the channel after one that was lost, as soon as there is one to be had. Returns 0 or a negative error. */
int link_dial_again(struct paracore_channel **channel);
/* The link's channel has ended with this. Returns true when there is another, with all that lives on. On the link's
 * thread. */
bool link_recover(struct shim_link *link, int error);

#endif
