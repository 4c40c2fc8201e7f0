/* SPDX-License-Identifier: MIT */
/* Pictures changed at random while training: a pure function of picture, seed, epoch and number. */
#include "data/data_internal.h"

#include <math.h>
#include <string.h>

/* So that the compiler sees constants: the type, the usual numbers of channels. */
#define AUGMENT_INLINE static inline __attribute__((always_inline))

/* ---- random numbers: each decision has its own, so that one more changes no other ---- */

typedef enum augment_draw {
    AUGMENT_FLIP_H,
    AUGMENT_FLIP_V,
    AUGMENT_ROTATION,
    AUGMENT_ZOOM,
    AUGMENT_SHIFT_H,
    AUGMENT_SHIFT_W,
    AUGMENT_PAD_H,
    AUGMENT_PAD_W,
    AUGMENT_CONTRAST,
    AUGMENT_BRIGHTNESS,
    AUGMENT_ERASE,
    AUGMENT_ERASE_AREA,
    AUGMENT_ERASE_ASPECT,
    AUGMENT_ERASE_TOP,
    AUGMENT_ERASE_LEFT,
    AUGMENT_DRAWS = 16
} augment_draw;

/* One picture on its way. */
typedef struct augment_job {
    const fv_augment_config *config;
    uint64_t seed;
    uint32_t epoch;
    uint64_t index;
    int H, W, C;
    bool is_float;
} augment_job;

static uint64_t augment_place(const augment_job *job, augment_draw draw)
{
    return job->index * AUGMENT_DRAWS + draw;
}

static double augment_share(const augment_job *job, augment_draw draw) /* [0,1) */
{
    return fvi_rng_uniform(job->seed, FVI_RNG_AUGMENT, job->epoch, augment_place(job, draw));
}

static double augment_either_way(const augment_job *job, augment_draw draw, float most)
{
    return (2.0 * augment_share(job, draw) - 1.0) * (double)most;
}

static int augment_below(const augment_job *job, augment_draw draw, int below)
{
    return fvi_rng_int(job->seed, FVI_RNG_AUGMENT, job->epoch, augment_place(job, draw), below);
}

/* Of one channel. */
static double augment_mean(const augment_job *job, const void *pixels, int c)
{
    const size_t n = (size_t)job->H * (size_t)job->W, C = (size_t)job->C;
    const uint8_t *bytes = (const uint8_t *)pixels + c;
    const float *floats = (const float *)pixels + c;
    uint64_t whole = 0;
    double sum = 0.0;
    for (size_t i = 0; i < n && !job->is_float; i++) {
        whole += bytes[i * C];
    }
    for (size_t i = 0; i < n && job->is_float; i++) {
        sum += (double)floats[i * C];
    }
    return (job->is_float ? sum : (double)whole) / (double)n;
}

/* ---- where pixels come from ---- */

/* Positions in 1/2^32 of a pixel: whole numbers, the same everywhere. */
#define AUGMENT_BITS 32
#define AUGMENT_SHARE_BITS 11 /* of a byte's weights: twice these and 8 stay within 31 */

/* Pixel (h, w) shows the input at row hh*h + hw*w + h0 and column wh*h + ww*w + w0, once h and w are
   moved by down and across; what is then outside is black. */
typedef struct augment_map {
    double hh, hw, h0, wh, ww, w0;
    int down, across;
} augment_map;

/* Sine and cosine by their series, so that no library's rounding shows. */
static void augment_turn(double *sine, double *cosine, double turns)
{
    double quarters = floor(4.0 * turns + 0.5);
    double r = (turns - quarters / 4.0) * 6.283185307179586476925; /* at most pi/4 */
    double s = 0.0, c = 0.0;
    for (int k = 16; k >= 2; k -= 2) {
        s = r * r / (k * (k + 1)) * (1.0 - s);
        c = r * r / (k * (k - 1)) * (1.0 - c);
    }
    s = r * (1.0 - s);
    c = 1.0 - c;
    int quadrant = (int)(quarters - 4.0 * floor(quarters / 4.0));
    *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
    *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}

/* About the middle of the picture: from the output back through the shift, the zoom, the turn
   (counter-clockwise when positive, as Keras has it) and the flips. */
static augment_map augment_draw_map(const augment_job *job)
{
    const fv_augment_config *config = job->config;
    double sine, cosine, zoom = 1.0 + augment_either_way(job, AUGMENT_ZOOM, config->zoom);
    augment_turn(&sine, &cosine, augment_either_way(job, AUGMENT_ROTATION, config->rotation));
    double H = job->H, W = job->W;
    double h =
        0.5 - H / 2 - H * augment_either_way(job, AUGMENT_SHIFT_H, config->translation_height);
    double w =
        0.5 - W / 2 - W * augment_either_way(job, AUGMENT_SHIFT_W, config->translation_width);
    bool is_flipped_h = config->flip_vertical && augment_below(job, AUGMENT_FLIP_V, 2) == 1;
    bool is_flipped_w = config->flip_horizontal && augment_below(job, AUGMENT_FLIP_H, 2) == 1;
    double to_h = is_flipped_h ? -zoom : zoom, to_w = is_flipped_w ? -zoom : zoom;
    augment_map map = {
        .hh = to_h * cosine, .hw = to_h * sine, .wh = -to_w * sine, .ww = to_w * cosine};
    map.h0 = map.hh * h + map.hw * w + H / 2 - 0.5;
    map.w0 = map.wh * h + map.ww * w + W / 2 - 0.5;
    if (config->pad > 0) {
        map.down = augment_below(job, AUGMENT_PAD_H, 2 * config->pad + 1) - config->pad;
        map.across = augment_below(job, AUGMENT_PAD_W, 2 * config->pad + 1) - config->pad;
    }
    return map;
}

/* Outside, the picture lies reflected: d c b a | a b c d | d c b a. */
static inline int augment_reflect(int i, int n)
{
    if (i >= 0 && i < n) return i;
    i %= 2 * n;
    if (i < 0) i += 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

/* One output pixel between four of the input: at, and those below and to the right. */
AUGMENT_INLINE void augment_blend(void *out, const void *in, ptrdiff_t at, ptrdiff_t below,
                                  ptrdiff_t right, uint32_t down, uint32_t across, int C,
                                  bool is_float)
{
    if (is_float) {
        const float *p = (const float *)in + at;
        double dh = down * 0x1p-32, dw = across * 0x1p-32;
        for (size_t c = 0; c < (size_t)C; c++, p++) {
            double a = (double)p[0], b = (double)p[below];
            a += dw * ((double)p[right] - a);
            b += dw * ((double)p[below + right] - b);
            ((float *)out)[c] = (float)(a + dh * (b - a));
        }
        return;
    }
    const uint8_t *p = (const uint8_t *)in + at;
    const int shift = AUGMENT_BITS - AUGMENT_SHARE_BITS, one = 1 << AUGMENT_SHARE_BITS;
    int dh = (int)((down >> (shift - 1)) + 1) / 2, dw = (int)((across >> (shift - 1)) + 1) / 2;
    for (size_t c = 0; c < (size_t)C; c++, p++) {
        int a = p[0] * (one - dw) + p[right] * dw;
        int b = p[below] * (one - dw) + p[below + right] * dw;
        int sum = a * (one - dh) + b * dh;
        ((uint8_t *)out)[c] = (uint8_t)((sum + one * one / 2) / (one * one));
    }
}

/* row, column: in 1/2^32 of a pixel, from AUGMENT_ZERO on. */
#define AUGMENT_ZERO (INT64_C(1) << 20)

AUGMENT_INLINE void augment_sample(void *out, const void *in, const augment_job *job, int64_t row,
                                   int64_t column, int C, bool is_float)
{
    const int H = job->H, W = job->W;
    int h0 = (int)((row >> AUGMENT_BITS) - AUGMENT_ZERO), h1 = h0 + 1;
    int w0 = (int)((column >> AUGMENT_BITS) - AUGMENT_ZERO), w1 = w0 + 1;
    if (h0 < 0 || h1 >= H || w0 < 0 || w1 >= W) {
        h0 = augment_reflect(h0, H);
        h1 = augment_reflect(h1, H);
        w0 = augment_reflect(w0, W);
        w1 = augment_reflect(w1, W);
    }
    const ptrdiff_t stride = (ptrdiff_t)W * C;
    augment_blend(out, in, h0 * stride + (ptrdiff_t)w0 * C, (h1 - h0) * stride,
                  (w1 - w0) * (ptrdiff_t)C, (uint32_t)row, (uint32_t)column, C, is_float);
}

static int64_t augment_fixed(double position)
{
    return (int64_t)floor(position * 0x1p32 + 0.5);
}

AUGMENT_INLINE void augment_warp(void *out, const void *in, const augment_job *job,
                                 const augment_map *map, int C, bool is_float)
{
    const size_t pixel = (size_t)C * (is_float ? sizeof(float) : 1);
    const int64_t zero = AUGMENT_ZERO << AUGMENT_BITS;
    const int64_t row_step = augment_fixed(map->hw), column_step = augment_fixed(map->ww);
    unsigned char *to = out;
    for (int oh = 0; oh < job->H; oh++) {
        const int h = oh + map->down;
        int64_t row = zero + augment_fixed(map->hh * h + map->hw * map->across + map->h0);
        int64_t column = zero + augment_fixed(map->wh * h + map->ww * map->across + map->w0);
        for (int ow = 0; ow < job->W; ow++, to += pixel) {
            const int w = ow + map->across;
            if (h < 0 || h >= job->H || w < 0 || w >= job->W)
                memset(to, 0, pixel);
            else
                augment_sample(to, in, job, row, column, C, is_float);
            row += row_step;
            column += column_step;
        }
    }
}

/* ---- what pixels become ---- */

static void augment_tone(void *pixels, const augment_job *job)
{
    const size_t n = (size_t)job->H * (size_t)job->W, C = (size_t)job->C;
    double factor = 1.0 + augment_either_way(job, AUGMENT_CONTRAST, job->config->contrast);
    double delta = augment_either_way(job, AUGMENT_BRIGHTNESS, job->config->brightness);
    for (int c = 0; c < job->C; c++) {
        double mean = augment_mean(job, pixels, c);
        if (job->is_float) {
            float *at = (float *)pixels + c;
            for (size_t i = 0; i < n; i++) {
                at[i * C] = (float)(((double)at[i * C] - mean) * factor + mean + delta);
            }
            continue;
        }
        uint8_t *at = (uint8_t *)pixels + c, becomes[256];
        for (int v = 0; v < 256; v++) {
            double value = (v - mean) * factor + mean + 255.0 * delta;
            becomes[v] = value < 0.0 ? 0 : value > 255.0 ? 255 : (uint8_t)floor(value + 0.5);
        }
        for (size_t i = 0; i < n; i++) {
            at[i * C] = becomes[at[i * C]];
        }
    }
}

/* A rectangle of 2 to 33 % of the picture, its sides up to 10 : 3 either way, somewhere in it. */
static void augment_erase(void *pixels, const augment_job *job)
{
    const int H = job->H, W = job->W;
    double area = (0.02 + 0.31 * augment_share(job, AUGMENT_ERASE_AREA)) * H * W;
    double aspect = 2.0 * augment_share(job, AUGMENT_ERASE_ASPECT) - 1.0;
    aspect = aspect < 0 ? 1.0 + 0.7 * aspect : 1.0 / (1.0 - 0.7 * aspect);
    double tall = sqrt(area * aspect) + 0.5, wide = sqrt(area / aspect) + 0.5;
    int h = tall < 1 ? 1 : tall < H ? (int)tall : H, w = wide < 1 ? 1 : wide < W ? (int)wide : W;
    int top = augment_below(job, AUGMENT_ERASE_TOP, H - h + 1);
    int left = augment_below(job, AUGMENT_ERASE_LEFT, W - w + 1);
    for (int c = 0; c < job->C; c++) {
        double mean = augment_mean(job, pixels, c);
        for (int y = top; y < top + h; y++)
            for (int x = left; x < left + w; x++) {
                size_t at = ((size_t)y * (size_t)W + (size_t)x) * (size_t)job->C + (size_t)c;
                if (job->is_float)
                    ((float *)pixels)[at] = (float)mean;
                else
                    ((uint8_t *)pixels)[at] = (uint8_t)floor(mean + 0.5);
            }
    }
}

AUGMENT_INLINE void augment_all(void *out, const void *in, const augment_job *job, bool is_float)
{
    const augment_map map = augment_draw_map(job);
    const fv_augment_config *config = job->config;
    if (job->C == 3)
        augment_warp(out, in, job, &map, 3, is_float);
    else if (job->C == 1)
        augment_warp(out, in, job, &map, 1, is_float);
    else
        augment_warp(out, in, job, &map, job->C, is_float);
    if (config->contrast > 0 || config->brightness > 0) augment_tone(out, job);
    if (augment_share(job, AUGMENT_ERASE) < (double)config->erasing) augment_erase(out, job);
}

void fvi_augment(uint8_t *out, const uint8_t *in, int height, int width, int channels,
                 const fv_augment_config *config, uint64_t seed, uint32_t epoch, int index)
{
    const augment_job job = {config, seed, epoch, (uint64_t)index, height, width, channels, false};
    augment_all(out, in, &job, false);
}

void fvi_augment_float(float *out, const float *in, int height, int width, int channels,
                       const fv_augment_config *config, uint64_t seed, uint32_t epoch, int index)
{
    const augment_job job = {config, seed, epoch, (uint64_t)index, height, width, channels, true};
    augment_all(out, in, &job, true);
}

/* ---- the words ---- */

/* A number from 0 to most goes into one field or into two; of flip, a word into two. */
static const struct augment_word {
    const char *name, *range;
    double most;
    size_t field, also;
} augment_words[] = {
#define AUGMENT_AT(field) offsetof(fv_augment_config, field)
    {"flip", "horizontal, vertical or both", 0, AUGMENT_AT(flip_horizontal),
     AUGMENT_AT(flip_vertical)},
    {"rotation", "0 to 1", 1, AUGMENT_AT(rotation), AUGMENT_AT(rotation)},
    {"zoom", "0 to 0.9", 0.9, AUGMENT_AT(zoom), AUGMENT_AT(zoom)},
    {"translation", "0 to 1", 1, AUGMENT_AT(translation_height), AUGMENT_AT(translation_width)},
    {"pad", "0 to 4096", 4096, AUGMENT_AT(pad), AUGMENT_AT(pad)},
    {"contrast", "0 to 1", 1, AUGMENT_AT(contrast), AUGMENT_AT(contrast)},
    {"brightness", "0 to 1", 1, AUGMENT_AT(brightness), AUGMENT_AT(brightness)},
    {"erasing", "0 to 1", 1, AUGMENT_AT(erasing), AUGMENT_AT(erasing)},
#undef AUGMENT_AT
};
#define AUGMENT_WORDS FVI_COUNT(augment_words)

static bool augment_is_flip(const struct augment_word *word)
{
    return word == &augment_words[0];
}

static bool augment_is_pad(const struct augment_word *word)
{
    return word->field == offsetof(fv_augment_config, pad);
}

static double augment_field(const fv_augment_config *config, const struct augment_word *word,
                            size_t field)
{
    const char *at = (const char *)config + field;
    return augment_is_flip(word)  ? *(const bool *)at
           : augment_is_pad(word) ? *(const int *)at
                                  : (double)*(const float *)at;
}

bool fvi_augment_is_none(const fv_augment_config *config)
{
    for (size_t i = 0; i < AUGMENT_WORDS && config; i++) {
        const struct augment_word *word = &augment_words[i];
        if (augment_field(config, word, word->field) != 0 ||
            augment_field(config, word, word->also) != 0)
            return false;
    }
    return true;
}

fv_status fvi_augment_check(const fv_augment_config *config)
{
    for (size_t i = 0; i < AUGMENT_WORDS; i++) {
        const struct augment_word *word = &augment_words[i];
        if (augment_is_flip(word)) continue;
        double value = augment_field(config, word, word->field);
        double other = augment_field(config, word, word->also);
        double most = (double)(float)word->most;
        if (!(value >= 0 && value <= most && other >= 0 && other <= most))
            return fvi_fail(FV_E_ARG, "augmentation: %s is out of range, expected %s", word->name,
                            word->range);
    }
    return FV_OK;
}

/* What stands behind the =, size bytes; NULL when there is none. false: it does not fit. */
static bool augment_set(fv_augment_config *config, const struct augment_word *word,
                        const char *value, size_t size)
{
    char *field = (char *)config + word->field, *also = (char *)config + word->also;
    double number;
    if (augment_is_flip(word)) {
        bool is_both = value && size == 4 && memcmp(value, "both", 4) == 0;
        bool is_vertical = value && size == 8 && memcmp(value, "vertical", 8) == 0;
        if (value && !is_both && !is_vertical &&
            (size != 10 || memcmp(value, "horizontal", 10) != 0))
            return false;
        *(bool *)field = !is_vertical;
        *(bool *)also = is_both || is_vertical;
        return true;
    }
    if (!value || !fvi_parse_double(&number, value, size)) return false;
    if (!(number >= 0 && number <= word->most)) return false;
    if (!augment_is_pad(word)) {
        *(float *)field = *(float *)also = (float)number;
        return true;
    }
    *(int *)field = (int)number;
    return number == floor(number);
}

static fv_status augment_unknown(const char *text)
{
    const char *names[AUGMENT_WORDS], *nearest;
    char safe[FVI_SAFE_TEXT];
    for (size_t i = 0; i < AUGMENT_WORDS; i++) {
        names[i] = augment_words[i].name;
    }
    nearest = fv_nearest(text, names, AUGMENT_WORDS);
    return fvi_fail(FV_E_ARG, "augmentation: unknown \"%s\"; %s%s", fvi_safe(safe, text),
                    nearest ? "did you mean "
                            : "there are flip, rotation, zoom, translation, pad, "
                              "contrast, brightness and erasing",
                    nearest ? nearest : "");
}

/* One part of the list, "name" or "name=value". seen: a bit for each word that there was. */
static fv_status augment_parse_part(fv_augment_config *config, unsigned *seen, const char *part,
                                    size_t size)
{
    char text[64], safe[FVI_SAFE_TEXT];
    if (size >= sizeof text)
        return fvi_fail(FV_E_ARG, "augmentation: a part of %zu characters", size);
    memcpy(text, part, size);
    text[size] = '\0';
    char *value = strchr(text, '=');
    if (value) *value++ = '\0';
    for (size_t i = 0; i < AUGMENT_WORDS; i++) {
        const struct augment_word *word = &augment_words[i];
        if (strcmp(word->name, text) != 0) continue;
        if (*seen & 1u << i) return fvi_fail(FV_E_ARG, "augmentation: %s twice", word->name);
        *seen |= 1u << i;
        if (augment_set(config, word, value, value ? strlen(value) : 0)) return FV_OK;
        return fvi_fail(FV_E_ARG, "augmentation: %s%s%s; expected %s=%s", word->name,
                        value ? "=" : " without a value", value ? fvi_safe(safe, value) : "",
                        word->name, word->range);
    }
    return augment_unknown(text);
}

fv_status fv_augment_parse(fv_augment_config *config, const char *text)
{
    if (!config || !text)
        return fvi_fail(FV_E_ARG, "fv_augment_parse: %s is NULL", config ? "text" : "config");
    fv_augment_config read = {0};
    unsigned seen = 0;
    *config = read;
    if (strcmp(text, "none") == 0) return FV_OK;
    for (;;) {
        size_t size = strcspn(text, ",");
        FVI_TRY(augment_parse_part(&read, &seen, text, size));
        if (text[size] == '\0') break;
        text += size + 1;
    }
    *config = read;
    return FV_OK;
}
