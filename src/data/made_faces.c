/* SPDX-License-Identifier: MIT */
/* made:faces: smiling or not. The mouth alone tells; skin, hair, eyes, brows, glasses, hats, pose,
   light and what is behind have nothing to do with it. */
#include "data/made_draw.h"

#include <math.h>

const char *const fvi_made_face_names[] = {"neutral", "happy"};

/* Lengths are units in which the head is about 2 high, its middle 0, 0. */
typedef struct faces_look {
    fvi_made_rng *rng;
    fvi_colour skin, hair, lips;
    float turn;      /* to the side: how far the middle of the face is from the head's */
    float wide, jaw; /* half widths */
    float eyes;      /* how high they are: v */
    bool is_happy, has_hat, is_long;
} faces_look;

static const fvi_colour faces_hair[] = {
    {28, 23, 22},    {44, 32, 26},    {66, 44, 31},   {98, 64, 40},
    {150, 102, 58},  {212, 172, 104}, {172, 78, 42},  {186, 186, 190},
    {228, 219, 205}, {206, 92, 150},  {72, 112, 190}, {120, 60, 140},
};
static const fvi_colour faces_iris[] = {
    {70, 44, 26}, {92, 62, 34}, {62, 106, 150}, {72, 122, 82}, {110, 110, 96},
};
static const fvi_colour faces_dark = {38, 26, 26};
static const fvi_colour faces_gap = {70, 16, 22};
static const fvi_colour faces_white = {250, 250, 246};

static float faces_between(const faces_look *f, float low, float high)
{
    return fvi_made_between(f->rng, low, high);
}

/* True this often, of 100. */
static bool faces_is(const faces_look *f, int percent)
{
    return fvi_made_pick(f->rng, 100) < percent;
}

/* A point of the face when it looks straight ahead goes here when it is turned. */
static fvi_dot faces_at(const faces_look *f, float u, float v, float r)
{
    return (fvi_dot){u * (1.0F - f->turn * f->turn) + f->turn * (1.0F - 0.7F * u * u), v, r};
}

static fvi_oval faces_oval(const faces_look *f, float u, float v, float ru, float rv)
{
    fvi_dot at = faces_at(f, u, v, 0.0F);
    return (fvi_oval){at.u, at.v, ru, rv, 0.0F};
}

static void faces_curve(fvi_scene *s, const faces_look *f, fvi_dot a, fvi_dot b, fvi_dot c)
{
    fvi_scene_curve(s, FVI_ADD, faces_at(f, a.u, a.v, a.r), faces_at(f, b.u, b.v, b.r),
                    faces_at(f, c.u, c.v, c.r));
}

/* ---- behind the face ---- */

static void faces_shoulders(fvi_scene *s, const faces_look *f)
{
    float hue = faces_between(f, 0.0F, 6.0F), saturation = faces_between(f, 0.1F, 0.8F);
    fvi_colour shirt = fvi_colour_hsv(hue, saturation, faces_between(f, 0.25F, 0.9F));
    float broad = faces_between(f, 0.75F, 1.15F), high = faces_between(f, 1.38F, 1.5F);
    fvi_scene_stroke(s, FVI_ADD,
                     (fvi_dot[]){{-broad, high + 0.5F, 0.5F},
                                 {0.0F, high + 0.25F, 0.45F},
                                 {broad, high + 0.5F, 0.5F}},
                     3);
    fvi_scene_polygon(s, FVI_ADD,
                      (fvi_dot[]){{-broad - 0.5F, high + 0.5F, 0},
                                  {broad + 0.5F, high + 0.5F, 0},
                                  {broad + 0.5F, 4.0F, 0},
                                  {-broad - 0.5F, 4.0F, 0}},
                      4);
    fvi_scene_paint(s, shirt, 1.0F, 0.3F);
    fvi_dot neck[] = {{0.0F, 0.6F, 0.34F}, {0.0F, 1.25F, 0.34F}};
    neck[0].r = neck[1].r = faces_between(f, 0.28F, 0.38F);
    fvi_scene_stroke(s, FVI_ADD, neck, 2);
    fvi_scene_paint(s, fvi_colour_times(f->skin, 0.8F), 1.0F, 0.2F);
}

static void faces_hair_behind(fvi_scene *s, const faces_look *f, int style)
{
    if (f->is_long) {
        float low = faces_between(f, 0.5F, 1.5F), flare = faces_between(f, 0.62F, 0.85F);
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -0.2F, f->wide + 0.16F, 0.95F, 0});
        fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{-0.55F, 0, 0.42F}, {-flare, low, 0.3F}}, 2);
        fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{0.55F, 0, 0.42F}, {flare, low, 0.3F}}, 2);
        fvi_scene_paint(s, fvi_colour_times(f->hair, 0.8F), 1.0F, 0.3F);
    }
    if (style == 4) { /* a bun */
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){0.2F * f->turn, -1.12F, 0.32F, 0.3F, 0});
        fvi_scene_paint(s, fvi_colour_times(f->hair, 0.9F), 1.0F, 0.4F);
    }
    if (style == 5) { /* two tails */
        float out = faces_between(f, 1.0F, 1.12F), high = faces_between(f, -0.5F, 0.2F);
        for (int side = -1; side <= 1; side += 2) {
            float u = (float)side;
            fvi_scene_stroke(s, FVI_ADD,
                             (fvi_dot[]){{u * 0.7F, high, 0.1F},
                                         {u * out, high - 0.06F, 0.14F},
                                         {u * (out + 0.1F), high + 0.2F, 0.18F},
                                         {u * (out + 0.06F), high + 0.45F, 0.13F},
                                         {u * (out + 0.12F), high + 0.66F, 0.03F}},
                             5);
        }
        fvi_scene_paint(s, fvi_colour_times(f->hair, 0.85F), 1.0F, 0.3F);
    }
    if (style == 6) { /* curls all around */
        for (int i = 0; i < 11; i++) {
            float t = -1.0F + 0.2F * (float)i, per = 1.0F / (1.0F + t * t);
            float u = 2.0F * t * per * (f->wide + 0.1F), v = -0.2F - (1.0F - t * t) * per * 0.85F;
            float r = faces_between(f, 0.26F, 0.36F);
            fvi_scene_oval(s, FVI_ADD, (fvi_oval){u, v + 0.1F, r, r, 0});
        }
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -0.35F, f->wide + 0.1F, 0.8F, 0});
        fvi_scene_paint(s, f->hair, 1.0F, 0.4F);
    }
}

static void faces_skull(fvi_scene *s, const faces_look *f, float more)
{
    fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -0.16F, f->wide + more, 0.84F + more, 0});
    fvi_scene_oval(s, FVI_ADD, (fvi_oval){0.4F * f->turn, 0.3F, f->jaw + more, 0.7F + more, 0});
}

static void faces_head(fvi_scene *s, const faces_look *f)
{
    float ear = faces_between(f, 0.13F, 0.18F), shade = faces_between(f, 0.5F, 0.95F);
    for (int side = -1; side <= 1; side += 2) {
        float u = (float)side * (f->wide + 0.02F) - 0.5F * f->turn;
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){u, f->eyes + 0.16F, ear, 0.2F, 0});
    }
    fvi_scene_paint(s, fvi_colour_times(f->skin, 0.88F), 1.0F, 0.3F);
    faces_skull(s, f, 0.025F);
    fvi_scene_paint(s, fvi_colour_times(f->skin, 0.72F), 1.0F, 0.2F);
    faces_skull(s, f, 0.0F);
    fvi_scene_paint(s, f->skin, 1.0F, shade);
    if (faces_is(f, f->is_happy ? 60 : 30)) { /* red cheeks */
        float blush = faces_between(f, 0.15F, 0.5F), soft = s->soft;
        s->soft += 0.08F * s->frame.scale;
        for (int side = -1; side <= 1; side += 2) {
            fvi_scene_oval(s, FVI_ADD, faces_oval(f, 0.45F * (float)side, 0.27F, 0.15F, 0.12F));
        }
        fvi_scene_paint(s, fvi_colour_mix(f->skin, (fvi_colour){226, 70, 70}, 0.6F), blush, 0.0F);
        s->soft = soft;
    }
}

/* ---- eyes, brows, nose ---- */

static void faces_eye(fvi_scene *s, const faces_look *f, float side, const float size[2],
                      const float look[2], int kind)
{
    float u = 0.34F * side, v = f->eyes;
    if (kind == 0) { /* closed */
        float low = f->is_happy ? -0.12F : 0.1F;
        faces_curve(s, f, (fvi_dot){u - 0.14F, v, 0.028F}, (fvi_dot){u, v + low, 0.032F},
                    (fvi_dot){u + 0.14F, v, 0.028F});
        fvi_scene_paint(s, faces_dark, 0.9F, 0.0F);
        return;
    }
    if (kind == 1) { /* dots */
        fvi_scene_oval(s, FVI_ADD, faces_oval(f, u, v, 0.075F, 0.095F));
        fvi_scene_paint(s, faces_dark, 1.0F, 0.0F);
        return;
    }
    fvi_oval white = faces_oval(f, u, v, size[0], size[1]);
    fvi_scene_oval(s, FVI_ADD, white);
    fvi_scene_paint(s, faces_white, 0.95F, 0.1F);
    fvi_oval iris = {white.u + look[0], v + look[1], 0.085F, 0.09F, 0};
    fvi_scene_oval(s, FVI_ADD, iris);
    fvi_scene_oval(s, FVI_KEEP, white);
    fvi_scene_paint(s, faces_iris[kind - 2], 1.0F, 0.0F);
    iris.ru = iris.rv = 0.05F;
    fvi_scene_oval(s, FVI_ADD, iris);
    fvi_scene_oval(s, FVI_KEEP, white);
    fvi_scene_paint(s, (fvi_colour){16, 12, 12}, 1.0F, 0.0F);
    iris.u -= 0.03F;
    iris.v -= 0.04F;
    iris.ru = iris.rv = 0.025F;
    fvi_scene_oval(s, FVI_ADD, iris);
    fvi_scene_paint(s, faces_white, 0.9F, 0.0F);
    float lid = v - 0.6F * size[1];
    faces_curve(s, f, (fvi_dot){u - size[0], lid + 0.05F, 0.022F},
                (fvi_dot){u, lid - 0.9F * size[1], 0.03F},
                (fvi_dot){u + size[0], lid + 0.05F, 0.022F});
    fvi_scene_paint(s, faces_dark, 0.85F, 0.0F);
}

static void faces_eyes(fvi_scene *s, const faces_look *f)
{
    int kind = fvi_made_pick(f->rng, 12); /* 0 closed, 1 dots, the rest with an iris */
    kind = kind < 2 ? kind : 2 + kind % (int)FVI_COUNT(faces_iris);
    float size[2], look[2];
    size[0] = faces_between(f, 0.12F, 0.17F);
    size[1] = faces_between(f, 0.08F, 0.14F);
    look[0] = faces_between(f, -0.03F, 0.03F) + 0.15F * f->turn;
    look[1] = faces_between(f, -0.02F, 0.02F);
    float slant = faces_between(f, -0.09F, 0.09F), arch = faces_between(f, 0.0F, 0.1F);
    if (f->is_happy) arch += 0.05F + 0.5F * fabsf(slant);
    if (f->is_happy) slant *= 0.3F;
    float high = f->eyes - size[1] - faces_between(f, 0.06F, 0.16F);
    float thick = faces_between(f, 0.022F, 0.055F);
    fvi_colour brow = fvi_colour_mix(f->hair, faces_dark, 0.4F);
    for (int side = -1; side <= 1; side += 2) {
        float u = (float)side;
        faces_eye(s, f, u, size, look, kind);
        faces_curve(s, f, (fvi_dot){u * 0.16F, high + slant, thick},
                    (fvi_dot){u * 0.34F, high - arch, thick},
                    (fvi_dot){u * 0.54F, high - slant, 0.6F * thick});
        fvi_scene_paint(s, brow, 0.9F, 0.0F);
    }
}

static void faces_nose(fvi_scene *s, const faces_look *f)
{
    fvi_colour shade = fvi_colour_times(f->skin, 0.72F);
    float low = faces_between(f, 0.16F, 0.24F), wide = faces_between(f, 0.07F, 0.12F);
    if (faces_is(f, 50)) {
        faces_curve(s, f, (fvi_dot){-wide, low, 0.03F}, (fvi_dot){0, low + 0.1F, 0.035F},
                    (fvi_dot){wide, low, 0.03F});
        fvi_scene_paint(s, shade, 0.9F, 0.0F);
    } else {
        float side = f->turn > 0.0F ? 1.0F : -1.0F;
        faces_curve(s, f, (fvi_dot){0.03F * side, f->eyes + 0.1F, 0.018F},
                    (fvi_dot){0.1F * side, low - 0.02F, 0.025F},
                    (fvi_dot){side * (wide + 0.03F), low, 0.03F});
        fvi_scene_stroke(s, FVI_ADD,
                         (fvi_dot[]){faces_at(f, side * (wide + 0.03F), low, 0.03F),
                                     faces_at(f, -0.03F * side, low + 0.05F, 0.03F)},
                         2);
        fvi_scene_paint(s, shade, 0.85F, 0.0F);
    }
}

/* ---- the mouth, which is the label ---- */

/* A line from corner to corner, its middle lower than its corners by depth. */
static void faces_lips(fvi_scene *s, const faces_look *f, float v, float half, float depth)
{
    float thick = faces_between(f, 0.03F, 0.042F), full = faces_between(f, 0.02F, 0.07F);
    for (int pass = 0; pass < 2; pass++) { /* the lips, then the line between them */
        float r = pass == 0 ? thick + full : thick;
        faces_curve(s, f, (fvi_dot){-half, v - 0.5F * depth, thick},
                    (fvi_dot){0, v + 1.5F * depth, r}, (fvi_dot){half, v - 0.5F * depth, thick});
        fvi_scene_paint(s, pass == 0 ? f->lips : faces_gap, 1.0F, 0.0F);
    }
}

/* An open mouth between two curves that meet in the corners, `up` and `down` being how much lower
   than the corners their middles are; with teeth along the upper one. */
static void faces_open(fvi_scene *s, const faces_look *f, float v, float half, float up, float down,
                       int teeth)
{
    enum { EACH = 9 };
    fvi_dot rim[2 * EACH], bite[2 * EACH], lower[EACH];
    fvi_dots_curve(rim, EACH, (fvi_dot){-half, v, 0}, (fvi_dot){0, v + 2 * up, 0},
                   (fvi_dot){half, v, 0});
    fvi_dots_curve(rim + EACH, EACH, (fvi_dot){half, v, 0}, (fvi_dot){0, v + 2 * down, 0},
                   (fvi_dot){-half, v, 0});
    float deep = teeth == 2 ? 1.0F : faces_between(f, 0.35F, 0.6F);
    for (int i = 0; i < 2 * EACH; i++) {
        rim[i] = faces_at(f, rim[i].u, rim[i].v, 0.0F);
    }
    for (int i = 0; i < EACH; i++) {
        lower[i] = rim[2 * EACH - 1 - i];
        bite[i] = rim[i];
    }
    for (int i = 0; i < EACH; i++) {
        fvi_dot a = rim[EACH - 1 - i], b = lower[EACH - 1 - i];
        bite[EACH + i] = (fvi_dot){a.u, a.v + (b.v - a.v) * deep, 0};
    }
    rim[0].r = 0.05F;
    fvi_scene_polygon(s, FVI_ADD, rim, 2 * EACH);
    fvi_scene_paint(s, f->lips, 0.9F, 0.1F);
    rim[0].r = 0.0F;
    fvi_scene_polygon(s, FVI_ADD, rim, 2 * EACH);
    fvi_scene_paint(s, faces_gap, 1.0F, 0.0F);
    if (teeth == 0) return;
    fvi_scene_polygon(s, FVI_ADD, bite, 2 * EACH);
    fvi_scene_paint(s, faces_white, 1.0F, 0.0F);
}

static void faces_happy(fvi_scene *s, const faces_look *f, float v)
{
    float half = faces_between(f, 0.36F, 0.48F), depth = faces_between(f, 0.14F, 0.22F);
    int kind = fvi_made_pick(f->rng, 10);
    if (kind < 4) {
        faces_lips(s, f, v, half, depth);
    } else {
        float up = faces_between(f, 0.02F, 0.07F);
        float down = up + faces_between(f, 0.14F, 0.26F);
        faces_open(s, f, v - 0.08F, half, up, down, kind < 9 ? 1 + (kind < 6) : 0);
    }
    if (faces_is(f, 50)) { /* the ends of the mouth in the cheeks */
        for (int side = -1; side <= 1; side += 2) {
            float u = (float)side * (half + 0.06F);
            faces_curve(s, f, (fvi_dot){u - 0.02F * (float)side, v - 0.18F, 0.018F},
                        (fvi_dot){u + 0.05F * (float)side, v - 0.08F, 0.018F},
                        (fvi_dot){u, v, 0.018F});
        }
        fvi_scene_paint(s, fvi_colour_times(f->skin, 0.7F), 0.8F, 0.0F);
    }
}

static void faces_unhappy(fvi_scene *s, const faces_look *f, float v)
{
    float half = faces_between(f, 0.2F, 0.36F);
    int kind = fvi_made_pick(f->rng, 10);
    if (kind < 4) faces_lips(s, f, v, half, faces_between(f, -0.02F, 0.01F));
    if (kind >= 4 && kind < 7) faces_lips(s, f, v, half, faces_between(f, -0.16F, -0.06F));
    if (kind == 7) { /* wailing */
        float up = faces_between(f, -0.24F, -0.16F), down = faces_between(f, -0.04F, 0.0F);
        faces_open(s, f, v + 0.12F, half, up, down, faces_is(f, 50));
    }
    if (kind < 8) return;
    float wide = faces_between(f, 0.09F, 0.15F), high = wide * faces_between(f, 0.9F, 1.5F);
    fvi_scene_oval(s, FVI_ADD, faces_oval(f, 0, v, wide + 0.045F, high + 0.045F));
    fvi_scene_paint(s, f->lips, 0.9F, 0.1F);
    fvi_scene_oval(s, FVI_ADD, faces_oval(f, 0, v, wide, high));
    fvi_scene_paint(s, faces_gap, 1.0F, 0.0F);
}

/* ---- in front of the face ---- */

static void faces_beard(fvi_scene *s, const faces_look *f, float mouth)
{
    float alpha = faces_is(f, 50) ? 1.0F : faces_between(f, 0.2F, 0.5F);
    faces_skull(s, f, 0.02F);
    fvi_scene_oval(s, FVI_CUT, faces_oval(f, 0, -0.35F, f->wide + 0.1F, 0.68F));
    fvi_scene_oval(s, FVI_CUT, faces_oval(f, 0, mouth + 0.02F, 0.46F, 0.27F));
    fvi_scene_paint(s, fvi_colour_mix(f->hair, f->skin, 0.15F), alpha, 0.3F);
}

static void faces_hair_front(fvi_scene *s, const faces_look *f, int style)
{
    if (style == 0) return;
    float part = faces_between(f, -0.3F, 0.3F), line = faces_between(f, -0.62F, -0.42F);
    fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -0.25F, f->wide + 0.08F, 0.86F, 0});
    if (style == 3) { /* a fringe */
        fvi_scene_polygon(s, FVI_CUT,
                          (fvi_dot[]){faces_at(f, -0.66F, line + 0.14F, 0.04F),
                                      faces_at(f, 0.66F, line + 0.14F, 0),
                                      {0.9F * f->wide, 1.5F, 0},
                                      {-0.9F * f->wide, 1.5F, 0}},
                          4);
    } else {
        fvi_oval face = faces_oval(f, 0.5F * part, line + 0.98F, f->wide - 0.03F, 0.98F);
        face.lean = style == 2 ? part : 0.0F;
        fvi_scene_oval(s, FVI_CUT, face);
    }
    /* nothing below the ears */
    fvi_scene_polygon(s, FVI_CUT, (fvi_dot[]){{-2, 0.15F, 0}, {2, 0.15F, 0}, {2, 2, 0}, {-2, 2, 0}},
                      4);
    fvi_scene_paint(s, f->hair, 1.0F, 0.45F);
    faces_curve(s, f, (fvi_dot){-0.5F, -0.72F, 0.01F}, (fvi_dot){-0.3F, -1.05F, 0.05F},
                (fvi_dot){0.1F, -0.96F, 0.01F});
    fvi_scene_paint(s, fvi_colour_mix(f->hair, faces_white, 0.45F), 0.5F, 0.0F);
    if (style != 7) return;
    for (int i = 0; i < 6; i++) { /* tufts */
        float u = -0.6F + 0.24F * (float)i, out = faces_between(f, 0.15F, 0.34F);
        float v = -0.25F - 0.86F * (1.0F - 0.55F * u * u);
        fvi_scene_stroke(s, FVI_ADD,
                         (fvi_dot[]){{u, v + 0.2F, 0.16F}, {1.15F * u + 0.1F, v - out, 0.02F}}, 2);
    }
    fvi_scene_paint(s, f->hair, 1.0F, 0.3F);
}

static void faces_glasses(fvi_scene *s, const faces_look *f)
{
    float wide = faces_between(f, 0.2F, 0.26F), high = wide * faces_between(f, 0.75F, 1.0F);
    float thick = faces_between(f, 0.022F, 0.04F), hue = faces_between(f, 0.0F, 6.0F);
    fvi_colour rim = fvi_colour_hsv(hue, 0.6F, faces_between(f, 0.05F, 0.5F));
    bool is_dark = faces_is(f, 20);
    for (int side = -1; side <= 1; side += 2) {
        fvi_oval glass = faces_oval(f, 0.34F * (float)side, f->eyes + 0.02F, wide, high);
        fvi_scene_oval(s, FVI_ADD, glass);
        fvi_scene_paint(s, is_dark ? (fvi_colour){30, 30, 36} : (fvi_colour){215, 230, 240},
                        is_dark ? 0.9F : 0.15F, 0.4F);
        glass.ru += thick;
        glass.rv += thick;
        fvi_scene_oval(s, FVI_ADD, glass);
        glass.ru -= 2.0F * thick;
        glass.rv -= 2.0F * thick;
        fvi_scene_oval(s, FVI_CUT, glass);
        fvi_scene_paint(s, rim, 0.95F, 0.2F);
        fvi_scene_stroke(s, FVI_ADD,
                         (fvi_dot[]){faces_at(f, (float)side * (0.34F + wide), f->eyes, thick),
                                     {(float)side * f->wide, f->eyes + 0.04F, thick}},
                         2);
        fvi_scene_paint(s, rim, 0.95F, 0.0F);
    }
    faces_curve(s, f, (fvi_dot){-0.34F + wide, f->eyes, thick},
                (fvi_dot){0, f->eyes - 0.08F, thick}, (fvi_dot){0.34F - wide, f->eyes, thick});
    fvi_scene_paint(s, rim, 0.95F, 0.0F);
}

static void faces_hat(fvi_scene *s, const faces_look *f)
{
    float hue = faces_between(f, 0.0F, 6.0F), saturation = faces_between(f, 0.3F, 0.9F);
    fvi_colour cloth = fvi_colour_hsv(hue, saturation, faces_between(f, 0.3F, 0.95F));
    int kind = fvi_made_pick(f->rng, 3);
    float line = f->eyes - faces_between(f, 0.3F, 0.42F);
    if (kind == 0) { /* knitted, with a bobble */
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -1.25F, 0.2F, 0.2F, 0});
        fvi_scene_paint(s, fvi_colour_mix(cloth, faces_white, 0.5F), 1.0F, 0.4F);
    }
    fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, -0.3F, f->wide + 0.12F, kind == 1 ? 0.86F : 0.9F, 0});
    fvi_scene_polygon(s, FVI_CUT, (fvi_dot[]){{-2, line, 0}, {2, line, 0}, {2, 2, 0}, {-2, 2, 0}},
                      4);
    fvi_scene_paint(s, cloth, 1.0F, 0.5F);
    fvi_colour band = fvi_colour_times(cloth, kind == 0 ? 0.75F : 0.55F);
    float side = f->turn > 0.0F ? 1.0F : -1.0F, out = f->wide + 0.1F;
    if (kind == 0)
        fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{-out, line, 0.1F}, {out, line, 0.1F}}, 2);
    if (kind == 1) /* a peak */
        fvi_scene_curve(s, FVI_ADD, (fvi_dot){-out * side, line, 0.05F},
                        (fvi_dot){0, line - 0.06F, 0.1F},
                        (fvi_dot){side * (out + 0.25F), line + 0.03F, 0.05F});
    if (kind == 2) /* a brim */
        fvi_scene_oval(s, FVI_ADD, (fvi_oval){0, line, f->wide + 0.42F, 0.13F, 0});
    fvi_scene_paint(s, band, 1.0F, 0.3F);
}

/* ---- a picture ---- */

static faces_look faces_begin(fvi_made_rng *rng, bool is_happy)
{
    faces_look f = {.rng = rng, .is_happy = is_happy};
    f.skin = fvi_colour_skin(rng);
    f.hair = faces_hair[fvi_made_pick(rng, (int)FVI_COUNT(faces_hair))];
    /* Lips are redder than light skin and lighter than dark skin. */
    float dark = fvi_colour_luminance(f.skin) < 140.0F ? 1.0F : 0.0F;
    fvi_colour red = {190.0F + 40.0F * dark, 40.0F + 70.0F * dark, 60.0F + 55.0F * dark};
    f.lips = fvi_colour_mix(f.skin, red, faces_between(&f, 0.45F, 0.85F));
    f.turn = faces_between(&f, -0.16F, 0.16F);
    f.wide = faces_between(&f, 0.72F, 0.82F);
    f.jaw = f.wide - faces_between(&f, 0.04F, 0.2F);
    f.eyes = faces_between(&f, -0.18F, -0.06F);
    f.has_hat = faces_is(&f, 18);
    f.is_long = faces_is(&f, 35);
    return f;
}

int fvi_made_face(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i)
{
    int label = fvi_made_class(seed, split, i, 2);
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    fvi_scene s;
    fvi_scene_begin(&s, height, width, fvi_made_between(&rng, 0.6F, 1.3F));
    s.light_x = fvi_made_between(&rng, -0.5F, 0.5F);
    s.light_y = fvi_made_between(&rng, -0.5F, 0.15F);
    fvi_scene_background(&s, &rng, fvi_made_pick(&rng, 6));
    float u = fvi_made_middling(&rng, -0.09F, 0.09F), v = fvi_made_middling(&rng, -0.02F, 0.12F);
    float scale = fvi_made_middling(&rng, 0.62F, 0.74F);
    fvi_frame_move(&s.frame, u, v, scale, fvi_made_middling(&rng, -0.176F, 0.176F));
    faces_look f = faces_begin(&rng, label == 1);
    int style = fvi_made_pick(&rng, f.has_hat ? 4 : 8); /* no tufts and buns under a hat */
    float mouth = fvi_made_between(&rng, 0.46F, 0.54F);
    faces_hair_behind(&s, &f, style);
    faces_shoulders(&s, &f);
    faces_head(&s, &f);
    if (!f.is_long && faces_is(&f, 18)) faces_beard(&s, &f, mouth);
    faces_nose(&s, &f);
    if (label == 1) faces_happy(&s, &f, mouth);
    if (label == 0) faces_unhappy(&s, &f, mouth);
    faces_eyes(&s, &f);
    faces_hair_front(&s, &f, style);
    if (faces_is(&f, 22)) faces_glasses(&s, &f);
    if (f.has_hat) faces_hat(&s, &f);
    fvi_scene_draw(&s, pixels, channels, fvi_made_between(&rng, 0.0F, 16.0F), &rng);
    return label;
}
