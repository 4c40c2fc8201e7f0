/* SPDX-License-Identifier: MIT */
/* made:digits: handwritten-looking digits, light on dark, drawn with a soft round pen. Pose, pen,
   light and noise vary. What is drawn is settled first, then drawn in bands of rows, so that a
   picture of any size needs the same small memory. */
#include "data/data_internal.h"

#include <math.h>

#define DIGITS_SIZE 28        /* lengths below are pixels of a picture of this size */
#define DIGITS_BAND 4096      /* pixels of a band, at least one row of FVI_MADE_LARGEST */
#define DIGITS_MAX_POINTS 16  /* of one stroke */
#define DIGITS_MAX_NUMBERS 52 /* of a digit: coordinates and ends */
#define DIGITS_MAX_MARKS 2    /* strokes and dots besides the digit */
#define DIGITS_STEPS 4        /* straight pieces between two points of a stroke */
#define DIGITS_MAX_PIECES (DIGITS_STEPS * DIGITS_MAX_NUMBERS / 2)
#define DIGITS_FAR 1e9F

/* ---- the digits: strokes through points x, y in a box of 100 x 100, y down; smooth, closed when
   the ends meet ---- */

enum { STROKE_END = -1, DIGIT_END = -2 };

typedef struct digits_style {
    int digit;
    int8_t points[DIGITS_MAX_NUMBERS];
} digits_style;

#define S STROKE_END
#define E DIGIT_END
/* clang-format off */
static const digits_style digits_styles[] = {
    {0, {50,2, 24,16, 16,50, 24,84, 50,98, 76,84, 84,50, 76,16, 50,2, S, E}},
    {0, {60,5, 34,12, 19,46, 28,84, 50,97, 74,84, 82,48, 70,14, 48,4, S, E}},
    {0, {52,2, 32,12, 26,50, 32,88, 50,98, 68,88, 76,50, 70,12, 52,2, S, E}},
    {0, {66,12, 44,8, 20,30, 14,62, 34,90, 62,88, 84,62, 84,32, 62,10, 48,14, S, E}},
    {1, {50,2, 50,50, 50,98, S, E}},
    {1, {29,25, 44,14, 54,2, S, 54,2, 54,50, 54,98, S, E}},
    {1, {31,22, 43,13, 52,2, S, 52,2, 52,50, 52,98, S, 28,98, 52,98, 76,98, S, E}},
    {2, {20,26, 30,8, 52,2, 74,11, 77,32, 62,55, 40,77, 18,97, S, 18,97, 50,97, 82,97, S, E}},
    {2, {20,22, 36,5, 60,4, 75,20, 67,46, 46,74, 26,91, 15,87, 20,77, 38,82, 60,95, 85,90, S, E}},
    {2, {22,24, 40,5, 66,6, 77,26, 64,54, 42,76, 20,95, S, 20,95, 40,89, 62,97, 82,91, S, E}},
    {2, {18,14, 44,4, 66,10, 68,30, 52,58, 30,84, 16,84, 20,70, 40,72, 62,86, 92,98, S, E}},
    {3, {20,14, 43,2, 69,10, 70,33, 42,47, S, 42,47, 73,55, 79,76, 62,95, 38,98, 16,86, S, E}},
    {3, {20,4, 48,4, 75,4, S, 75,4, 60,22, 45,40, S, 45,40, 73,50, 80,72, 62,94, 36,97, 16,86, S,
         E}},
    {3, {22,10, 48,2, 70,14, 60,36, 40,46, 54,47, 74,58, 76,80, 54,97, 28,95, 12,84, S, E}},
    {4, {31,4, 27,30, 19,56, S, 19,56, 52,56, 86,56, S, 69,22, 67,60, 64,98, S, E}},
    {4, {63,2, 40,34, 14,66, S, 14,66, 50,66, 88,66, S, 63,2, 63,50, 63,98, S, E}},
    {4, {26,4, 21,32, 30,50, 54,50, 72,40, S, 76,4, 72,50, 66,98, S, E}},
    {4, {28,10, 18,36, 28,52, 52,50, 84,46, S, 74,4, 66,50, 60,98, S, E}},
    {5, {78,4, 54,4, 31,4, S, 31,4, 28,24, 26,44, S, 26,44, 52,36, 76,48, 80,74, 62,95, 36,98,
         16,86, S, E}},
    {5, {77,6, 54,5, 34,7, S, 34,7, 30,24, 28,42, S, 28,42, 54,44, 76,58, 78,80, 58,97, 32,96,
         18,88, S, E}},
    {5, {32,12, 29,28, 27,46, S, 27,46, 54,42, 72,58, 70,82, 48,97, 20,92, S, 32,12, 58,7, 88,2,
         S, E}},
    {6, {70,4, 44,18, 26,44, 20,72, 32,93, 56,97, 76,84, 74,64, 54,54, 34,62, 23,76, S, E}},
    {6, {58,2, 40,24, 26,48, 22,76, 40,97, 66,93, 76,72, 62,56, 40,60, 24,78, S, E}},
    {6, {44,2, 30,30, 24,62, 34,92, 60,97, 76,80, 66,62, 44,64, 28,84, S, E}},
    {7, {18,4, 50,4, 82,4, S, 82,4, 60,46, 44,98, S, E}},
    {7, {18,4, 50,4, 80,4, S, 80,4, 58,46, 42,98, S, 36,52, 56,51, 76,50, S, E}},
    {7, {20,20, 22,5, S, 22,5, 50,8, 80,4, S, 80,4, 64,40, 56,98, S, E}},
    {7, {14,12, 46,8, 74,8, 78,20, 66,56, 58,98, S, E}},
    {8, {50,2, 29,11, 30,36, 50,46, 70,36, 71,11, 50,2, S, 50,46, 25,57, 20,82, 50,98, 80,82,
         75,57, 50,46, S, E}},
    {8, {73,13, 50,2, 28,14, 33,36, 64,58, 77,79, 52,98, 24,81, 38,58, 66,36, 73,13, S, E}},
    {8, {78,10, 54,3, 32,14, 38,38, 64,58, 70,82, 50,98, 32,84, 42,60, 66,40, 84,16, S, E}},
    {9, {77,22, 58,4, 32,10, 22,32, 36,52, 60,48, 77,22, S, 77,22, 76,60, 70,98, S, E}},
    {9, {76,20, 54,3, 30,12, 23,34, 40,51, 64,44, 76,20, S, 76,20, 78,58, 66,88, 44,98, 26,91, S,
         E}},
    {9, {74,20, 54,5, 34,16, 30,36, 48,48, 66,38, 74,20, S, 74,20, 66,60, 54,98, S, E}},
};
/* clang-format on */
#undef S
#undef E

/* ---- what is drawn ---- */

typedef struct digits_point {
    float x, y;
} digits_point;

typedef struct digits_piece { /* a straight one */
    digits_point a, b;
} digits_piece;

/* Radius of the pen and softness of its edge in pixels; how light its ink is. */
typedef struct digits_pen {
    float radius, soft, ink;
} digits_pen;

typedef struct digits_plan {
    int height, width, channels;
    float light, down, across; /* of the paper: its middle, and how it changes */
    int marks, pieces;
    digits_pen mark_pen[DIGITS_MAX_MARKS], pen;
    digits_piece mark[DIGITS_MAX_MARKS], piece[DIGITS_MAX_PIECES];
    float noise;
    float paper_tint[3], ink_tint[3]; /* in colour */
} digits_plan;

/* A smooth curve through the points (Catmull-Rom). When the ends meet they meet smoothly. */
static void digits_curve(digits_plan *c, const digits_point *p, int count)
{
    if (count < 2) return;
    bool is_closed = p[0].x == p[count - 1].x && p[0].y == p[count - 1].y;
    digits_point from = p[0];
    for (int i = 0; i + 1 < count; i++) {
        digits_point p1 = p[i], p2 = p[i + 1], p0, p3;
        p0 = i > 0       ? p[i - 1]
             : is_closed ? p[count - 2]
                         : (digits_point){2.0F * p1.x - p2.x, 2.0F * p1.y - p2.y};
        p3 = i + 2 < count ? p[i + 2]
             : is_closed   ? p[1]
                           : (digits_point){2.0F * p2.x - p1.x, 2.0F * p2.y - p1.y};
        digits_point b = {p2.x - p0.x, p2.y - p0.y};
        digits_point s = {2.0F * p0.x - 5.0F * p1.x + 4.0F * p2.x - p3.x,
                          2.0F * p0.y - 5.0F * p1.y + 4.0F * p2.y - p3.y};
        digits_point q = {3.0F * (p1.x - p2.x) + p3.x - p0.x, 3.0F * (p1.y - p2.y) + p3.y - p0.y};
        for (int k = 1; k <= DIGITS_STEPS; k++) {
            float t = (float)k / (float)DIGITS_STEPS;
            digits_point to = {p1.x + 0.5F * t * (b.x + t * (s.x + t * q.x)),
                               p1.y + 0.5F * t * (b.y + t * (s.y + t * q.y))};
            c->piece[c->pieces++] = (digits_piece){from, to};
            from = to;
        }
    }
}

/* ---- where the points of a digit go ---- */

typedef struct digits_pose {
    float xx, xy, yx, yy, x0, y0; /* from the box, its middle at 0, to pixels */
    float bend[6];                /* a quadratic field that moves all points alike */
    float wobble;                 /* how far each point strays besides, in the box */
    fvi_made_rng rng;
} digits_pose;

static digits_pose digits_pose_begin(const digits_plan *c, fvi_made_rng *rng)
{
    digits_pose p = {.rng = *rng};
    float unit = (float)(c->height < c->width ? c->height : c->width) / (float)DIGITS_SIZE;
    /* t is the tangent of half the angle, here of 15 degrees: no sine is needed. */
    float t = fvi_made_between(rng, -0.1317F, 0.1317F), per = 1.0F / (1.0F + t * t);
    float cosine = (1.0F - t * t) * per, sine = 2.0F * t * per;
    float tall = fvi_made_between(rng, 0.155F, 0.215F) * unit;
    float wide = fvi_made_between(rng, 0.72F, 1.15F) * tall;
    float slant = fvi_made_between(rng, -0.12F, 0.35F) * tall;
    p.xx = cosine * wide;
    p.xy = -cosine * slant - sine * tall;
    p.yx = sine * wide;
    p.yy = cosine * tall - sine * slant;
    p.x0 = 0.5F * (float)c->width + fvi_made_between(rng, -2.2F, 2.2F) * unit;
    p.y0 = 0.5F * (float)c->height + fvi_made_between(rng, -2.0F, 2.0F) * unit;
    for (int i = 0; i < 6; i++) {
        p.bend[i] = fvi_made_between(rng, -0.0028F, 0.0028F);
    }
    p.wobble = fvi_made_between(rng, 0.0F, 5.0F);
    return p;
}

/* The same point of the box always strays the same way, so strokes that touch stay in touch. */
static digits_point digits_place(const digits_pose *p, int x, int y)
{
    uint32_t word[4];
    fvi_rng_words(word, p->rng.seed, FVI_RNG_MADE, p->rng.stream,
                  UINT64_C(0x100000) + (uint64_t)(x * 128 + y));
    float u = (float)(x - 50), v = (float)(y - 50), per = p->wobble * 0x1p-23F;
    float strayed_u = u + p->bend[0] * u * u + p->bend[1] * u * v + p->bend[2] * v * v +
                      ((float)(word[0] >> 8) - 0x1p23F) * per;
    float strayed_v = v + p->bend[3] * u * u + p->bend[4] * u * v + p->bend[5] * v * v +
                      ((float)(word[1] >> 8) - 0x1p23F) * per;
    return (digits_point){p->x0 + p->xx * strayed_u + p->xy * strayed_v,
                          p->y0 + p->yx * strayed_u + p->yy * strayed_v};
}

static void digits_strokes(digits_plan *c, const digits_pose *pose, const int8_t *points)
{
    digits_point stroke[DIGITS_MAX_POINTS];
    int count = 0;
    for (; *points != DIGIT_END; points++) {
        if (*points != STROKE_END) {
            stroke[count++] = digits_place(pose, points[0], points[1]);
            points++;
        } else {
            digits_curve(c, stroke, count);
            count = 0;
        }
    }
}

/* None, one or two short strokes or dots, fainter than the digit. */
static void digits_clutter(digits_plan *c, fvi_made_rng *rng)
{
    int marks = fvi_made_pick(rng, 4) - 1;
    float unit = (float)(c->height < c->width ? c->height : c->width) / (float)DIGITS_SIZE;
    for (int i = 0; i < marks; i++) {
        float radius = fvi_made_between(rng, 0.4F, 1.0F) * unit;
        digits_point a, b; /* one by one: C leaves the order within a list open */
        a.x = fvi_made_between(rng, 0.0F, (float)c->width);
        a.y = fvi_made_between(rng, 0.0F, (float)c->height);
        b.x = a.x + fvi_made_between(rng, -4.0F, 4.0F) * unit;
        b.y = a.y + fvi_made_between(rng, -4.0F, 4.0F) * unit;
        c->mark[i] = (digits_piece){a, fvi_made_pick(rng, 3) > 0 ? b : a};
        c->mark_pen[i] =
            (digits_pen){radius, 0.6F * unit,
                         c->light + (c->pen.ink - c->light) * fvi_made_between(rng, 0.25F, 0.75F)};
        c->marks = i + 1;
    }
}

/* A colour whose strongest part is 1. */
static void digits_tint(float tint[3], fvi_made_rng *rng, float least)
{
    float most = 0.0F;
    for (int k = 0; k < 3; k++) {
        tint[k] = fvi_made_between(rng, least, 1.0F);
        most = tint[k] > most ? tint[k] : most;
    }
    for (int k = 0; k < 3; k++) {
        tint[k] /= most;
    }
}

/* ---- the drawing, a band of rows at a time ---- */

typedef struct digits_band {
    int first, rows;
    float reach;              /* distances beyond this do not matter */
    float near2[DIGITS_BAND]; /* squared distance to the nearest stroke */
    float value[DIGITS_BAND]; /* light, 0 to 255 */
} digits_band;

/* The pixels from low to high, as far as the picture goes: *first to *last - 1. */
static void digits_span(int *first, int *last, float low, float high, int size)
{
    *first = low > 0.0F ? (low < (float)size ? (int)low : size) : 0;
    *last = high < (float)size ? (high > 0.0F ? (int)high + 1 : 0) : size;
}

/* Distances to a straight piece of a stroke: only pixels near it are looked at. */
static void digits_line(digits_band *band, const digits_plan *c, const digits_piece *piece)
{
    int left, right, top, bottom;
    digits_point a = piece->a, b = piece->b;
    digits_span(&left, &right, (a.x < b.x ? a.x : b.x) - band->reach,
                (a.x < b.x ? b.x : a.x) + band->reach, c->width);
    digits_span(&top, &bottom, (a.y < b.y ? a.y : b.y) - band->reach,
                (a.y < b.y ? b.y : a.y) + band->reach, c->height);
    if (top < band->first) top = band->first;
    if (bottom > band->first + band->rows) bottom = band->first + band->rows;
    float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    float per = length2 > 0.0F ? 1.0F / length2 : 0.0F;
    for (int y = top; y < bottom; y++) {
        float *row = band->near2 + (y - band->first) * c->width, py = (float)y + 0.5F - a.y;
        for (int x = left; x < right; x++) {
            float px = (float)x + 0.5F - a.x, t = (px * dx + py * dy) * per;
            t = t < 0.0F ? 0.0F : t > 1.0F ? 1.0F : t;
            float ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
            if (d2 < row[x]) row[x] = d2;
        }
    }
}

/* Lay ink along pieces. */
static void digits_ink(digits_band *band, const digits_plan *c, const digits_piece *piece,
                       int pieces, digits_pen pen)
{
    int count = band->rows * c->width;
    float outer = pen.radius + pen.soft, per = 0.5F / pen.soft;
    band->reach = outer;
    for (int i = 0; i < count; i++) {
        band->near2[i] = DIGITS_FAR;
    }
    for (int i = 0; i < pieces; i++) {
        digits_line(band, c, &piece[i]);
    }
    for (int i = 0; i < count; i++) {
        if (band->near2[i] >= outer * outer) continue;
        float a = (outer - sqrtf(band->near2[i])) * per;
        a = a > 1.0F ? 1.0F : a * a * (3.0F - 2.0F * a);
        band->value[i] += (pen.ink - band->value[i]) * a;
    }
}

static void digits_paper(digits_band *band, const digits_plan *c)
{
    for (int y = 0; y < band->rows; y++) {
        for (int x = 0; x < c->width; x++) {
            band->value[y * c->width + x] =
                c->light + c->down * ((float)(band->first + y) - 0.5F * (float)c->height) +
                c->across * ((float)x - 0.5F * (float)c->width);
        }
    }
}

static uint8_t digits_8bit(float value)
{
    return value < 0.0F ? 0 : value > 255.0F ? 255 : (uint8_t)value;
}

/* Noise of two random bytes a pixel (a word lasts for two), then colour, then 8 bits. */
static void digits_develop(uint8_t *pixels, const digits_band *band, const digits_plan *c,
                           fvi_made_rng *rng, uint32_t *word)
{
    int before = band->first * c->width;
    float ink_per = 1.0F / (c->pen.ink - c->light);
    for (int i = 0; i < band->rows * c->width; i++) {
        *word = (before + i) % 2 == 0 ? fvi_made_word(rng) : *word >> 16;
        float noise = (float)((int)(*word & 255u) + (int)(*word >> 8 & 255u) - 255) * c->noise;
        uint8_t *p = pixels + (size_t)(before + i) * (size_t)c->channels;
        if (c->channels == 1) p[0] = digits_8bit(band->value[i] + noise + 0.5F);
        if (c->channels == 1) continue;
        float a = (band->value[i] - c->light) * ink_per;
        a = a < 0.0F ? 0.0F : a > 1.0F ? 1.0F : a;
        for (int k = 0; k < 3; k++) {
            float tint = c->paper_tint[k] + (c->ink_tint[k] - c->paper_tint[k]) * a;
            p[k] = digits_8bit(band->value[i] * tint + noise + 0.5F);
        }
    }
}

/* ---- a picture ---- */

static const digits_style *digits_pick_style(int digit, fvi_made_rng *rng)
{
    int first = 0, count = 0;
    for (int i = 0; i < (int)FVI_COUNT(digits_styles); i++) {
        if (digits_styles[i].digit != digit) continue;
        if (count++ == 0) first = i; /* the styles of a digit stand together */
    }
    return &digits_styles[first + fvi_made_pick(rng, count)];
}

/* Settle everything but the noise of each pixel. The order of the random numbers is the set: grey
   pictures of 28 x 28 stay as they are. */
static void digits_settle(digits_plan *c, int digit, fvi_made_rng *rng)
{
    float unit = (float)(c->height < c->width ? c->height : c->width) / (float)DIGITS_SIZE;
    c->light = fvi_made_between(rng, 0.0F, 70.0F);
    c->pen.ink = fvi_made_between(rng, 165.0F, 255.0F);
    c->pen.radius = fvi_made_between(rng, 0.6F, 1.8F) * unit;
    c->pen.soft = fvi_made_between(rng, 0.5F, 1.2F) * unit;
    c->down = fvi_made_between(rng, -28.0F, 28.0F) / (float)c->height;
    c->across = fvi_made_between(rng, -28.0F, 28.0F) / (float)c->width;
    digits_clutter(c, rng);
    digits_pose pose = digits_pose_begin(c, rng);
    digits_strokes(c, &pose, digits_pick_style(digit, rng)->points);
    c->noise = fvi_made_between(rng, 0.0F, 24.0F) / 255.0F;
    if (c->channels == 1) return;
    digits_tint(c->paper_tint, rng, 0.3F);
    digits_tint(c->ink_tint, rng, 0.4F);
}

int fvi_made_digit(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                   fv_split split, int i)
{
    digits_plan c = {.height = height, .width = width, .channels = channels};
    digits_band band = {0};
    uint32_t word = 0;
    int digit = fvi_made_class(seed, split, i, 10), rows = DIGITS_BAND / width;
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    digits_settle(&c, digit, &rng);
    for (band.first = 0; band.first < height; band.first += rows) {
        band.rows = height - band.first < rows ? height - band.first : rows;
        digits_paper(&band, &c);
        for (int k = 0; k < c.marks; k++) {
            digits_ink(&band, &c, &c.mark[k], 1, c.mark_pen[k]);
        }
        digits_ink(&band, &c, c.piece, c.pieces, c.pen);
        digits_develop(pixels, &band, &c, &rng, &word);
    }
    return digit;
}
