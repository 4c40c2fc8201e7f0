/* SPDX-License-Identifier: MIT */
/* Fovea: the convolutional-network toolkit for C. Everything public. */
#ifndef FOVEA_FOVEA_H
#define FOVEA_FOVEA_H

#include "fovea/base.h"
#include "fovea/textbook.h"
#include "fovea/layers.h"
#include "fovea/model.h"
#include "fovea/data.h"
#include "fovea/train.h"

#endif
