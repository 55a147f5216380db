/* SPDX-License-Identifier: Apache-2.0 */
/* libudev itself, and lists. */
#include "udev.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "interpose.h"

static uintptr_t functions[UDEV_COUNT];
static const char mark; /* its address is one */

static const char *const names[UDEV_COUNT] = {
#define UDEV_NAME(name) [UDEV_##name] = #name,
    UDEV_FUNCTIONS(UDEV_NAME)
#undef UDEV_NAME
};

/* In place of a function that this libudev is too old to have: no object, no success. */
static void *nothing(void)
{
    return NULL;
}

uintptr_t udev_find(enum udev_number number)
{
    uintptr_t function = __atomic_load_n(&functions[number], __ATOMIC_RELAXED);

    if (function)
        return function;
    /* whoever calls it has it loaded, but not always where RTLD_NEXT looks: plugins are loaded privately */
    void *library = dlopen("libudev.so.1", RTLD_LAZY);
    function = library ? (uintptr_t)dlsym(library, names[number]) : 0;
    if (!function)
        function = (uintptr_t)nothing;
    __atomic_store_n(&functions[number], function, __ATOMIC_RELAXED);
    return function;
}

/* --- lists -------------------------------------------------------------------------------------------- */

void entry_free(struct entry *list)
{
    while (list) {
        struct entry *next = list->next;
        free(list->name);
        free(list->value);
        free(list);
        list = next;
    }
}

bool entry_add(struct entry **list, const char *name, const char *value)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return false;
    entry->mark = &mark;
    entry->name = strdup(name);
    entry->value = value ? strdup(value) : NULL;
    if (!entry->name || (value && !entry->value)) {
        entry_free(entry);
        return false;
    }
    while (*list)
        list = &(*list)->next;
    *list = entry;
    return true;
}

const struct entry *entry_find(const struct entry *list, const char *name)
{
    while (list && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

/* Any object of libudev's begins with a pointer, so that much can be read. */
static struct entry *ours(struct udev_list_entry *given)
{
    struct entry *entry = (struct entry *)(void *)given;

    return entry && entry->mark == &mark ? entry : NULL;
}

INTERPOSED struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *given)
{
    struct entry *entry = ours(given);

    return entry ? (struct udev_list_entry *)(void *)entry->next : LIBUDEV(udev_list_entry_get_next)(given);
}

INTERPOSED struct udev_list_entry *udev_list_entry_get_by_name(struct udev_list_entry *given, const char *name)
{
    struct entry *entry = ours(given);

    return entry ? (struct udev_list_entry *)(void *)(uintptr_t)entry_find(entry, name)
                 : LIBUDEV(udev_list_entry_get_by_name)(given, name);
}

INTERPOSED const char *udev_list_entry_get_name(struct udev_list_entry *given)
{
    struct entry *entry = ours(given);

    return entry ? entry->name : LIBUDEV(udev_list_entry_get_name)(given);
}

INTERPOSED const char *udev_list_entry_get_value(struct udev_list_entry *given)
{
    struct entry *entry = ours(given);

    return entry ? entry->value : LIBUDEV(udev_list_entry_get_value)(given);
}
