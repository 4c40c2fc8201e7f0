/* SPDX-License-Identifier: MIT */
/* Step by step: the course's functions in double precision on plain arrays. */
#ifndef FOVEA_TEXTBOOK_H
#define FOVEA_TEXTBOOK_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_tb_conv {
    int n, h, w, c, filters, f, stride, pad;
} fv_tb_conv;

#ifdef __cplusplus
}
#endif

#endif
