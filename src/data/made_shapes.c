/* SPDX-License-Identifier: MIT */
/* made:shapes: one to three plain shapes. The label is the class of the largest; the boxes of all
   are for detection. */
#include "data/made_draw.h"

#include <math.h>

#define SHAPES_MOST 3
#define SHAPES_CORNERS 12
#define SHAPES_TRIES 20 /* places tried for a further shape */

const char *const fvi_made_shape_names[] = {"circle", "square", "triangle",
                                            "star",   "cross",  "heart"};

enum {
    SHAPES_CIRCLE,
    SHAPES_SQUARE,
    SHAPES_TRIANGLE,
    SHAPES_STAR,
    SHAPES_CROSS,
    SHAPES_HEART,
    SHAPES_COUNT
};

/* A polygon and discs that overlap it; within `reach` of 0, 0. half_turn: how far it is turned. */
static const struct {
    float reach, area, half_turn;
    int corners, discs;
    fvi_dot corner[SHAPES_CORNERS], disc[2];
} shapes_outline[SHAPES_COUNT] = {
    {1.0F, 3.14F, 1.0F, 0, 1, {{0.0F, 0.0F, 0.0F}}, {{0.0F, 0.0F, 1.0F}}},
    {1.28F,
     3.24F,
     0.4143F,
     4,
     0,
     {{-0.9F, -0.9F, 0}, {0.9F, -0.9F, 0}, {0.9F, 0.9F, 0}, {-0.9F, 0.9F, 0}},
     {{0.0F, 0.0F, 0.0F}}},
    {1.3F,
     2.2F,
     1.0F,
     3,
     0,
     {{0.0F, -1.3F, 0}, {1.1258F, 0.65F, 0}, {-1.1258F, 0.65F, 0}},
     {{0.0F, 0.0F, 0.0F}}},
    {1.3F,
     2.07F,
     1.0F,
     10,
     0,
     {{0.0F, -1.3F, 0},
      {0.3174F, -0.4369F, 0},
      {1.2364F, -0.4017F, 0},
      {0.5136F, 0.1669F, 0},
      {0.7641F, 1.0517F, 0},
      {0.0F, 0.54F, 0},
      {-0.7641F, 1.0517F, 0},
      {-0.5136F, 0.1669F, 0},
      {-1.2364F, -0.4017F, 0},
      {-0.3174F, -0.4369F, 0}},
     {{0.0F, 0.0F, 0.0F}}},
    {1.16F,
     2.45F,
     1.0F,
     12,
     0,
     {{-0.35F, -1.1F, 0},
      {0.35F, -1.1F, 0},
      {0.35F, -0.35F, 0},
      {1.1F, -0.35F, 0},
      {1.1F, 0.35F, 0},
      {0.35F, 0.35F, 0},
      {0.35F, 1.1F, 0},
      {-0.35F, 1.1F, 0},
      {-0.35F, 0.35F, 0},
      {-1.1F, 0.35F, 0},
      {-1.1F, -0.35F, 0},
      {-0.35F, -0.35F, 0}},
     {{0.0F, 0.0F, 0.0F}}},
    {1.1F,
     2.57F,
     0.3F,
     4,
     2,
     {{0.0F, -0.6485F, 0}, {0.8485F, 0.2F, 0}, {0.0F, 1.0485F, 0}, {-0.8485F, 0.2F, 0}},
     {{-0.4243F, -0.2243F, 0.6F}, {0.4243F, -0.2243F, 0.6F}}},
};

/* A shape in the picture: where, how large, how turned. */
typedef struct shapes_item {
    int label;
    fvi_frame frame;
    float reach; /* pixels */
} shapes_item;

static shapes_item shapes_put(fvi_made_rng *rng, int label, int height, int width, float scale)
{
    shapes_item item = {.label = label, .frame = fvi_frame_of(height, width)};
    float half = shapes_outline[label].half_turn, unit = item.frame.scale;
    float reach = scale * shapes_outline[label].reach;
    float u = (float)width / (2.0F * unit) - reach, v = (float)height / (2.0F * unit) - reach;
    u = fvi_made_between(rng, -u, u);
    v = fvi_made_between(rng, -v, v);
    fvi_frame_move(&item.frame, u, v, scale, fvi_made_between(rng, -half, half));
    item.reach = reach * unit;
    return item;
}

static bool shapes_touch(const shapes_item *a, const shapes_item *b)
{
    float x = a->frame.x - b->frame.x, y = a->frame.y - b->frame.y, most = a->reach + b->reach;
    return x * x + y * y < most * most;
}

/* The largest first; no two touch, and the others have at most half of its area. */
static int shapes_plan(shapes_item items[SHAPES_MOST], fvi_made_rng *rng, int label, int height,
                       int width)
{
    int wanted = 1 + fvi_made_pick(rng, SHAPES_MOST), count = 1;
    float scale = fvi_made_between(rng, wanted > 1 ? 0.36F : 0.3F, wanted > 1 ? 0.5F : 0.62F);
    items[0] = shapes_put(rng, label, height, width, scale);
    for (int try = 0; try < SHAPES_TRIES && count < wanted; try++) {
        int other = fvi_made_pick(rng, SHAPES_COUNT);
        float most = sqrtf(0.5F * shapes_outline[label].area / shapes_outline[other].area);
        most = scale * most * fvi_made_between(rng, 0.55F, 1.0F);
        items[count] = shapes_put(rng, other, height, width, most);
        bool is_free = true;
        for (int k = 0; k < count; k++)
            is_free = is_free && !shapes_touch(&items[k], &items[count]);
        count += is_free;
    }
    return count;
}

static void shapes_parts(fvi_scene *s, int label, float scale)
{
    fvi_dot dots[SHAPES_CORNERS];
    int corners = shapes_outline[label].corners;
    for (int i = 0; i < corners; i++) {
        fvi_dot at = shapes_outline[label].corner[i];
        dots[i] = (fvi_dot){scale * at.u, scale * at.v, 0.0F};
    }
    if (corners > 0) fvi_scene_polygon(s, FVI_ADD, dots, corners);
    for (int i = 0; i < shapes_outline[label].discs; i++) {
        fvi_dot at = shapes_outline[label].disc[i];
        fvi_scene_oval(s, FVI_ADD,
                       (fvi_oval){scale * at.u, scale * at.v, scale * at.r, scale * at.r, 0});
    }
}

/* A colour that is much lighter or darker than what is behind. */
static fvi_colour shapes_colour(fvi_made_rng *rng, float behind)
{
    fvi_colour colour = {0};
    for (int try = 0; try < 8; try++) {
        float hue = fvi_made_between(rng, 0.0F, 6.0F), strong = fvi_made_between(rng, 0.3F, 1.0F);
        colour = fvi_colour_hsv(hue, strong, fvi_made_between(rng, 0.15F, 1.0F));
        if (fabsf(fvi_colour_luminance(colour) - behind) > 55.0F) return colour;
    }
    return behind > 128.0F ? (fvi_colour){60, 30, 40} : (fvi_colour){240, 225, 120};
}

/* Thin lines and specks. */
static void shapes_clutter(fvi_scene *s, fvi_made_rng *rng, float behind)
{
    for (int i = fvi_made_pick(rng, 6); i > 0; i--) {
        fvi_dot a, b;
        a.u = fvi_made_between(rng, -1.0F, 1.0F);
        a.v = fvi_made_between(rng, -1.0F, 1.0F);
        a.r = fvi_made_between(rng, 0.01F, 0.03F);
        b.u = a.u + fvi_made_between(rng, -0.7F, 0.7F);
        b.v = a.v + fvi_made_between(rng, -0.7F, 0.7F);
        b.r = a.r;
        fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){a, b}, 1 + (fvi_made_pick(rng, 3) > 0));
        fvi_colour colour = shapes_colour(rng, behind);
        fvi_scene_paint(s, colour, fvi_made_between(rng, 0.3F, 0.8F), 0.0F);
    }
}

int fvi_made_shape(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                   fv_split split, int i)
{
    shapes_item items[SHAPES_MOST];
    int label = fvi_made_class(seed, split, i, SHAPES_COUNT);
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    int count = shapes_plan(items, &rng, label, height, width);
    fvi_scene s;
    fvi_scene_begin(&s, height, width, fvi_made_between(&rng, 0.6F, 1.3F));
    s.light_x = fvi_made_between(&rng, -0.5F, 0.5F);
    s.light_y = fvi_made_between(&rng, -0.5F, 0.5F);
    fvi_scene_background(&s, &rng, 0);
    float behind = fvi_colour_luminance(s.paper);
    shapes_clutter(&s, &rng, behind);
    for (int k = 0; k < count; k++) {
        fvi_colour colour = shapes_colour(&rng, behind);
        float round = fvi_made_between(&rng, 0.0F, 0.6F);
        s.frame = items[k].frame;
        shapes_parts(&s, items[k].label, 1.0F);
        fvi_scene_paint(&s, colour, 1.0F, round);
        if (fvi_made_pick(&rng, 3) > 0) continue; /* else with a border */
        shapes_parts(&s, items[k].label, 0.72F);
        fvi_scene_paint(&s, fvi_colour_mix(colour, (fvi_colour){255, 255, 255}, 0.4F), 1.0F, round);
    }
    fvi_scene_draw(&s, pixels, channels, fvi_made_between(&rng, 0.0F, 18.0F), &rng);
    return label;
}

static void shapes_reach(fv_box *box, fvi_dot at)
{
    box->x0 = at.u - at.r < box->x0 ? at.u - at.r : box->x0;
    box->y0 = at.v - at.r < box->y0 ? at.v - at.r : box->y0;
    box->x1 = at.u + at.r > box->x1 ? at.u + at.r : box->x1;
    box->y1 = at.v + at.r > box->y1 ? at.v + at.r : box->y1;
}

int fvi_made_shape_boxes(fv_box *box, int room, int height, int width, uint64_t seed,
                         fv_split split, int i)
{
    shapes_item items[SHAPES_MOST];
    int label = fvi_made_class(seed, split, i, SHAPES_COUNT);
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    int count = shapes_plan(items, &rng, label, height, width);
    for (int k = 0; k < count && k < room; k++) {
        const fvi_frame *frame = &items[k].frame;
        int kind = items[k].label;
        box[k] = (fv_box){kind, frame->x, frame->y, frame->x, frame->y};
        for (int j = 0; j < shapes_outline[kind].corners; j++)
            shapes_reach(&box[k], fvi_frame_place(frame, shapes_outline[kind].corner[j]));
        for (int j = 0; j < shapes_outline[kind].discs; j++)
            shapes_reach(&box[k], fvi_frame_place(frame, shapes_outline[kind].disc[j]));
    }
    return count;
}
