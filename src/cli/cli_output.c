/* SPDX-License-Identifier: MIT */
/* What the commands print with: one-line errors, JSON, tables, pictures in the terminal. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cli_fail(int code, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* One line, and nothing in it that a terminal would obey: names come from files and command
       lines. */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = '?';
    fprintf(stderr, "fovea: %s\n", text);
    return code;
}

int cli_fail_status(fv_status status, const char *text)
{
    static const int codes[] = {
        [FV_OK] = CLI_DONE,
        [FV_E_ARG] = CLI_USAGE,
        [FV_E_SHAPE] = CLI_BAD_INPUT,
        [FV_E_STATE] = CLI_BUG,
        [FV_E_MEMORY] = CLI_LIMIT,
        [FV_E_IO] = CLI_IO,
        [FV_E_FORMAT] = CLI_BAD_INPUT,
        [FV_E_UNSUPPORTED] = CLI_BAD_INPUT,
        [FV_E_NUMERIC] = CLI_NUMERIC,
        [FV_E_CANCELLED] = 130,
    };
    bool is_known = (size_t)status < sizeof codes / sizeof codes[0];
    return cli_fail(is_known ? codes[status] : CLI_BUG, "%s", text);
}

int cli_finish(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    /* Whoever closed the pipe has read enough. */
    if (errno == EPIPE) return code == CLI_DONE ? CLI_IO : code;
    return cli_fail(CLI_IO, "cannot write the results: %s", strerror(errno ? errno : EIO));
}

/* Bytes of the character at c if it is well-formed UTF-8 beyond ASCII, else 0. */
static int output_utf8(const unsigned char *c)
{
    int size = c[0] >= 0xC2 && c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    if (c[0] < 0xC2) return 0;
    /* Too long for what it says, surrogates, beyond the last character. */
    if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
        (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
        return 0;
    for (int i = 1; i < size; i++)
        if ((c[i] & 0xC0u) != 0x80u) return 0; /* the end of the text, too */
    return size;
}

void cli_json_string(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        int size = *c > 127 ? output_utf8(c) : 1;
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 32 || *c == 127)
            printf("\\u%04x", *c);
        else if (size == 0)
            printf("\\ufffd"); /* names of files are any bytes, JSON is not */
        else
            fwrite(c, 1, (size_t)size, stdout);
        c += size > 1 ? size - 1 : 0;
    }
    putchar('"');
}

void cli_json_number(double value)
{
    if (isfinite(value))
        printf("%.9g", value);
    else
        printf("null");
}

bool cli_is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

bool cli_is_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return cli_is_terminal() && !(no && *no);
}

int cli_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

void cli_confusion(const fv_evaluation *e, const fv_model *model)
{
    int shown = e->classes < 20 ? e->classes : 20;
    printf("confusion (row: what it is; column: the guess)\n%12s", "");
    for (int j = 0; j < shown; j++)
        printf(" %6.6s", fv_model_class(model, j) ? fv_model_class(model, j) : "");
    printf("\n");
    for (int i = 0; i < shown; i++) {
        printf("%12.12s", fv_model_class(model, i) ? fv_model_class(model, i) : "");
        for (int j = 0; j < shown; j++)
            printf(" %6d", e->confusion[(size_t)i * (size_t)e->classes + (size_t)j]);
        printf("\n");
    }
    if (shown < e->classes) printf("  (the first %d of %d classes)\n", shown, e->classes);
}

static int output_grey(const uint8_t *pixels, int width, int channels, int row, int column)
{
    const uint8_t *p = pixels + ((size_t)row * (size_t)width + (size_t)column) * (size_t)channels;
    return channels == 3 ? (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000 : p[0];
}

/* Two rows of pixels in one line of text: greys where the terminal has colours, else each dot is on
   or off. */
static void output_half_block(int above, int below, bool has_greys)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
    if (has_greys) /* 24 greys from 232 on in the 256-colour palette */
        printf("\033[38;5;%d;48;5;%dm\u2580", 232 + above * 23 / 255, 232 + below * 23 / 255);
    else
        fputs(blocks[2 * (above > 110) + (below > 110)], stdout);
}

void cli_pictures(const uint8_t *const *pixels, int n, int height, int width, int channels,
                  const char *const *captions)
{
    bool has_greys = isatty(STDOUT_FILENO) && cli_is_colour();
    for (int row = 0; row < height; row += 2) {
        for (int i = 0; i < n; i++) {
            for (int column = 0; column < width; column++) {
                int above = output_grey(pixels[i], width, channels, row, column);
                int below =
                    row + 1 < height ? output_grey(pixels[i], width, channels, row + 1, column) : 0;
                output_half_block(above, below, has_greys);
            }
            printf("%s%s", has_greys ? "\033[0m" : "", i + 1 < n ? "  " : "\n");
        }
    }
    for (int i = 0; captions && i < n; i++)
        printf("%-*.*s%s", width, width, captions[i], i + 1 < n ? "  " : "\n");
}
