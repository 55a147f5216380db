/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "static.h"

enum { USAGE = 2, CANNOT = 126 }; /* the latter as shells have it */

/* Where the program is, for when it executes itself by the name that every program knows. `paracore run` says it. */
#define VARIABLE "PARACORE_STATIC"
#define ITSELF "/proc/self/exe"

static const char *explain(int error)
{
    switch (error) {
    case -ENOEXEC:
        return "is no program for this machine";
    case -ELIBEXEC:
        return "is not statically linked; leave --static out";
    default:
        return strerror(-error);
    }
}

static int complain(const char *path, int error)
{
    fprintf(stderr, "paracore: %s %s\n", path, explain(error));
    return CANNOT;
}

/* The program has executed itself: its filter is there already, and the keeper or its parent answers it. */
static int begin_again(const char *path, int count, char **arguments, char **environment)
{
    struct image image;
    int error = image_load(path, &image);

    if (error)
        return complain(path, error);
    image_start(&image, count, arguments, environment);
}

int main(int count, char **arguments, char **environment)
{
    const char *name = (const char *)getauxval(AT_EXECFN), *before = getenv(VARIABLE);
    struct image image;

    if (before && name && strcmp(name, ITSELF) == 0)
        return begin_again(before, count, arguments, environment);
    if (count < 2) {
        fprintf(stderr, "usage: paracore-static PROGRAM [ARGUMENT...]\n");
        return USAGE;
    }
    /* The image has a mapping of its own of each buffer, in the place of which no other pages can be put: link.h. Its own
     * environment is `environment`, which stays. */
    setenv("PARACORE_ON_LOSS", "fail", 1);
    int error = image_load(arguments[1], &image);
    if (error == 0)
        error = notify_start(&image);
    if (error && error != -EBUSY)
        return complain(arguments[1], error);
    image_start(&image, count - 1, arguments + 1, environment);
}
