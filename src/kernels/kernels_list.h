/* SPDX-License-Identifier: MIT */
/* What the files of one instruction set share: the tables' names. */
#ifndef FVI_KERNELS_LIST_H
#define FVI_KERNELS_LIST_H

#include "kernels/tile.h"

extern const fvi_kernels fvi_kernels_generic;

#endif
