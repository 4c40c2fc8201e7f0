/* SPDX-License-Identifier: MIT */
/* A picture as a list of shapes, back to front, each made of simple parts; then drawn with soft
   edges in bands of rows, so that a picture of any size needs the same small memory. */
#ifndef FVI_MADE_DRAW_H
#define FVI_MADE_DRAW_H

#include "data/data_internal.h"

/* What a scene can hold: half as much again as the fullest face. */
#define FVI_SCENE_DOTS 320
#define FVI_SCENE_PARTS 96
#define FVI_SCENE_SHAPES 64

/* Parts of 0 to 255. */
typedef struct fvi_colour {
    float r, g, b;
} fvi_colour;

/* From units, in which a set describes its things, to pixels. */
typedef struct fvi_frame {
    float x, y;         /* where 0, 0 is */
    float scale;        /* pixels of a unit */
    float cosine, sine; /* it is turned by so much, clockwise */
    float mirror;       /* 1, or -1: u points to the left */
} fvi_frame;

/* A point u, v of the frame (v down), and the radius of the pen there, in units. */
typedef struct fvi_dot {
    float u, v, r;
} fvi_dot;

/* Of a whole picture: 0, 0 is its middle, a unit half its shorter side. */
fvi_frame fvi_frame_of(int height, int width);
/* Move 0, 0 by u, v units, then scale, then turn by twice the angle with this tangent. */
void fvi_frame_move(fvi_frame *frame, float u, float v, float scale, float half_turn);
/* A dot in pixels. */
fvi_dot fvi_frame_place(const fvi_frame *frame, fvi_dot dot);

/* An ellipse: its middle, its radii, and the tangent of half the angle that it leans by. */
typedef struct fvi_oval {
    float u, v, ru, rv, lean;
} fvi_oval;

/* What a part does to the shape that it belongs to. */
typedef enum fvi_join { FVI_ADD, FVI_CUT, FVI_KEEP } fvi_join; /* KEEP: what lies in it */

typedef struct fvi_part { /* in pixels; made_draw.c */
    int kind;
    fvi_join join;
    float soft;
    int first, count; /* of dots */
    fvi_dot middle;
    float rx, ry, cosine, sine;
    int left, right, top, bottom; /* pixels left .. right-1, top .. bottom-1 may be covered */
} fvi_part;

typedef struct fvi_paint { /* in pixels; made_draw.c */
    int first, count;      /* of parts */
    fvi_colour colour;
    float alpha, bright, bright_x, bright_y; /* colour * (bright + bright_x * x + bright_y * y) */
    int left, right, top, bottom;
} fvi_paint;

typedef struct fvi_scene {
    int height, width;
    fvi_frame frame;
    float soft;             /* pixels on both sides of an edge over which it fades */
    float light_x, light_y; /* where light comes from; its length is its strength */
    /* the background: its middle, and how it changes from side to side */
    fvi_colour paper, paper_x, paper_y;
    int dots, parts, shapes, begun; /* begun: the first part of the shape at work */
    fvi_dot dot[FVI_SCENE_DOTS];
    fvi_part part[FVI_SCENE_PARTS];
    fvi_paint shape[FVI_SCENE_SHAPES];
} fvi_scene;

/* An empty scene with the frame of the whole picture. soft is for a picture of 64 pixels and grows
   with it, but an edge is never harder than pixels can show. */
void fvi_scene_begin(fvi_scene *scene, int height, int width, float soft);

/* Parts; those of a shape come one after the other, and the first is FVI_ADD. */
void fvi_scene_oval(fvi_scene *scene, fvi_join join, fvi_oval oval);
/* A line through the dots, its ends round. */
void fvi_scene_stroke(fvi_scene *scene, fvi_join join, const fvi_dot *dots, int count);
/* The same along the parabola from a to c whose tangents there meet in b. */
void fvi_scene_curve(fvi_scene *scene, fvi_join join, fvi_dot a, fvi_dot b, fvi_dot c);
/* Corners rounded by adding a border of the radius of the first dot. At most FVI_POLYGON dots. */
#define FVI_POLYGON 40
void fvi_scene_polygon(fvi_scene *scene, fvi_join join, const fvi_dot *dots, int count);
/* The points of the same parabola, for polygons: count of them, from a to c. */
void fvi_dots_curve(fvi_dot *dots, int count, fvi_dot a, fvi_dot b, fvi_dot c);

/* Paint the parts since the last paint. alpha 1: opaque. round: how much brighter the side to the
   light is, and how much darker the other; 0 is flat. */
void fvi_scene_paint(fvi_scene *scene, fvi_colour colour, float alpha, float round);

/* A background of two colours and so many soft things on it, drawn from rng. */
void fvi_scene_background(fvi_scene *scene, fvi_made_rng *rng, int things);

/* Draw: pixels [H,W,C], C 1 or 3; grey is the luminance of colour. Noise adds -noise to noise, less
   more often than more, and takes none of rng's numbers. */
void fvi_scene_draw(const fvi_scene *scene, uint8_t *pixels, int channels, float noise,
                    const fvi_made_rng *rng);

/* Mostly about the middle: the mean of two uniform numbers. */
float fvi_made_middling(fvi_made_rng *rng, float low, float high);

/* hue 0 .. 6 (red, yellow, green, cyan, blue, magenta), saturation and value 0 .. 1 */
fvi_colour fvi_colour_hsv(float hue, float saturation, float value);
fvi_colour fvi_colour_skin(fvi_made_rng *rng); /* light to dark, all alike often */
fvi_colour fvi_colour_mix(fvi_colour a, fvi_colour b, float part_of_b);
fvi_colour fvi_colour_times(fvi_colour a, float factor);
float fvi_colour_luminance(fvi_colour a);

#endif
