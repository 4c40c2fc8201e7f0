/* SPDX-License-Identifier: MIT */
/* Between archive.c, which knows libzip, and archive_check.c, which reads a directory itself. */
#ifndef FVI_ZIP_MEMBERS_H
#define FVI_ZIP_MEMBERS_H

#include "formats/formats.h"

/* All members of an archive, in the order of its directory, everything about them checked that
   fvi_zip_open promises. The caller frees with fvi_zip_members_free. */
fv_status fvi_zip_members(fvi_zip_member **members, int *count, const fvi_reader *reader);
void fvi_zip_members_free(fvi_zip_member *members, int count); /* NULL allowed */

#endif
