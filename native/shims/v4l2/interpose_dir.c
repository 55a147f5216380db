/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings of directories in which our devices are: /dev, and of sysfs the class and the devices themselves.
 *
 * Theory of operation. The program gets a DIR of libc's. Those of such a directory are remembered here, with what is
 * to be told after libc's own entries have ended. A directory that the kernel does not have is any other one, of
 * which nothing is shown. A position that is negative is one among ours.
 */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "one layout, as on every 64-bit machine");

enum { ITEMS_MAX = NODE_KINDS * NODES_MAX, NAME_ROOM = 16 };

struct item {
    char name[NAME_ROOM];
    unsigned char type;
};

struct listing {
    struct listing *next;
    DIR *dir;
    bool alone;     /* the kernel has no such directory */
    bool exhausted; /* libc's entries have ended */
    int count, at;
    struct item items[ITEMS_MAX];
    struct dirent entry; /* what readdir() returned last */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list, not what is in it: that is the program's */
static struct listing *listings; /* atomic, for a quick look without the lock */

__attribute__((constructor)) static void watch_forks(void);

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static struct listing *listing_find(DIR *dir)
{
    if (!__atomic_load_n(&listings, __ATOMIC_ACQUIRE))
        return NULL;
    pthread_mutex_lock(&lock);
    struct listing *listing = listings;
    while (listing && listing->dir != dir)
        listing = listing->next;
    pthread_mutex_unlock(&lock);
    return listing;
}

static struct listing *listing_take(DIR *dir)
{
    if (!__atomic_load_n(&listings, __ATOMIC_ACQUIRE))
        return NULL;
    pthread_mutex_lock(&lock);
    struct listing **place = &listings;
    while (*place && (*place)->dir != dir)
        place = &(*place)->next;
    struct listing *listing = *place;
    if (listing)
        __atomic_store_n(place, listing->next, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    return listing;
}

static void listing_enter(struct listing *listing, DIR *dir)
{
    listing->dir = dir;
    pthread_mutex_lock(&lock);
    listing->next = listings;
    __atomic_store_n(&listings, listing, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
}

/* --- which directories, and what is in them ---------------------------------------------------------- */

static void add(struct listing *listing, unsigned char type, const char *name)
{
    struct item *item = &listing->items[listing->count++];

    item->type = type;
    memcpy(item->name, name, strnlen(name, NAME_ROOM - 1));
}

static void add_nodes(struct listing *listing, enum node_kind kind, unsigned char type)
{
    struct node nodes[NODES_MAX];
    int count = nodes_list(nodes);
    char name[NAME_ROOM];

    for (int n = 0; n < count; n++) {
        snprintf(name, sizeof name, "%s%u", node_prefix(kind), node_number(&nodes[n], kind));
        add(listing, type, name);
    }
    nodes_put(nodes, count);
}

/* What is in a device's folder. */
static void add_inside(struct listing *listing, const struct place *place)
{
    char media[NAME_ROOM];

    for (unsigned n = 0; n < ATTRIBUTES_MAX; n++)
        if (sysfs_attribute(place->owner, n))
            add(listing, DT_REG, sysfs_attribute(place->owner, n));
    add(listing, DT_LNK, "subsystem");
    if (place->owner == OF_VIDEO)
        add(listing, DT_LNK, "device");
    snprintf(media, sizeof media, "media%u", place->node.media);
    if (place->owner == OF_CODEC)
        add(listing, DT_DIR, media);
}

bool listing_possible(const char *path)
{
    if (!path)
        return false;
    if (*path != '/')
        return true;
    path += strspn(path, "/") - 1;
    return strncmp(path, "/dev", 4) == 0 || place_possible(path) || strstr(path, "/..");
}

/* Ours in a directory that the kernel has. */
static void list_real(struct listing *listing, int directory, const char *path)
{
    if (place_is_class(path))
        add_nodes(listing, NODE_VIDEO, strncmp(path, "/sys/class/", 11) == 0 ? DT_LNK : DT_DIR);
    else if (is_same_directory(directory, path, "/dev"))
        for (enum node_kind kind = 0; kind < NODE_KINDS; kind++)
            add_nodes(listing, kind, DT_CHR);
}

/* Ours in a directory that is nowhere else. */
static void list_alone(struct listing *listing, const char *path)
{
    struct place place;

    if (!place_possible(path) || !place_find(AT_FDCWD, path, &place))
        return;
    listing->alone = true;
    if (place.kind == PLACE_CLASS)
        list_real(listing, AT_FDCWD, path);
    else if (place.kind == PLACE_SUBSYSTEM && place.owner == OF_VIDEO)
        add_nodes(listing, NODE_VIDEO, DT_LNK);
    else if (place.kind == PLACE_DEVICE || place.kind == PLACE_LINK || place.kind == PLACE_PARENT)
        add_inside(listing, &place);
    place_put(&place);
}

/* --- opening and closing ----------------------------------------------------------------------------- */

/* The program's DIR becomes one with our entries, if any belong there. */
static DIR *open_listed(const char *path)
{
    struct listing *listing = calloc(1, sizeof *listing);
    DIR *dir = REAL(opendir)(path);
    int error = errno;

    if (listing && dir)
        list_real(listing, AT_FDCWD, path);
    else if (listing && error == ENOENT)
        list_alone(listing, path);
    if (listing && listing->alone && listing->count)
        dir = REAL(opendir)("/");
    if (dir && listing && listing->count)
        listing_enter(listing, dir);
    else
        free(listing);
    errno = error;
    return dir;
}

INTERPOSED DIR *opendir(const char *path)
{
    struct visit visit;

    if (visiting || !listing_possible(path))
        return REAL(opendir)(path);
    visit_begin(&visit);
    DIR *dir = open_listed(path);
    if (!dir)
        visit.error = errno;
    visit_end(&visit);
    return dir;
}

INTERPOSED DIR *fdopendir(int fd)
{
    struct visit visit;
    DIR *dir = REAL(fdopendir)(fd);

    if (!dir || visiting)
        return dir;
    visit_begin(&visit);
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing)
        list_real(listing, fd, ".");
    if (listing && listing->count)
        listing_enter(listing, dir);
    else
        free(listing);
    visit_end(&visit);
    return dir;
}

INTERPOSED int closedir(DIR *dir)
{
    free(listing_take(dir));
    return REAL(closedir)(dir);
}

/* --- reading ----------------------------------------------------------------------------------------- */

/* The next of libc's. NULL at their end, or with errno set. */
static struct dirent *read_theirs(struct listing *listing)
{
    int before = errno;

    if (listing->exhausted || listing->alone) {
        listing->exhausted = true;
        return NULL;
    }
    errno = 0;
    struct dirent *entry = REAL(readdir)(listing->dir);
    if (!entry && errno)
        return NULL;
    errno = before;
    listing->exhausted = !entry;
    return entry;
}

static struct dirent *read_ours(struct listing *listing)
{
    struct dirent *entry = &listing->entry;

    if (!listing->exhausted || listing->at == listing->count)
        return NULL;
    const struct item *item = &listing->items[listing->at++];
    *entry = (struct dirent){.d_ino = 0x70630000U + (unsigned)listing->at, .d_off = -1 - listing->at};
    entry->d_reclen = sizeof *entry;
    entry->d_type = item->type;
    memcpy(entry->d_name, item->name, sizeof item->name);
    return entry;
}

static struct dirent *read_next(struct listing *listing)
{
    struct dirent *entry = read_theirs(listing);

    return entry ? entry : read_ours(listing);
}

INTERPOSED struct dirent *readdir(DIR *dir)
{
    struct listing *listing = listing_find(dir);

    return listing ? read_next(listing) : REAL(readdir)(dir);
}

INTERPOSED struct dirent64 *readdir64(DIR *dir)
{
    struct listing *listing = listing_find(dir);

    return listing ? (struct dirent64 *)read_next(listing) : REAL(readdir64)(dir);
}

static int read_into(struct listing *listing, void *entry, void **result)
{
    int before = errno;
    struct dirent *found;

    errno = 0;
    found = read_next(listing);
    int error = found ? 0 : errno;
    if (found)
        memcpy(entry, found, found->d_reclen < sizeof *found ? found->d_reclen : sizeof *found);
    *result = found ? entry : NULL;
    errno = before;
    return error;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* by libc; programs have them */

INTERPOSED int readdir_r(DIR *dir, struct dirent *entry, struct dirent **result)
{
    struct listing *listing = listing_find(dir);

    return listing ? read_into(listing, entry, (void **)result) : REAL(readdir_r)(dir, entry, result);
}

INTERPOSED int readdir64_r(DIR *dir, struct dirent64 *entry, struct dirent64 **result)
{
    struct listing *listing = listing_find(dir);

    return listing ? read_into(listing, entry, (void **)result) : REAL(readdir64_r)(dir, entry, result);
}

#pragma GCC diagnostic pop

/* --- positions --------------------------------------------------------------------------------------- */

INTERPOSED void rewinddir(DIR *dir)
{
    struct listing *listing = listing_find(dir);

    REAL(rewinddir)(dir);
    if (!listing)
        return;
    listing->exhausted = false;
    listing->at = 0;
}

INTERPOSED long telldir(DIR *dir)
{
    struct listing *listing = listing_find(dir);

    return listing && listing->exhausted ? -1 - listing->at : REAL(telldir)(dir);
}

INTERPOSED void seekdir(DIR *dir, long position)
{
    struct listing *listing = listing_find(dir);

    if (!listing || position >= 0)
        REAL(seekdir)(dir, position);
    if (!listing)
        return;
    listing->exhausted = position < 0;
    listing->at = position < 0 ? (int)(-1 - position) : 0;
    if (listing->at < 0 || listing->at > listing->count)
        listing->at = listing->count;
}
