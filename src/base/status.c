/* SPDX-License-Identifier: MIT */
/* The one place errors are made: a thread-local text, and the status that goes with it. */
#include "base/base_internal.h"

#undef fvi_fail /* what the header tells an analyzer */
#undef fvi_fail_in

#include <stdio.h>
#include <string.h>

#define STATUS_TEXT 1024

static _Thread_local char status_text[STATUS_TEXT];

/* A text that filled its buffer may end inside a UTF-8 character; take the broken piece off. */
static void status_trim(char *text, size_t size)
{
    size_t lead = size;
    while (lead > 0 && size - lead < 4 && ((unsigned char)text[lead - 1] & 0xC0u) == 0x80u) {
        lead--;
    }
    if (lead == 0) return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t need = first >= 0xF0u ? 4 : first >= 0xE0u ? 3 : first >= 0xC0u ? 2 : 1;
    if (size - (lead - 1) < need) text[lead - 1] = '\0';
}

/* The text is made aside first: an argument may be fv_error() itself. */
static void status_format(char *out, const char *format, va_list arguments)
{
    int length = vsnprintf(out, STATUS_TEXT, format, arguments);
    if (length < 0) out[0] = '\0';
    if (length >= STATUS_TEXT) status_trim(out, STATUS_TEXT - 1);
}

fv_status fvi_fail(fv_status code, const char *format, ...)
{
    char text[STATUS_TEXT];
    va_list arguments;
    va_start(arguments, format);
    status_format(text, format, arguments);
    va_end(arguments);
    memcpy(status_text, text, strlen(text) + 1);
    return code;
}

fv_status fvi_fail_in(fv_status code, const char *format, ...)
{
    char text[STATUS_TEXT];
    va_list arguments;
    va_start(arguments, format);
    status_format(text, format, arguments);
    va_end(arguments);
    size_t used = strlen(text);
    const char *part[] = {": ", status_text};
    for (size_t i = 0; i < FVI_COUNT(part); i++) {
        size_t length = strlen(part[i]);
        bool whole = length < STATUS_TEXT - used;
        if (!whole) length = STATUS_TEXT - 1 - used;
        memcpy(text + used, part[i], length);
        used += length;
        text[used] = '\0';
        if (!whole) status_trim(text, used);
    }
    memcpy(status_text, text, strlen(text) + 1);
    return code;
}

bool fvi_is_out_of_memory(void)
{
    /* memory.c begins so, whatever the callers put before it; no limit's text has these words */
    return strstr(status_text, "out of memory: ") != NULL;
}

const char *fv_error(void)
{
    return status_text;
}

const char *fv_status_name(fv_status status)
{
    static const char *const name[] = {
        [FV_OK] = "ok",
        [FV_E_ARG] = "arg",
        [FV_E_SHAPE] = "shape",
        [FV_E_STATE] = "state",
        [FV_E_MEMORY] = "memory",
        [FV_E_IO] = "io",
        [FV_E_FORMAT] = "format",
        [FV_E_UNSUPPORTED] = "unsupported",
        [FV_E_NUMERIC] = "numeric",
        [FV_E_CANCELLED] = "cancelled",
    };
    int number = (int)status;
    return number >= 0 && (size_t)number < FVI_COUNT(name) ? name[number] : "unknown";
}

#define STATUS_WORD(number) #number
#define STATUS_VERSION(major, minor, patch)                                                        \
    STATUS_WORD(major) "." STATUS_WORD(minor) "." STATUS_WORD(patch)

const char *fv_version(void)
{
    return STATUS_VERSION(FV_VERSION_MAJOR, FV_VERSION_MINOR, FV_VERSION_PATCH);
}
