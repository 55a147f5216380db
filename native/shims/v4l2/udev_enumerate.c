/* SPDX-License-Identifier: Apache-2.0 */
/* Enumerations: libudev's own list, and after it those of our devices that match as libudev would have them match. */
#include "udev.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "interpose.h"

enum match { SUBSYSTEM, NO_SUBSYSTEM, ATTRIBUTE, NO_ATTRIBUTE, PROPERTY, SYSNAME, ELSEWHERE, MATCH_COUNT };

struct enumeration {
    LIST_ENTRY(enumeration) entry;
    const struct udev_enumerate *theirs; /* which it stands beside */
    unsigned references;
    struct entry *matches[MATCH_COUNT];
    struct entry *found; /* of ours, by the last scan */
    struct entry *all;   /* theirs and ours: what the program is given */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list; one enumeration is its program's thread's */
static LIST_HEAD(, enumeration) enumerations = LIST_HEAD_INITIALIZER(enumerations);

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

static struct enumeration *find_locked(const struct udev_enumerate *theirs)
{
    struct enumeration *enumeration;

    LIST_FOREACH(enumeration, &enumerations, entry)
        if (enumeration->theirs == theirs)
            break;
    return enumeration;
}

static struct enumeration *find(const struct udev_enumerate *theirs)
{
    pthread_mutex_lock(&lock);
    struct enumeration *enumeration = find_locked(theirs);
    pthread_mutex_unlock(&lock);
    return enumeration;
}

static void forget_results(struct enumeration *enumeration)
{
    entry_free(enumeration->found);
    entry_free(enumeration->all);
    enumeration->found = enumeration->all = NULL;
}

/* --- life --------------------------------------------------------------------------------------------- */

INTERPOSED struct udev_enumerate *udev_enumerate_new(struct udev *udev)
{
    struct udev_enumerate *theirs = LIBUDEV(udev_enumerate_new)(udev);
    struct enumeration *enumeration = theirs ? calloc(1, sizeof *enumeration) : NULL;

    if (!enumeration)
        return theirs;
    enumeration->theirs = theirs;
    enumeration->references = 1;
    pthread_mutex_lock(&lock);
    LIST_INSERT_HEAD(&enumerations, enumeration, entry);
    pthread_mutex_unlock(&lock);
    return theirs;
}

INTERPOSED struct udev_enumerate *udev_enumerate_ref(struct udev_enumerate *theirs)
{
    pthread_mutex_lock(&lock);
    struct enumeration *enumeration = find_locked(theirs);
    if (enumeration)
        enumeration->references++;
    pthread_mutex_unlock(&lock);
    return LIBUDEV(udev_enumerate_ref)(theirs);
}

INTERPOSED struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *theirs)
{
    pthread_mutex_lock(&lock);
    struct enumeration *enumeration = find_locked(theirs);
    if (enumeration && --enumeration->references == 0)
        LIST_REMOVE(enumeration, entry);
    else
        enumeration = NULL;
    pthread_mutex_unlock(&lock);
    if (enumeration) {
        forget_results(enumeration);
        for (int kind = 0; kind < MATCH_COUNT; kind++)
            entry_free(enumeration->matches[kind]);
        free(enumeration);
    }
    return LIBUDEV(udev_enumerate_unref)(theirs);
}

/* --- what is looked for ------------------------------------------------------------------------------- */

static int remember(const struct udev_enumerate *theirs, int said, enum match kind, const char *name, const char *value)
{
    struct enumeration *enumeration = find(theirs);

    if (enumeration && said >= 0 && name)
        entry_add(&enumeration->matches[kind], name, value);
    return said;
}

#define MATCH(name, kind)                                                                                          \
    INTERPOSED int name(struct udev_enumerate *theirs, const char *what)                                           \
    {                                                                                                              \
        return remember(theirs, LIBUDEV(name)(theirs, what), kind, what, NULL);                                    \
    }
#define MATCH_VALUE(name, kind)                                                                                    \
    INTERPOSED int name(struct udev_enumerate *theirs, const char *what, const char *value)                        \
    {                                                                                                              \
        return remember(theirs, LIBUDEV(name)(theirs, what, value), kind, what, value);                            \
    }

MATCH(udev_enumerate_add_match_subsystem, SUBSYSTEM)
MATCH(udev_enumerate_add_nomatch_subsystem, NO_SUBSYSTEM)
MATCH_VALUE(udev_enumerate_add_match_sysattr, ATTRIBUTE)
MATCH_VALUE(udev_enumerate_add_nomatch_sysattr, NO_ATTRIBUTE)
MATCH_VALUE(udev_enumerate_add_match_property, PROPERTY)
MATCH(udev_enumerate_add_match_sysname, SYSNAME)
MATCH(udev_enumerate_add_match_tag, ELSEWHERE) /* ours have no tag, and no parent */

INTERPOSED int udev_enumerate_add_match_parent(struct udev_enumerate *theirs, struct udev_device *parent)
{
    int said = LIBUDEV(udev_enumerate_add_match_parent)(theirs, parent);

    return remember(theirs, said, ELSEWHERE, "parent", NULL);
}

/* --- what is found ------------------------------------------------------------------------------------ */

static bool fits(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, 0) == 0;
}

static bool any_fits(const struct entry *patterns, const char *text)
{
    while (patterns && !fits(patterns->name, text))
        patterns = patterns->next;
    return patterns;
}

static bool fits_attribute(const struct entry *wanted, const struct description *device)
{
    const struct entry *attribute = entry_find(device->attributes, wanted->name);

    return attribute && (!wanted->value || fits(wanted->value, attribute->value));
}

static bool fits_property(const struct entry *wanted, const struct description *device)
{
    for (const struct entry *one = device->properties; one; one = one->next)
        if (fits(wanted->name, one->name) && fits(wanted->value ? wanted->value : "*", one->value))
            return true;
    return false;
}

static int count_fits(const struct entry *wanted, const struct description *device,
                      bool (*fit)(const struct entry *, const struct description *), int *count)
{
    int fitting = 0;

    for (*count = 0; wanted; wanted = wanted->next, ++*count)
        fitting += fit(wanted, device);
    return fitting;
}

/* sd-device's rules: any of the subsystems, names and properties, all of the attributes. */
static bool matches(const struct enumeration *enumeration, const struct description *device)
{
    struct entry *const *wanted = enumeration->matches;
    int count;

    if (wanted[ELSEWHERE] || any_fits(wanted[NO_SUBSYSTEM], "video4linux"))
        return false;
    if (wanted[SUBSYSTEM] && !any_fits(wanted[SUBSYSTEM], "video4linux"))
        return false;
    if (wanted[SYSNAME] && !any_fits(wanted[SYSNAME], strrchr(device->syspath, '/') + 1))
        return false;
    if (count_fits(wanted[NO_ATTRIBUTE], device, fits_attribute, &count))
        return false;
    if (count_fits(wanted[ATTRIBUTE], device, fits_attribute, &count) < count)
        return false;
    return count_fits(wanted[PROPERTY], device, fits_property, &count) || count == 0;
}

static void find_ours(struct enumeration *enumeration)
{
    struct node nodes[NODES_MAX];
    struct visit visit;

    visit_begin(&visit);
    int count = nodes_list(nodes);
    for (int n = 0; n < count; n++) {
        struct description device;
        if (description_make(&device, &nodes[n]) && matches(enumeration, &device))
            entry_add(&enumeration->found, device.syspath, NULL);
        description_free(&device);
    }
    nodes_put(nodes, count);
    visit_end(&visit);
}

INTERPOSED int udev_enumerate_scan_devices(struct udev_enumerate *theirs)
{
    struct enumeration *enumeration = find(theirs);
    int said = LIBUDEV(udev_enumerate_scan_devices)(theirs);

    if (enumeration && !visiting) {
        forget_results(enumeration);
        find_ours(enumeration);
        said = enumeration->found ? 0 : said;
    }
    return said;
}

INTERPOSED int udev_enumerate_scan_subsystems(struct udev_enumerate *theirs)
{
    struct enumeration *enumeration = find(theirs);

    if (enumeration)
        forget_results(enumeration);
    return LIBUDEV(udev_enumerate_scan_subsystems)(theirs);
}

static bool add_all(struct enumeration *enumeration, struct udev_list_entry *theirs)
{
    for (; theirs; theirs = LIBUDEV(udev_list_entry_get_next)(theirs))
        if (!entry_add(&enumeration->all, LIBUDEV(udev_list_entry_get_name)(theirs), NULL))
            return false;
    for (const struct entry *one = enumeration->found; one; one = one->next)
        if (!entry_add(&enumeration->all, one->name, NULL))
            return false;
    return true;
}

INTERPOSED struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *given)
{
    struct enumeration *enumeration = find(given);
    struct udev_list_entry *theirs = LIBUDEV(udev_enumerate_get_list_entry)(given);

    if (!enumeration || !enumeration->found)
        return theirs;
    if (!enumeration->all && !add_all(enumeration, theirs)) {
        entry_free(enumeration->all);
        enumeration->all = NULL;
        return theirs;
    }
    return (struct udev_list_entry *)(void *)enumeration->all;
}
