/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "static.h"

enum { USAGE = 2, CANNOT = 126 }; /* the latter as shells have it */

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

int main(int count, char **arguments, char **environment)
{
    struct image image;

    if (count < 2) {
        fprintf(stderr, "usage: paracore-static PROGRAM [ARGUMENT...]\n");
        return USAGE;
    }
    int error = image_load(arguments[1], &image);
    if (error == 0)
        error = notify_start(&image);
    if (error) {
        fprintf(stderr, "paracore: %s %s\n", arguments[1], explain(error));
        return CANNOT;
    }
    image_start(&image, count - 1, arguments + 1, environment);
}
