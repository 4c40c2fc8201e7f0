/* SPDX-License-Identifier: MIT */
/* Data sets in files. */
#include "data/data_internal.h"

fv_status fvi_files_open(fv_dataset **dataset, const char *path, fv_split split,
                         const fv_dataset_config *config)
{
    (void)dataset, (void)split, (void)config;
    char safe[FVI_SAFE_TEXT];
    return fvi_fail(FV_E_UNSUPPORTED, "\"%s\": not yet", fvi_safe(safe, path));
}
