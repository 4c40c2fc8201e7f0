/* SPDX-License-Identifier: MIT */
/* made:hands: a hand that holds up 0 to 5 fingers, its palm or its back to us, left or right. */
#include "data/made_draw.h"

#include <math.h>

/* Fingers by number, the thumb first; also bits of a set of them. */
enum { HANDS_THUMB, HANDS_INDEX, HANDS_MIDDLE, HANDS_RING, HANDS_LITTLE, HANDS_FINGERS };
#define HANDS_USUAL 5 /* usual ways to show a number */
#define HANDS_RUDE (1 << HANDS_MIDDLE)
#define HANDS_NEIGHBOURS (1 << HANDS_INDEX | 1 << HANDS_MIDDLE | 1 << HANDS_RING)

/* Lengths are units in which the palm is about 0.9 high, its middle 0, 0, fingers up, the thumb to
   the left. */
typedef struct hands_look {
    fvi_made_rng *rng;
    fvi_colour skin, edge, fold; /* light, outlines, creases */
    bool is_back;
    float spread, thick, tall; /* of the fingers */
} hands_look;

/* Sets of fingers that show a number; what is oftener stands oftener. */
#define T (1 << HANDS_THUMB)
#define I (1 << HANDS_INDEX)
#define M (1 << HANDS_MIDDLE)
#define R (1 << HANDS_RING)
#define L (1 << HANDS_LITTLE)
static const unsigned char hands_usual[HANDS_FINGERS + 1][HANDS_USUAL] = {
    {0, 0, 0, 0, 0},
    {I, I, I, T, L},
    {I | M, I | M, I | M, T | I, I | L},
    {I | M | R, I | M | R, T | I | M, T | I | M, M | R | L},
    {I | M | R | L, I | M | R | L, I | M | R | L, I | M | R | L, T | I | M | R},
    {T | I | M | R | L, T | I | M | R | L, T | I | M | R | L, T | I | M | R | L, T | I | M | R | L},
};
#undef T
#undef I
#undef M
#undef R
#undef L

/* Where a finger leaves the palm, how long and thick it is, and its slant (u per v). */
static const struct {
    float u, v, length, radius, slant;
} hands_fingers[HANDS_FINGERS] = {
    {0},
    {-0.33F, -0.38F, 0.80F, 0.115F, -0.2F},
    {-0.11F, -0.46F, 0.90F, 0.12F, -0.06F},
    {0.11F, -0.43F, 0.83F, 0.115F, 0.08F},
    {0.31F, -0.31F, 0.66F, 0.1F, 0.26F},
};

static float hands_between(const hands_look *h, float low, float high)
{
    return fvi_made_between(h->rng, low, high);
}

/* Which fingers are up: mostly a usual set, now and then any of that many; the middle finger never
   without a neighbour. */
static unsigned hands_choose(fvi_made_rng *rng, int number)
{
    unsigned set = hands_usual[number][fvi_made_pick(rng, HANDS_USUAL)];
    if (number < 2 || fvi_made_pick(rng, 16) > 0) return set;
    for (int count = -1; count != number || (set & HANDS_NEIGHBOURS) == HANDS_RUDE;) {
        set = (unsigned)fvi_made_pick(rng, 1 << HANDS_FINGERS);
        count = 0;
        for (unsigned rest = set; rest; rest &= rest - 1)
            count++;
    }
    return set;
}

/* Dots with an outline, then filled. */
static void hands_limb(fvi_scene *s, const hands_look *h, const fvi_dot *dots, int count,
                       float round)
{
    fvi_dot wider[8];
    for (int i = 0; i < count; i++) {
        wider[i] = dots[i];
        wider[i].r += 0.03F;
    }
    fvi_scene_stroke(s, FVI_ADD, wider, count);
    fvi_scene_paint(s, h->edge, 1.0F, 0.3F);
    fvi_scene_stroke(s, FVI_ADD, dots, count);
    fvi_scene_paint(s, h->skin, 1.0F, round);
}

static void hands_crease(fvi_scene *s, const hands_look *h, fvi_dot a, fvi_dot b, fvi_dot c)
{
    fvi_scene_curve(s, FVI_ADD, a, b, c);
    fvi_scene_paint(s, h->fold, 0.6F, 0.0F);
}

static void hands_nail(fvi_scene *s, const hands_look *h, fvi_dot tip, float lean)
{
    fvi_scene_oval(s, FVI_ADD, (fvi_oval){tip.u, tip.v, 0.6F * tip.r, 0.75F * tip.r, lean});
    fvi_scene_paint(s, fvi_colour_mix(h->skin, (fvi_colour){255, 225, 220}, 0.55F), 0.9F, 0.0F);
}

/* ---- fingers ---- */

static void hands_finger_up(fvi_scene *s, const hands_look *h, int finger)
{
    float slant = hands_fingers[finger].slant * h->spread + hands_between(h, -0.06F, 0.06F);
    float per = 1.0F / sqrtf(1.0F + slant * slant);
    float du = slant * per, dv = -per; /* along the finger */
    float length = hands_fingers[finger].length * h->tall * hands_between(h, 0.94F, 1.06F);
    float r = hands_fingers[finger].radius * h->thick, bend = hands_between(h, -0.05F, 0.05F);
    static const float at[4] = {-0.15F, 0.4F, 0.72F, 0.95F}, wide[4] = {1.05F, 1.0F, 0.9F, 0.76F};
    static const float bent[4] = {0.0F, 1.0F, 0.8F, -0.3F};
    fvi_dot dots[4];
    for (int i = 0; i < 4; i++) {
        float along = at[i] * length, aside = bent[i] * bend;
        dots[i] = (fvi_dot){hands_fingers[finger].u + du * along - dv * aside,
                            hands_fingers[finger].v + dv * along + du * aside, wide[i] * r};
    }
    hands_limb(s, h, dots, 4, 0.5F);
    if (h->is_back)
        hands_nail(s, h, (fvi_dot){dots[3].u + 0.01F * du, dots[3].v - 0.01F, dots[3].r},
                   0.5F * slant);
    for (int i = 1; i < 3; i++) { /* creases over the joints */
        float half = 0.7F * dots[i].r;
        hands_crease(s, h, (fvi_dot){dots[i].u + dv * half, dots[i].v - du * half, 0.014F},
                     (fvi_dot){dots[i].u + du * 0.05F, dots[i].v + dv * 0.05F, 0.014F},
                     (fvi_dot){dots[i].u - dv * half, dots[i].v + du * half, 0.014F});
    }
}

/* From the palm's side a folded finger lies on the palm; from the back only its knuckle shows. */
static void hands_finger_folded(fvi_scene *s, const hands_look *h, int finger)
{
    float u = hands_fingers[finger].u, v = hands_fingers[finger].v;
    float r = hands_fingers[finger].radius * h->thick;
    if (h->is_back) {
        float high = v + hands_between(h, 0.0F, 0.04F);
        fvi_dot knuckle[] = {{u, high, 1.05F * r}, {0.95F * u, v + 0.2F, r}};
        hands_limb(s, h, knuckle, 2, 0.5F);
        return;
    }
    float low = v + hands_between(h, 0.3F, 0.38F);
    fvi_dot folded[] = {{u, v - 0.01F, 1.05F * r}, {0.9F * u, low, 0.9F * r}};
    hands_limb(s, h, folded, 2, 0.5F);
    hands_crease(s, h, (fvi_dot){u - 0.7F * r, v + 0.1F, 0.014F}, (fvi_dot){u, v + 0.13F, 0.014F},
                 (fvi_dot){u + 0.7F * r, v + 0.1F, 0.014F});
}

static void hands_thumb_up(fvi_scene *s, const hands_look *h)
{
    float out = hands_between(h, -0.02F, 0.12F), r = 0.125F * h->thick;
    fvi_dot dots[] = {{-0.18F, 0.22F, 0.17F},
                      {-0.48F - 0.5F * out, -0.02F + 0.4F * out, 1.05F * r},
                      {-0.62F - out, -0.26F + 0.8F * out, r},
                      {-0.69F - 1.4F * out, -0.45F + out, 0.8F * r}};
    hands_limb(s, h, dots, 4, 0.5F);
    if (h->is_back) hands_nail(s, h, dots[3], -0.15F);
}

static void hands_thumb_folded(fvi_scene *s, const hands_look *h)
{
    float r = 0.125F * h->thick;
    if (h->is_back) {
        fvi_dot side[] = {{-0.22F, 0.24F, 0.15F}, {-0.3F, 0.04F, 0.1F}};
        hands_limb(s, h, side, 2, 0.3F);
        return;
    }
    float far = hands_between(h, 0.05F, 0.2F), high = hands_between(h, -0.08F, 0.04F);
    fvi_dot over[] = {{-0.26F, 0.2F, 0.15F}, {-0.12F, high + 0.05F, r}, {far, high, 0.85F * r}};
    hands_limb(s, h, over, 3, 0.5F);
    hands_nail(s, h, (fvi_dot){far + 0.01F, high, 0.8F * r}, 0.9F);
}

/* ---- the rest of the hand ---- */

static void hands_palm(fvi_scene *s, const hands_look *h)
{
    static const fvi_dot rim[] = {{-0.29F, -0.28F, 0.14F}, {-0.1F, -0.36F, 0}, {0.12F, -0.34F, 0},
                                  {0.27F, -0.22F, 0},      {0.24F, 0.34F, 0},  {-0.2F, 0.36F, 0}};
    fvi_dot wider[FVI_COUNT(rim)];
    for (int i = 0; i < (int)FVI_COUNT(rim); i++) {
        wider[i] = rim[i];
        wider[i].r += 0.03F;
    }
    /* The outline leaves out the side where fingers begin. */
    fvi_scene_polygon(s, FVI_ADD, wider, FVI_COUNT(rim));
    fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{0, 0.4F, 0.29F}, {0, 2, 0.29F}}, 2);
    fvi_scene_polygon(
        s, FVI_CUT,
        (fvi_dot[]){{-0.6F, -0.22F, 0}, {-0.6F, -1, 0}, {0.6F, -1, 0}, {0.6F, -0.2F, 0}}, 4);
    fvi_scene_paint(s, h->edge, 1.0F, 0.3F);
    fvi_scene_polygon(s, FVI_ADD, rim, FVI_COUNT(rim));
    fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{0, 0.4F, 0.26F}, {0, 2, 0.26F}}, 2);
    fvi_scene_paint(s, h->skin, 1.0F, 0.35F);
    if (h->is_back) return;
    hands_crease(s, h, (fvi_dot){-0.34F, -0.1F, 0.016F}, (fvi_dot){-0.05F, -0.08F, 0.016F},
                 (fvi_dot){0.02F, 0.36F, 0.016F});
    hands_crease(s, h, (fvi_dot){-0.3F, -0.16F, 0.014F}, (fvi_dot){0.02F, -0.02F, 0.014F},
                 (fvi_dot){0.33F, 0.02F, 0.014F});
}

static void hands_sleeve(fvi_scene *s, const hands_look *h)
{
    float hue = hands_between(h, 0.0F, 6.0F), saturation = hands_between(h, 0.1F, 0.8F);
    fvi_colour cloth = fvi_colour_hsv(hue, saturation, hands_between(h, 0.2F, 0.9F));
    float from = hands_between(h, 0.75F, 1.1F);
    if (fvi_made_pick(h->rng, 4) == 0) return; /* bare */
    fvi_scene_polygon(
        s, FVI_ADD,
        (fvi_dot[]){{-0.3F, from, 0.08F}, {0.3F, from, 0}, {0.45F, 3, 0}, {-0.45F, 3, 0}}, 4);
    fvi_scene_paint(s, cloth, 1.0F, 0.4F);
    fvi_scene_stroke(s, FVI_ADD, (fvi_dot[]){{-0.32F, from, 0.08F}, {0.32F, from, 0.08F}}, 2);
    fvi_scene_paint(s, fvi_colour_times(cloth, 0.75F), 1.0F, 0.3F);
}

static void hands_hand(fvi_scene *s, const hands_look *h, unsigned set)
{
    bool has_thumb = set >> HANDS_THUMB & 1;
    if (has_thumb) hands_thumb_up(s, h);
    if (!has_thumb && h->is_back) hands_thumb_folded(s, h);
    for (int i = HANDS_INDEX; i <= HANDS_LITTLE; i++) {
        if (set >> i & 1) hands_finger_up(s, h, i);
    }
    hands_palm(s, h);
    hands_sleeve(s, h);
    for (int i = HANDS_LITTLE; i >= HANDS_INDEX; i--) {
        if (!(set >> i & 1)) hands_finger_folded(s, h, i);
    }
    if (!has_thumb && !h->is_back) hands_thumb_folded(s, h);
}

int fvi_made_hand(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i)
{
    int number = fvi_made_class(seed, split, i, HANDS_FINGERS + 1);
    fvi_made_rng rng = fvi_made_rng_begin(seed, split, i);
    fvi_scene s;
    fvi_scene_begin(&s, height, width, fvi_made_between(&rng, 0.6F, 1.2F));
    s.light_x = fvi_made_between(&rng, -0.5F, 0.5F);
    s.light_y = fvi_made_between(&rng, -0.5F, 0.15F);
    fvi_scene_background(&s, &rng, fvi_made_pick(&rng, 5));
    float u = fvi_made_middling(&rng, -0.14F, 0.14F), v = fvi_made_middling(&rng, 0.24F, 0.4F);
    float scale = fvi_made_middling(&rng, 0.74F, 0.9F);
    fvi_frame_move(&s.frame, u, v, scale,
                   fvi_made_middling(&rng, -0.2217F, 0.2217F)); /* 25 degrees */
    s.frame.mirror = fvi_made_pick(&rng, 2) == 0 ? 1.0F : -1.0F;
    hands_look h = {.rng = &rng, .skin = fvi_colour_skin(&rng)};
    h.edge = fvi_colour_times(h.skin, 0.62F);
    h.fold = fvi_colour_times(h.skin, 0.6F);
    h.is_back = fvi_made_pick(&rng, 3) == 0;
    h.spread = fvi_made_between(&rng, 1.0F, 1.6F);
    h.thick = fvi_made_between(&rng, 0.88F, 1.06F);
    h.tall = fvi_made_between(&rng, 0.9F, 1.08F);
    hands_hand(&s, &h, hands_choose(&rng, number));
    fvi_scene_draw(&s, pixels, channels, fvi_made_between(&rng, 0.0F, 16.0F), &rng);
    return number;
}
