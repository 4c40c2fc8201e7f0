/* SPDX-License-Identifier: MIT */
/* A program of somebody else: installed headers, installed library, nothing more. Argument: the version it expects. */
#include <fovea/base.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(fv_version(), argv[1]) != 0) {
        fprintf(stderr, "fv_version() is %s, expected %s\n", fv_version(),
                argc > 1 ? argv[1] : "?");
        return 1;
    }
    if (fv_dtype_size(FV_FLOAT32) != 4) {
        fprintf(stderr, "fv_dtype_size: %s\n", fv_error());
        return 1;
    }
    printf("consumer: fovea %s\n", fv_version());
    return 0;
}
