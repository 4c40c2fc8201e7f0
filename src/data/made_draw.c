/* SPDX-License-Identifier: MIT */
/* Drawing for the made sets: ovals, strokes and polygons with soft edges. How far an edge is tells
   how much of a pixel is covered, so blur is a wider edge and costs nothing. Rows are drawn by
   loops without branches, which compilers turn into vector instructions. */
#include "data/made_draw.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define DRAW_BAND 4096 /* pixels of a band, at least one row of FVI_MADE_LARGEST */
#define DRAW_STEPS 10  /* straight pieces of a curve */
#define DRAW_SHARPEST 0.6F
#define DRAW_TINY 1e-12F
/* The noise of a picture begins here in its stream; everything else takes words before it. */
#define DRAW_NOISE UINT64_C(0x200000)

enum { DRAW_OVAL, DRAW_STROKE, DRAW_POLYGON };

/* ---- colours ---- */

fvi_colour fvi_colour_mix(fvi_colour a, fvi_colour b, float part_of_b)
{
    return (fvi_colour){a.r + (b.r - a.r) * part_of_b, a.g + (b.g - a.g) * part_of_b,
                        a.b + (b.b - a.b) * part_of_b};
}

fvi_colour fvi_colour_times(fvi_colour a, float factor)
{
    return (fvi_colour){a.r * factor, a.g * factor, a.b * factor};
}

float fvi_colour_luminance(fvi_colour a)
{
    return 0.299F * a.r + 0.587F * a.g + 0.114F * a.b;
}

/* 1 near the hue `at`, 0 from two steps away. */
static float draw_hue(float hue, float at)
{
    float away = hue > at ? hue - at : at - hue;
    if (away > 3.0F) away = 6.0F - away;
    return away < 1.0F ? 1.0F : away > 2.0F ? 0.0F : 2.0F - away;
}

fvi_colour fvi_colour_hsv(float hue, float saturation, float value)
{
    fvi_colour grey = {255.0F * value, 255.0F * value, 255.0F * value};
    fvi_colour pure = {grey.r * draw_hue(hue, 0.0F), grey.g * draw_hue(hue, 2.0F),
                       grey.b * draw_hue(hue, 4.0F)};
    return fvi_colour_mix(grey, pure, saturation);
}

static const fvi_colour draw_skin[] = {
    {255, 226, 200}, {247, 210, 180}, {255, 206, 178}, {235, 190, 152}, {222, 170, 128},
    {204, 150, 110}, {184, 127, 90},  {160, 106, 74},  {136, 88, 62},   {116, 74, 54},
};

fvi_colour fvi_colour_skin(fvi_made_rng *rng)
{
    fvi_colour skin = draw_skin[fvi_made_pick(rng, (int)FVI_COUNT(draw_skin))];
    return fvi_colour_times(skin, fvi_made_between(rng, 0.94F, 1.03F));
}

float fvi_made_middling(fvi_made_rng *rng, float low, float high)
{
    float first = fvi_made_between(rng, low, high);
    return 0.5F * (first + fvi_made_between(rng, low, high));
}

/* ---- frames ---- */

fvi_frame fvi_frame_of(int height, int width)
{
    float side = (float)(height < width ? height : width);
    return (fvi_frame){0.5F * (float)width, 0.5F * (float)height, 0.5F * side, 1.0F, 0.0F, 1.0F};
}

void fvi_frame_move(fvi_frame *f, float u, float v, float scale, float half_turn)
{
    float per = 1.0F / (1.0F + half_turn * half_turn);
    f->x += u * f->scale;
    f->y += v * f->scale;
    f->scale *= scale;
    f->cosine = (1.0F - half_turn * half_turn) * per;
    f->sine = 2.0F * half_turn * per;
}

fvi_dot fvi_frame_place(const fvi_frame *f, fvi_dot dot)
{
    float u = f->mirror * f->scale * dot.u, v = f->scale * dot.v;
    return (fvi_dot){f->x + f->cosine * u - f->sine * v, f->y + f->sine * u + f->cosine * v,
                     f->scale * dot.r};
}

/* ---- the scene ---- */

void fvi_scene_begin(fvi_scene *s, int height, int width, float soft)
{
    float side = (float)(height < width ? height : width);
    assert(width <= FVI_MADE_LARGEST);
    s->height = height;
    s->width = width;
    s->soft = soft * side / 64.0F;
    if (s->soft < DRAW_SHARPEST) s->soft = DRAW_SHARPEST;
    s->frame = fvi_frame_of(height, width);
    s->light_x = s->light_y = 0.0F;
    s->paper = s->paper_x = s->paper_y = (fvi_colour){0};
    s->dots = s->parts = s->shapes = s->begun = 0;
}

/* The whole numbers from low to high, cut to 0 .. size: *first to *last - 1. */
static void draw_span(int *first, int *last, float low, float high, int size)
{
    *first = low > 0.0F ? (low < (float)size ? (int)low : size) : 0;
    *last = high < (float)size ? (high > 0.0F ? (int)high + 1 : 0) : size;
}

static fvi_part *draw_part(fvi_scene *s, fvi_join join, int kind)
{
    assert(s->parts < FVI_SCENE_PARTS);
    assert((join == FVI_ADD) || s->parts > s->begun);
    fvi_part *part = &s->part[s->parts++];
    *part = (fvi_part){.kind = kind, .join = join, .soft = s->soft, .first = s->dots};
    return part;
}

void fvi_scene_oval(fvi_scene *s, fvi_join join, fvi_oval oval)
{
    fvi_part *part = draw_part(s, join, DRAW_OVAL);
    const fvi_frame *f = &s->frame;
    float per = 1.0F / (1.0F + oval.lean * oval.lean);
    float cosine = (1.0F - oval.lean * oval.lean) * per, sine = 2.0F * oval.lean * per * f->mirror;
    part->middle = fvi_frame_place(f, (fvi_dot){oval.u, oval.v, 0.0F});
    part->cosine = f->cosine * cosine - f->sine * sine;
    part->sine = f->sine * cosine + f->cosine * sine;
    part->rx = f->scale * oval.ru;
    part->ry = f->scale * oval.rv;
    float rx = part->rx + s->soft, ry = part->ry + s->soft;
    float x = sqrtf(rx * rx * part->cosine * part->cosine + ry * ry * part->sine * part->sine);
    float y = sqrtf(rx * rx * part->sine * part->sine + ry * ry * part->cosine * part->cosine);
    draw_span(&part->left, &part->right, part->middle.u - x, part->middle.u + x, s->width);
    draw_span(&part->top, &part->bottom, part->middle.v - y, part->middle.v + y, s->height);
}

/* Dots of a part in pixels, and how far they reach. */
static void draw_dots(fvi_scene *s, fvi_part *part, const fvi_dot *dots, int count)
{
    assert(count > 0 && s->dots + count <= FVI_SCENE_DOTS);
    float left = 1e9F, right = -1e9F, top = 1e9F, bottom = -1e9F;
    for (int i = 0; i < count; i++) {
        fvi_dot dot = fvi_frame_place(&s->frame, dots[i]);
        float reach = dot.r + s->soft;
        left = dot.u - reach < left ? dot.u - reach : left;
        right = dot.u + reach > right ? dot.u + reach : right;
        top = dot.v - reach < top ? dot.v - reach : top;
        bottom = dot.v + reach > bottom ? dot.v + reach : bottom;
        s->dot[s->dots++] = dot;
    }
    part->count = count;
    draw_span(&part->left, &part->right, left, right, s->width);
    draw_span(&part->top, &part->bottom, top, bottom, s->height);
}

void fvi_scene_stroke(fvi_scene *s, fvi_join join, const fvi_dot *dots, int count)
{
    draw_dots(s, draw_part(s, join, DRAW_STROKE), dots, count);
}

void fvi_dots_curve(fvi_dot *dots, int count, fvi_dot a, fvi_dot b, fvi_dot c)
{
    for (int i = 0; i < count; i++) {
        float t = (float)i / (float)(count - 1), q = 1.0F - t;
        float wa = q * q, wb = 2.0F * q * t, wc = t * t;
        dots[i] = (fvi_dot){wa * a.u + wb * b.u + wc * c.u, wa * a.v + wb * b.v + wc * c.v,
                            wa * a.r + wb * b.r + wc * c.r};
    }
}

void fvi_scene_curve(fvi_scene *s, fvi_join join, fvi_dot a, fvi_dot b, fvi_dot c)
{
    fvi_dot dots[DRAW_STEPS + 1];
    fvi_dots_curve(dots, DRAW_STEPS + 1, a, b, c);
    fvi_scene_stroke(s, join, dots, DRAW_STEPS + 1);
}

void fvi_scene_polygon(fvi_scene *s, fvi_join join, const fvi_dot *dots, int count)
{
    fvi_dot same[FVI_POLYGON];
    assert(count <= FVI_POLYGON);
    for (int i = 0; i < count; i++) {
        same[i] = (fvi_dot){dots[i].u, dots[i].v, dots[0].r};
    }
    draw_dots(s, draw_part(s, join, DRAW_POLYGON), same, count);
}

void fvi_scene_paint(fvi_scene *s, fvi_colour colour, float alpha, float round)
{
    assert(s->shapes < FVI_SCENE_SHAPES);
    fvi_paint *paint = &s->shape[s->shapes++];
    *paint = (fvi_paint){.first = s->begun,
                         .count = s->parts - s->begun,
                         .colour = colour,
                         .alpha = alpha,
                         .bright = 1.0F,
                         .left = s->width,
                         .top = s->height};
    for (int i = s->begun; i < s->parts; i++) {
        const fvi_part *p = &s->part[i];
        if (p->join != FVI_ADD) continue;
        paint->left = p->left < paint->left ? p->left : paint->left;
        paint->right = p->right > paint->right ? p->right : paint->right;
        paint->top = p->top < paint->top ? p->top : paint->top;
        paint->bottom = p->bottom > paint->bottom ? p->bottom : paint->bottom;
    }
    s->begun = s->parts;
    float x = 0.5F * (float)(paint->left + paint->right);
    float y = 0.5F * (float)(paint->top + paint->bottom);
    float half = (float)(paint->right - paint->left + paint->bottom - paint->top) * 0.25F + 1.0F;
    paint->bright_x = round * s->light_x / half;
    paint->bright_y = round * s->light_y / half;
    paint->bright = 1.0F - paint->bright_x * x - paint->bright_y * y;
}

void fvi_scene_background(fvi_scene *s, fvi_made_rng *rng, int things)
{
    fvi_frame kept = s->frame;
    float soft = s->soft, hue = fvi_made_between(rng, 0.0F, 6.0F);
    float saturation = fvi_made_between(rng, 0.05F, 0.5F);
    float value = fvi_made_between(rng, 0.25F, 0.95F);
    fvi_colour middle = fvi_colour_hsv(hue, saturation, value);
    hue += fvi_made_between(rng, 0.0F, 1.5F);
    if (hue >= 6.0F) hue -= 6.0F;
    fvi_colour other = fvi_colour_hsv(hue, saturation, value * fvi_made_between(rng, 0.5F, 1.0F));
    float across = fvi_made_between(rng, -0.6F, 0.6F), down = fvi_made_between(rng, -0.6F, 0.6F);
    fvi_colour change = {other.r - middle.r, other.g - middle.g, other.b - middle.b};
    s->paper = middle;
    s->paper_x = fvi_colour_times(change, across);
    s->paper_y = fvi_colour_times(change, down);
    s->frame = fvi_frame_of(s->height, s->width);
    for (int i = 0; i < things; i++) {
        fvi_dot a, b;
        s->soft = soft * fvi_made_between(rng, 1.0F, 4.0F);
        a.u = fvi_made_between(rng, -1.1F, 1.1F);
        a.v = fvi_made_between(rng, -1.1F, 1.1F);
        a.r = fvi_made_between(rng, 0.05F, 0.3F);
        b = (fvi_dot){a.u + fvi_made_between(rng, -0.8F, 0.8F), a.v, a.r};
        b.v += fvi_made_between(rng, -0.8F, 0.8F);
        int kind = fvi_made_pick(rng, 4);
        if (kind == 0) fvi_scene_stroke(s, FVI_ADD, &a, 1);
        if (kind == 1) fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){a, b}, 2);
        a.r *= 0.1F;
        if (kind == 2)
            fvi_scene_polygon(s, FVI_ADD, (fvi_dot[]){a, {b.u, a.v, 0}, b, {a.u, b.v, 0}}, 4);
        if (kind == 3) fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){a, b}, 2);
        float shade = fvi_made_between(rng, 0.2F, 1.0F);
        fvi_colour thing = fvi_colour_hsv(fvi_made_between(rng, 0.0F, 6.0F), saturation, shade);
        fvi_scene_paint(s, fvi_colour_mix(middle, thing, 0.75F), 0.85F, 0.0F);
    }
    s->soft = soft;
    s->frame = kept;
}

/* ---- rows: how much of each pixel a part covers, 0 to 1 ---- */

typedef struct draw_band {
    int first, rows;
    float plane[3][DRAW_BAND];
    float cover[FVI_MADE_LARGEST], one[FVI_MADE_LARGEST]; /* of a shape, of a part; a row */
    float near2[FVI_MADE_LARGEST];
    unsigned char inside[FVI_MADE_LARGEST];
} draw_band;

static float draw_clamp(float value)
{
    return value < 0.0F ? 0.0F : value > 1.0F ? 1.0F : value;
}

/* How much a thing of that radius can cover where its edge is as soft as that. */
static float draw_thin(float radius, float soft)
{
    return radius < soft ? radius / soft : 1.0F;
}

/* The edge fades between two ellipses, soft inside and soft outside. With f the equation of each,
   1 on it, the cover is fi (1 - fo) / (fi - fo); of a circle that is linear in the squared
   distance. */
static void draw_oval(float *one, const fvi_part *p, float y)
{
    float py = y - p->middle.v;
    float ox = p->rx + p->soft, oy = p->ry + p->soft;
    float ix = p->rx - p->soft, iy = p->ry - p->soft;
    ix = ix > 0.1F * p->soft ? ix : 0.1F * p->soft;
    iy = iy > 0.1F * p->soft ? iy : 0.1F * p->soft;
    float most = draw_thin(p->rx, p->soft) * draw_thin(p->ry, p->soft);
    float oxx = 1.0F / (ox * ox), oyy = 1.0F / (oy * oy);
    float ixx = 1.0F / (ix * ix), iyy = 1.0F / (iy * iy);
    for (int x = p->left; x < p->right; x++) {
        float px = (float)x + 0.5F - p->middle.u;
        float u = p->cosine * px + p->sine * py, v = p->cosine * py - p->sine * px;
        float uu = u * u, vv = v * v, fo = uu * oxx + vv * oyy, fi = uu * ixx + vv * iyy;
        float a = fi * (1.0F - fo) / (fi - fo + DRAW_TINY);
        a = fi <= 1.0F ? 1.0F : a;
        one[x] = most * (a < 0.0F ? 0.0F : a);
    }
}

/* A straight piece whose radius changes from end to end. */
static void draw_piece(float *one, const fvi_part *p, fvi_dot a, fvi_dot b, float y)
{
    float soft = p->soft, most = (a.r > b.r ? a.r : b.r) + soft;
    if (y < (a.v < b.v ? a.v : b.v) - most || y > (a.v < b.v ? b.v : a.v) + most) return;
    int left, right;
    draw_span(&left, &right, (a.u < b.u ? a.u : b.u) - most, (a.u < b.u ? b.u : a.u) + most,
              p->right);
    float dx = b.u - a.u, dy = b.v - a.v, dr = b.r - a.r, length2 = dx * dx + dy * dy;
    float per = length2 > 0.0F ? 1.0F / length2 : 0.0F, py = y - a.v, per_soft = 1.0F / soft;
    for (int x = left; x < right; x++) {
        float px = (float)x + 0.5F - a.u, t = (px * dx + py * dy) * per;
        t = t < 0.0F ? 0.0F : t;
        t = t > 1.0F ? 1.0F : t;
        float ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey, r = a.r + t * dr;
        float outer = r + soft, inner = r > soft ? r - soft : 0.0F, thin = r * per_soft;
        float c = (outer * outer - d2) / (outer * outer - inner * inner);
        c = c < 0.0F ? 0.0F : c;
        c = c > 1.0F ? 1.0F : c;
        c = thin < 1.0F ? c * thin : c;
        one[x] = c > one[x] ? c : one[x];
    }
}

static void draw_stroke(float *one, const fvi_scene *s, const fvi_part *p, float y)
{
    memset(one + p->left, 0, (size_t)(p->right - p->left) * sizeof *one);
    const fvi_dot *dot = s->dot + p->first;
    if (p->count == 1) draw_piece(one, p, dot[0], dot[0], y);
    for (int i = 0; i + 1 < p->count; i++) {
        draw_piece(one, p, dot[i], dot[i + 1], y);
    }
}

/* Distance to the nearest side, and by the even-odd rule on which side of it. */
static void draw_polygon(draw_band *band, const fvi_scene *s, const fvi_part *p, float y)
{
    const fvi_dot *dot = s->dot + p->first;
    for (int x = p->left; x < p->right; x++) {
        band->near2[x] = 1e9F;
        band->inside[x] = 0;
    }
    for (int i = 0; i < p->count; i++) {
        fvi_dot a = dot[i], b = dot[i + 1 < p->count ? i + 1 : 0];
        float dx = b.u - a.u, dy = b.v - a.v, length2 = dx * dx + dy * dy, py = y - a.v;
        float per = length2 > 0.0F ? 1.0F / length2 : 0.0F;
        bool crosses = (a.v <= y) != (b.v <= y);
        float at = crosses ? a.u + dx * py / dy : -1.0F; /* right of this, one side more */
        for (int x = p->left; x < p->right; x++) {
            float px = (float)x + 0.5F - a.u, t = (px * dx + py * dy) * per;
            t = t < 0.0F ? 0.0F : t;
            t = t > 1.0F ? 1.0F : t;
            float ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
            band->near2[x] = d2 < band->near2[x] ? d2 : band->near2[x];
        }
        for (int x = p->left; crosses && x < p->right; x++) {
            band->inside[x] ^= (float)x + 0.5F > at;
        }
    }
    float round = dot[0].r, per = 0.5F / p->soft;
    for (int x = p->left; x < p->right; x++) {
        float away = sqrtf(band->near2[x]);
        away = (band->inside[x] ? -away : away) - round;
        band->one[x] = draw_clamp(0.5F - away * per);
    }
}

static void draw_join(draw_band *band, const fvi_scene *s, const fvi_part *p,
                      const fvi_paint *paint, int y)
{
    float *cover = band->cover, *one = band->one;
    if (y < p->top || y >= p->bottom || p->left >= p->right) {
        if (p->join == FVI_KEEP)
            memset(cover + paint->left, 0, (size_t)(paint->right - paint->left) * sizeof *cover);
        return;
    }
    if (p->kind == DRAW_OVAL) draw_oval(one, p, (float)y + 0.5F);
    if (p->kind == DRAW_STROKE) draw_stroke(one, s, p, (float)y + 0.5F);
    if (p->kind == DRAW_POLYGON) draw_polygon(band, s, p, (float)y + 0.5F);
    int left = p->left > paint->left ? p->left : paint->left;
    int right = p->right < paint->right ? p->right : paint->right;
    if (p->join == FVI_ADD)
        for (int x = left; x < right; x++)
            cover[x] = one[x] > cover[x] ? one[x] : cover[x];
    if (p->join == FVI_CUT)
        for (int x = left; x < right; x++)
            cover[x] = 1.0F - one[x] < cover[x] ? 1.0F - one[x] : cover[x];
    if (p->join != FVI_KEEP) return;
    for (int x = paint->left; x < paint->right; x++)
        if (x < left || x >= right) cover[x] = 0.0F;
    for (int x = left; x < right; x++)
        cover[x] = one[x] < cover[x] ? one[x] : cover[x];
}

static void draw_shape(draw_band *band, const fvi_scene *s, const fvi_paint *paint)
{
    int top = paint->top > band->first ? paint->top : band->first;
    int bottom = band->first + band->rows;
    if (bottom > paint->bottom) bottom = paint->bottom;
    if (paint->left >= paint->right) return;
    for (int y = top; y < bottom; y++) {
        memset(band->cover + paint->left, 0,
               (size_t)(paint->right - paint->left) * sizeof band->cover[0]);
        for (int i = paint->first; i < paint->first + paint->count; i++) {
            draw_join(band, s, &s->part[i], paint, y);
        }
        float bright = paint->bright + paint->bright_y * ((float)y + 0.5F);
        const float ink[3] = {paint->colour.r, paint->colour.g, paint->colour.b};
        for (int k = 0; k < 3; k++) {
            float *row = band->plane[k] + (y - band->first) * s->width;
            float from = ink[k] * bright, step = ink[k] * paint->bright_x, alpha = paint->alpha;
            for (int x = paint->left; x < paint->right; x++) {
                float value = from + step * ((float)x + 0.5F);
                row[x] += (value - row[x]) * (band->cover[x] * alpha);
            }
        }
    }
}

static void draw_paper(draw_band *band, const fvi_scene *s)
{
    const float middle[3] = {s->paper.r, s->paper.g, s->paper.b};
    const float across[3] = {s->paper_x.r, s->paper_x.g, s->paper_x.b};
    const float down[3] = {s->paper_y.r, s->paper_y.g, s->paper_y.b};
    for (int k = 0; k < 3; k++) {
        float dx = across[k] / (float)s->width, dy = down[k] / (float)s->height;
        for (int y = 0; y < band->rows; y++) {
            float *row = band->plane[k] + y * s->width;
            float from =
                middle[k] + dy * ((float)(band->first + y) + 0.5F - 0.5F * (float)s->height);
            for (int x = 0; x < s->width; x++)
                row[x] = from + dx * ((float)x + 0.5F - 0.5F * (float)s->width);
        }
    }
}

static uint8_t draw_8bit(float value)
{
    value += 0.5F;
    return value < 0.0F ? 0 : value > 255.0F ? 255 : (uint8_t)value;
}

/* A pixel of the band in 8 bits, with the noise that bits hold: a byte that all parts of a colour
   share, and a byte for each. */
static void draw_pixel(uint8_t *pixel, const draw_band *band, int i, int channels, float light,
                       float noise, uint32_t bits)
{
    int shared = (int)(bits >> 24) - 255;
    fvi_colour c = {band->plane[0][i] * light, band->plane[1][i] * light,
                    band->plane[2][i] * light};
    if (channels == 1) {
        pixel[0] =
            draw_8bit(fvi_colour_luminance(c) + noise * (float)((int)(bits & 255u) + shared));
        return;
    }
    pixel[0] = draw_8bit(c.r + noise * (float)((int)(bits & 255u) + shared));
    pixel[1] = draw_8bit(c.g + noise * (float)((int)(bits >> 8 & 255u) + shared));
    pixel[2] = draw_8bit(c.b + noise * (float)((int)(bits >> 16 & 255u) + shared));
}

/* The light over the whole picture, then noise of a random word for each pixel. */
static void draw_develop(uint8_t *pixels, const draw_band *band, const fvi_scene *s, int channels,
                         float noise, const fvi_made_rng *rng)
{
    float across = 0.35F * s->light_x / (float)s->width;
    float down = 0.35F * s->light_y / (float)s->height;
    uint32_t word[4] = {0};
    for (int i = 0; i < band->rows * s->width; i++) {
        int at = band->first * s->width + i, x = at % s->width, y = at / s->width;
        if (i == 0 || at % 4 == 0) {
            uint64_t index = DRAW_NOISE + (uint64_t)at / 4;
            fvi_rng_words(word, rng->seed, FVI_RNG_MADE, rng->stream, index);
        }
        float light = 1.0F + across * ((float)x + 0.5F - 0.5F * (float)s->width) +
                      down * ((float)y + 0.5F - 0.5F * (float)s->height);
        draw_pixel(pixels + (size_t)at * (size_t)channels, band, i, channels, light, noise / 255.0F,
                   word[at % 4]);
    }
}

void fvi_scene_draw(const fvi_scene *s, uint8_t *pixels, int channels, float noise,
                    const fvi_made_rng *rng)
{
    draw_band band = {0};
    int rows = DRAW_BAND / s->width;
    assert(s->begun == s->parts); /* all is painted */
    for (band.first = 0; band.first < s->height; band.first += rows) {
        band.rows = s->height - band.first < rows ? s->height - band.first : rows;
        draw_paper(&band, s);
        for (int i = 0; i < s->shapes; i++) {
            draw_shape(&band, s, &s->shape[i]);
        }
        draw_develop(pixels, &band, s, channels, noise, rng);
    }
}
