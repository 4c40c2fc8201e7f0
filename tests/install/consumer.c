/* SPDX-License-Identifier: MIT */
/* A program of somebody else: installed headers, installed library, nothing more. Argument: the
   version it expects. */
#include <fovea/base.h>
#include <fovea/textbook.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    int out = 0;
    if (argc != 2 || strcmp(fv_version(), argv[1]) != 0) {
        fprintf(stderr, "fv_version() is %s, expected %s\n", fv_version(),
                argc > 1 ? argv[1] : "?");
        return 1;
    }
    if (fv_tb_out_size(&out, 64, 7, 1, 3) != FV_OK || out != 64) {
        fprintf(stderr, "fv_tb_out_size gave %d: %s\n", out, fv_error());
        return 1;
    }
    printf("consumer: fovea %s, %d\n", fv_version(), out);
    return 0;
}
