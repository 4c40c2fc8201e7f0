/* SPDX-License-Identifier: MIT */
/* made:edges: one straight edge between light and dark, or none. For the first lesson on
   convolution: what a filter finds. */
#include "data/made_draw.h"

#define EDGES_FAR 4.0F /* half sides; beyond the picture however it is turned */

const char *const fvi_made_edge_names[] = {"none", "vertical", "horizontal", "rising", "falling"};

enum { EDGES_NONE, EDGES_VERTICAL, EDGES_HORIZONTAL, EDGES_RISING, EDGES_FALLING, EDGES_COUNT };

/* The tangent of half the angle between the edge and an upright one. */
static const float edges_half_turn[EDGES_COUNT] = {0.0F, 0.0F, 1.0F, 0.41421356F, -0.41421356F};

/* A colour as light as that: the parts stray so that luminance stays. */
static fvi_colour edges_colour(fvi_made_rng *rng, float light)
{
    float r = fvi_made_between(rng, -30.0F, 30.0F), b = fvi_made_between(rng, -50.0F, 50.0F);
    return (fvi_colour){light + r, light - (0.299F * r + 0.114F * b) / 0.587F, light + b};
}

/* Soft spots without straight sides, fainter than an edge. */
static void edges_clutter(fvi_scene *s, fvi_made_rng *rng, float light)
{
    float soft = s->soft, wide = (float)s->width / (2.0F * s->frame.scale);
    float high = (float)s->height / (2.0F * s->frame.scale);
    for (int i = fvi_made_pick(rng, 4); i > 0; i--) {
        fvi_oval spot;
        spot.u = fvi_made_between(rng, -wide, wide);
        spot.v = fvi_made_between(rng, -high, high);
        spot.ru = fvi_made_between(rng, 0.08F, 0.45F);
        spot.rv = spot.ru * fvi_made_between(rng, 0.7F, 1.4F);
        spot.lean = fvi_made_between(rng, -1.0F, 1.0F);
        s->soft = soft + fvi_made_between(rng, 0.05F, 0.25F) * s->frame.scale;
        fvi_scene_oval(s, FVI_ADD, spot);
        float change = fvi_made_between(rng, -45.0F, 45.0F);
        fvi_scene_paint(s, edges_colour(rng, light + change), 0.6F, 0.0F);
    }
    s->soft = soft;
}

int fvi_made_edge(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i)
{
    int label = fvi_made_class(seed, split, i, EDGES_COUNT);
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    fvi_scene s;
    fvi_scene_begin(&s, height, width, fvi_made_between(&rng, 1.2F, 7.0F));
    s.light_x = fvi_made_between(&rng, -0.4F, 0.4F);
    s.light_y = fvi_made_between(&rng, -0.4F, 0.4F);
    float middle = fvi_made_between(&rng, 70.0F, 185.0F);
    float half = fvi_made_between(&rng, 24.0F, 65.0F);
    if (fvi_made_pick(&rng, 2) == 0) half = -half; /* dark to light, or light to dark */
    if (label == EDGES_NONE) half = 0.0F;
    s.paper = edges_colour(&rng, middle - half);
    /* Turned by a few degrees more or less, somewhere in the middle half. */
    fvi_frame kept = s.frame;
    float turn = edges_half_turn[label] + fvi_made_between(&rng, -0.08F, 0.08F);
    float u = fvi_made_between(&rng, -0.5F, 0.5F), v = fvi_made_between(&rng, -0.5F, 0.5F);
    fvi_frame_move(&s.frame, u, v, 1.0F, turn);
    fvi_colour other = edges_colour(&rng, middle + half);
    if (label != EDGES_NONE) {
        const float wide = EDGES_FAR * (float)(height > width ? height : width) / s.frame.scale;
        fvi_scene_polygon(
            &s, FVI_ADD,
            (fvi_dot[]){{0, -wide, 0}, {wide, -wide, 0}, {wide, wide, 0}, {0, wide, 0}}, 4);
        fvi_scene_paint(&s, other, 1.0F, 0.0F);
    }
    s.frame = kept;
    edges_clutter(&s, &rng, middle);
    fvi_scene_draw(&s, pixels, channels, fvi_made_between(&rng, 0.0F, 20.0F), &rng);
    return label;
}
