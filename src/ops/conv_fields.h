/* SPDX-License-Identifier: MIT */
/* The fields that convolutions share, each for a config of the given type; their order is that of
   Keras's arguments and stands in the op's own list. */
#ifndef FVI_CONV_FIELDS_H
#define FVI_CONV_FIELDS_H

#include "ops/op.h"

#include <limits.h>
#include <stddef.h>

#define FVI_CONV_FILTERS(config)                                                                   \
    {                                                                                              \
        .key = "filters", .kind = FVI_FIELD_INT, .offset = offsetof(config, filters),              \
        .required = true, .least = 1, .most = INT_MAX                                              \
    }
/* An integer or a pair, 1 where nothing is said. */
#define FVI_CONV_ONE(config, of, member)                                                           \
    {                                                                                              \
        .key = #member, .kind = FVI_FIELD_##of, .offset = offsetof(config, member), .standard = 1, \
        .least = 1, .most = INT_MAX                                                                \
    }
#define FVI_CONV_WINDOW(config)                                                                    \
    {.key = "kernel_size",                                                                         \
     .kind = FVI_FIELD_PAIR,                                                                       \
     .offset = offsetof(config, kernel_size),                                                      \
     .required = true,                                                                             \
     .least = 1,                                                                                   \
     .most = INT_MAX},                                                                             \
        FVI_CONV_ONE(config, PAIR, strides),                                                       \
    {                                                                                              \
        .key = "padding", .kind = FVI_FIELD_PADDING, .offset = offsetof(config, padding),          \
        .extra = offsetof(config, pads)                                                            \
    }
#define FVI_CONV_DATA_FORMAT                                                                       \
    {                                                                                              \
        .key = "data_format", .kind = FVI_FIELD_IGNORED, .words = fvi_channels_last                \
    }
#define FVI_CONV_END(config)                                                                       \
    {.key = "activation",                                                                          \
     .kind = FVI_FIELD_WORD,                                                                       \
     .offset = offsetof(config, activation),                                                       \
     .words = fvi_activation_words},                                                               \
    {                                                                                              \
        .key = "use_bias", .kind = FVI_FIELD_WITHOUT, .offset = offsetof(config, without_bias)     \
    }
#define FVI_CONV_INITIALIZER(config, member, initializer)                                          \
    {                                                                                              \
        .key = #member, .kind = FVI_FIELD_INITIALIZER, .offset = offsetof(config, member),         \
        .standard = (initializer)                                                                  \
    }
#define FVI_CONV_IGNORED(name)                                                                     \
    {                                                                                              \
        .key = #name, .kind = FVI_FIELD_IGNORED                                                    \
    }

#endif
