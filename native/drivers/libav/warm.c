/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for the first pictures, made to be there before the codec writes into it.
 *
 * A domain's pages come into being when they are touched first, one trap into the kernel for each: three to five
 * microseconds under a hypervisor, a seventh of the time that a 1080p picture takes. The codec's thread must
 * not pay for that while another processor is idle, so a short-lived thread touches the pages ahead of it: those the
 * codec has begun with, then those it takes next (spans.c: from the end of the list). No more than the codec said it
 * needs at least, for it goes on with pages that are warm and may never touch the others.
 */
#include "session.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14, the C library's header may be older */
#endif

#define WARM_MIN (256u << 10) /* bytes of a span; less is touched sooner than a thread is started */

static bool is_cold(const struct span *span)
{
    return !span->warm && span->length >= WARM_MIN && (span->held ? !span->shown : !!span->slip);
}

static struct span *next_cold(struct paracore_codec *codec)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->held && is_cold(span))
            return span;
    TAILQ_FOREACH_REVERSE(span, &codec->spans, spans, link)
        if (is_cold(span))
            break;
    return span;
}

/* The loan may end meanwhile, and the mapping with it. What lies there then is touched or is an error; its contents
 * stay in any case. False where pages cannot be had this way: an old kernel, or grants that were mapped whole. */
static bool touch(struct paracore_codec *codec, struct span *span)
{
    void *address = span->address;
    size_t length = span->length & ~(size_t)(PARACORE_PAGE_SIZE - 1);
    span->warm = true;
    pthread_mutex_unlock(&codec->lock);
    bool touched = madvise(address, length, MADV_POPULATE_WRITE) == 0;
    pthread_mutex_lock(&codec->lock);
    return touched;
}

static void *run(void *argument)
{
    struct paracore_codec *codec = argument;
    struct span *span;
    pthread_mutex_lock(&codec->lock);
    while (codec->cold && !paracore_stopped(codec) && (span = next_cold(codec)))
        codec->cold = touch(codec, span) ? codec->cold - 1 : 0;
    codec->warming = false;
    pthread_mutex_unlock(&codec->lock);
    return NULL;
}

void paracore_warm(struct paracore_codec *codec)
{
    if (!codec->cold || codec->warming || !next_cold(codec))
        return;
    paracore_warm_end(codec);
    codec->warmer_made = codec->warming = paracore_thread(&codec->warmer, run, codec) == 0;
}

void paracore_warm_end(struct paracore_codec *codec)
{
    if (codec->warmer_made)
        pthread_join(codec->warmer, NULL);
    codec->warmer_made = false;
}
