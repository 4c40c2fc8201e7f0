/* SPDX-License-Identifier: MIT */
/* Template of pooling, included once by each kernels_<isa>.c after kernels_curves.h. */

/* A vector holds FVI_LANES channels of one pixel. The last vector of a pixel begins early enough to
   be whole, and does some channels twice. When a pixel has fewer channels than a vector has lanes,
   what is read and written behind them is the next pixels', which are written again in their turn;
   at the end of the image, where there are none, only the part that counts is touched. The walk
   through a large window takes several such narrow pixels at once and brings them together at the
   end.

   An instruction set may define, where it has better than the loops below:
     FVI_LOAD_BYTES(p), FVI_STORE_BYTES(p, bits)  FVI_LANES bytes as FVI_BITS; the lowest byte of
                               each lane */

#define FVI_POOL_NONE 0xffffffffu /* a place: nothing passes back */
#define FVI_POOL_SMALL 16         /* elements of a window whose gradient is written as vectors */

typedef uint8_t FVI_NAME(bytes) __attribute__((vector_size(FVI_LANES)));

/* left of them, or a whole vector. */
FVI_INLINE FVI_BITS FVI_NAME(bytes_load)(const uint8_t *p, size_t left)
{
    FVI_NAME(bytes) bytes = {0};
    if (left < FVI_LANES) {
        for (size_t i = 0; i < left; ++i)
            bytes[i] = p[i];
        return __builtin_convertvector(bytes, FVI_BITS);
    }
#if defined(FVI_LOAD_BYTES)
    return FVI_LOAD_BYTES(p);
#else
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, FVI_BITS);
#endif
}

FVI_INLINE void FVI_NAME(bytes_store)(uint8_t *p, FVI_BITS bits, size_t left)
{
    if (left < FVI_LANES) {
        for (size_t i = 0; i < left; ++i)
            p[i] = (uint8_t)bits[i];
        return;
    }
#if defined(FVI_STORE_BYTES)
    FVI_STORE_BYTES(p, bits);
#else
    const FVI_NAME(bytes) bytes = __builtin_convertvector(bits, FVI_NAME(bytes));
    memcpy(p, &bytes, sizeof bytes);
#endif
}

/* The part of one output's window that lies inside the image: rows [h0, h1), columns [w0, w1); and
   the number that its first element has in the whole window. */
typedef struct FVI_NAME(window) {
    int h0, h1, w0, w1;
    uint32_t first;
} FVI_NAME(window);

static inline FVI_NAME(window) FVI_NAME(pool_window)(const fvi_pool *p, int oh, int ow)
{
    const int h = oh * p->SH - p->pad_top, w = ow * p->SW - p->pad_left;
    const int h0 = h < 0 ? 0 : h, w0 = w < 0 ? 0 : w;
    return (FVI_NAME(window)){h0, h + p->KH > p->H ? p->H : h + p->KH, w0,
                              w + p->KW > p->W ? p->W : w + p->KW,
                              (uint32_t)(h0 - h) * (uint32_t)p->KW + (uint32_t)(w0 - w)};
}

static inline size_t FVI_NAME(pool_at)(const fvi_pool *p, int h, int w)
{
    return ((size_t)h * (size_t)p->W + (size_t)w) * (size_t)p->C;
}

/* ---- maximum ---- */

/* Brings together what `beside` pixels of C lanes gave, in the first C lanes: lane i holds pixel i
   / C after the one that its place says, where that is asked for. */
FVI_INLINE FVI_NAME(best)
    FVI_NAME(max_fold)(FVI_NAME(best) all, int beside, int C, const bool is_placed)
{
    FVI_NAME(best) best = all;
    for (int i = 1; i < beside; ++i) {
        FVI_BITS from;
        for (int lane = 0; lane < FVI_LANES; ++lane)
            from[lane] = (uint32_t)(lane + i * C);
        const FVI_VECTOR v = FVI_NAME(permute)(all.most, from);
        if (!is_placed) {
            FVI_NAME(max_meet)(&best, v, best.place);
            continue;
        }
        const FVI_BITS place =
            (FVI_BITS)FVI_NAME(permute)((FVI_VECTOR)all.place, from) + (uint32_t)i;
        FVI_NAME(max_join)(&best, v, place);
    }
    return best;
}

/* The whole window, `beside` pixels at a time; of each vector `left` floats are read. */
FVI_INLINE FVI_NAME(best) FVI_NAME(max_walk)(const fvi_pool *p, FVI_NAME(window) in, const float *x,
                                             size_t left, const int beside)
{
    FVI_NAME(best) best = {FVI_SPLAT(-INFINITY), (FVI_BITS){0} + in.first};
    const float *row = x + FVI_NAME(pool_at)(p, in.h0, in.w0);
    uint32_t first = in.first;
    for (int h = in.h0; h < in.h1;
         ++h, first += (uint32_t)p->KW, row += (size_t)p->W * (size_t)p->C) {
        const int last = in.w1 - in.w0 - beside;
        for (int w = 0; w < last; w += beside)
            FVI_NAME(max_meet)
        (&best, FVI_NAME(load_part)(row + (size_t)w * (size_t)p->C, left),
         (FVI_BITS){0} + (first + (uint32_t)w));
        FVI_NAME(max_meet)
        (&best, FVI_NAME(load_part)(row + (size_t)last * (size_t)p->C, left),
         (FVI_BITS){0} + (first + (uint32_t)last));
    }
    return best;
}

/* What of one image the loops below go by. */
typedef struct FVI_NAME(pool_job) {
    const fvi_pool *p;
    float *y;
    uint8_t *place;
    const float *x;
    size_t floats, outs; /* of the image, of the output */
} FVI_NAME(pool_job);

/* `left` floats of y from the number `at` on, and as many places of `size` bytes: 1 or 4, 0 for
   none. */
FVI_INLINE void FVI_NAME(max_store)(const FVI_NAME(pool_job) * j, FVI_NAME(best) best, size_t at,
                                    size_t left, const size_t size, const bool is_clipped)
{
    FVI_NAME(store_part)(j->y + at, best.most, left);
    if (size == 0) return;
    const FVI_BITS is_live =
        is_clipped ? (FVI_BITS)(best.most > (FVI_VECTOR){0}) : (FVI_BITS)(best.most == best.most);
    const FVI_BITS number = (is_live & best.place) | (~is_live & FVI_POOL_NONE);
    if (size == 1)
        FVI_NAME(bytes_store)(j->place + at, number, left);
    else
        FVI_NAME(store_part)
    ((float *)(void *)(j->place + 4 * at), (FVI_VECTOR)number, left);
}

/* How many windows of 2x2, the most frequent, follow from `in` on to the end of their row, all
   inside the image; of narrow pixels those behind which there is room for a vector in the image and
   in the output, at out now. */
static int FVI_NAME(pool_run)(const fvi_pool *p, FVI_NAME(window) in, int windows, size_t floats,
                              size_t outs, size_t out)
{
    if (p->KH != 2 || p->KW != 2 || in.h1 - in.h0 != 2 || in.w1 - in.w0 != 2) return 0;
    const size_t channels = (size_t)p->C, lanes = FVI_LANES;
    size_t run = (size_t)((p->W - in.w1) / p->SW) + 1;
    if (run > (size_t)windows) run = (size_t)windows;
    if (channels >= lanes) return (int)run;
    const size_t last = FVI_NAME(pool_at)(p, in.h0 + 1, in.w0 + 1), step = (size_t)p->SW * channels;
    if (last + lanes > floats || out + lanes > outs) return 0;
    const size_t in_image = (floats - lanes - last) / step + 1;
    const size_t in_output = (outs - lanes - out) / channels + 1;
    if (run > in_image) run = in_image;
    return (int)(run < in_output ? run : in_output);
}

FVI_INLINE void FVI_NAME(max_run)(const FVI_NAME(pool_job) * j, FVI_NAME(window) in, int run,
                                  size_t out, const size_t size, const bool is_clipped)
{
    const size_t channels = (size_t)j->p->C, step = (size_t)j->p->SW * channels;
    const size_t below = (size_t)j->p->W * channels;
    const float *from = j->x + FVI_NAME(pool_at)(j->p, in.h0, in.w0);
    for (int i = 0; i < run; ++i, from += step, out += channels) {
        for (size_t c = 0;;) {
            const float *at = from + c;
            FVI_NAME(best) best = {FVI_LOAD(at), {0}};
            FVI_NAME(max_meet)(&best, FVI_LOAD(at + channels), (FVI_BITS){0} + 1);
            FVI_NAME(max_meet)(&best, FVI_LOAD(at + below), (FVI_BITS){0} + 2);
            FVI_NAME(max_meet)(&best, FVI_LOAD(at + below + channels), (FVI_BITS){0} + 3);
            FVI_NAME(max_store)(j, best, out + c, FVI_LANES, size, is_clipped);
            c += FVI_LANES;
            if (c >= channels) break;
            if (c + FVI_LANES > channels) c = channels - FVI_LANES;
        }
    }
}

/* Any window: one output pixel, at y[out]. */
FVI_INLINE void FVI_NAME(max_pixel)(const FVI_NAME(pool_job) * j, FVI_NAME(window) in, size_t out,
                                    const size_t size, const bool is_clipped)
{
    const size_t channels = (size_t)j->p->C;
    if (channels >= FVI_LANES) {
        for (size_t c = 0; c < channels; c += FVI_LANES) {
            if (c + FVI_LANES > channels) c = channels - FVI_LANES;
            FVI_NAME(max_store)
            (j, FVI_NAME(max_walk)(j->p, in, j->x + c, FVI_LANES, 1), out + c, FVI_LANES, size,
             is_clipped);
        }
        return;
    }
    const int most = FVI_LANES / j->p->C, width = in.w1 - in.w0;
    const int beside = most < width ? most : width;
    const size_t last = FVI_NAME(pool_at)(j->p, in.h1 - 1, in.w1 - beside);
    const bool is_whole = last + FVI_LANES <= j->floats && out + FVI_LANES <= j->outs;
    const FVI_NAME(best) best = FVI_NAME(max_fold)(
        is_whole ? FVI_NAME(max_walk)(j->p, in, j->x, FVI_LANES, beside)
                 : FVI_NAME(max_walk)(j->p, in, j->x, channels * (size_t)beside, beside),
        beside, j->p->C, size > 0);
    if (is_whole)
        FVI_NAME(max_store)(j, best, out, FVI_LANES, size, is_clipped);
    else
        FVI_NAME(max_store)(j, best, out, channels, size, is_clipped);
}

FVI_INLINE void FVI_NAME(max_image)(const fvi_pool *p, float *y, uint8_t *place, const float *x,
                                    const size_t size, const bool is_clipped)
{
    const size_t channels = (size_t)p->C, outs = (size_t)p->OH * (size_t)p->OW * channels;
    const FVI_NAME(pool_job) job = {p, y, place, x, FVI_NAME(pool_at)(p, p->H, 0), outs};
    size_t out = 0;
    for (int oh = 0; oh < p->OH; ++oh) {
        for (int ow = 0; ow < p->OW;) {
            const FVI_NAME(window) in = FVI_NAME(pool_window)(p, oh, ow);
            const int run = FVI_NAME(pool_run)(p, in, p->OW - ow, job.floats, outs, out);
            if (run > 0)
                FVI_NAME(max_run)(&job, in, run, out, size, is_clipped);
            else
                FVI_NAME(max_pixel)(&job, in, out, size, is_clipped);
            ow += run > 0 ? run : 1;
            out += (size_t)(run > 0 ? run : 1) * channels;
        }
    }
}

static void FVI_NAME(max_pool)(const fvi_pool *p, float *y, void *place, const float *x,
                               bool is_clipped)
{
    if (!place)
        FVI_NAME(max_image)(p, y, NULL, x, 0, false);
    else if (fvi_pool_place_bytes(p) > 1)
        FVI_NAME(max_image)(p, y, place, x, 4, is_clipped);
    else if (is_clipped)
        FVI_NAME(max_image)(p, y, place, x, 1, true);
    else
        FVI_NAME(max_image)(p, y, place, x, 1, false);
}

/* ---- what the maxima were, of something of x's shape ---- */

/* Windows of 2x2 side by side. */
FVI_INLINE void FVI_NAME(max_run_pick)(const fvi_pool *p, FVI_NAME(window) in, int run, float *y,
                                       const uint8_t *place, const float *x)
{
    const size_t channels = (size_t)p->C, below = (size_t)p->W * channels;
    const size_t step = (size_t)p->SW * channels;
    const float *from = x + FVI_NAME(pool_at)(p, in.h0, in.w0);
    for (int i = 0; i < run; ++i, from += step, y += channels, place += channels) {
        for (size_t c = 0;;) {
            const FVI_BITS number = FVI_NAME(bytes_load)(place + c, FVI_LANES);
            const float *at = from + c;
            FVI_BITS found = (FVI_BITS)(number == 0) & (FVI_BITS)FVI_LOAD(at);
            found |= (FVI_BITS)(number == 1) & (FVI_BITS)FVI_LOAD(at + channels);
            found |= (FVI_BITS)(number == 2) & (FVI_BITS)FVI_LOAD(at + below);
            found |= (FVI_BITS)(number == 3) & (FVI_BITS)FVI_LOAD(at + below + channels);
            FVI_STORE(y + c, (FVI_VECTOR)found);
            c += FVI_LANES;
            if (c >= channels) break;
            if (c + FVI_LANES > channels) c = channels - FVI_LANES;
        }
    }
}

/* Any window. */
FVI_INLINE void FVI_NAME(max_pixel_pick)(const fvi_pool *p, FVI_NAME(window) in, float *y,
                                         const uint8_t *place, const float *x)
{
    const size_t channels = (size_t)p->C;
    for (size_t c = 0; c < channels; c += FVI_LANES) {
        const size_t left = channels - c;
        const FVI_BITS wanted = FVI_NAME(bytes_load)(place + c, left);
        FVI_BITS found = {0};
        uint32_t row = in.first;
        for (int h = in.h0; h < in.h1; ++h, row += (uint32_t)p->KW) {
            const float *from = x + FVI_NAME(pool_at)(p, h, in.w0) + c;
            uint32_t number = row;
            for (int w = in.w0; w < in.w1; ++w, ++number, from += channels)
                found |= (FVI_BITS)(wanted == (FVI_BITS){0} + number) &
                         (FVI_BITS)FVI_NAME(load_part)(from, left);
        }
        FVI_NAME(store_part)(y + c, (FVI_VECTOR)found, left);
    }
}

static void FVI_NAME(max_pool_pick)(const fvi_pool *p, float *y, const uint8_t *place,
                                    const float *x)
{
    const size_t channels = (size_t)p->C, outs = (size_t)p->OH * (size_t)p->OW * channels;
    const size_t floats = FVI_NAME(pool_at)(p, p->H, 0);
    size_t out = 0;
    for (int oh = 0; oh < p->OH; ++oh) {
        for (int ow = 0; ow < p->OW;) {
            const FVI_NAME(window) in = FVI_NAME(pool_window)(p, oh, ow);
            const int run = FVI_NAME(pool_run)(p, in, p->OW - ow, floats, outs, out);
            if (run > 0)
                FVI_NAME(max_run_pick)(p, in, run, y + out, place + out, x);
            else
                FVI_NAME(max_pixel_pick)(p, in, y + out, place + out, x);
            ow += run > 0 ? run : 1;
            out += (size_t)(run > 0 ? run : 1) * channels;
        }
    }
}

/* ---- its gradient ---- */

/* Whether a gradient is to be added to what is there. If not, windows that lie side by side write
   each element once, and only what is behind the last ones is set to 0 here; others meet or leave
   gaps, and all is 0 first. */
static bool FVI_NAME(pool_begin)(const fvi_pool *p, float *dx, bool is_added)
{
    if (is_added) return true;
    const size_t row = (size_t)p->W * (size_t)p->C;
    const bool is_tiling = p->SH == p->KH && p->SW == p->KW;
    const ptrdiff_t h = is_tiling ? p->OH * (ptrdiff_t)p->SH - p->pad_top : 0;
    const ptrdiff_t w = is_tiling ? p->OW * (ptrdiff_t)p->SW - p->pad_left : 0;
    if (h < p->H) memset(dx + (size_t)h * row, 0, (size_t)(p->H - h) * row * sizeof *dx);
    const size_t rest = w < p->W ? (size_t)(p->W - w) * (size_t)p->C : 0;
    for (ptrdiff_t i = 0; rest > 0 && i < h && i < p->H; ++i)
        memset(dx + (size_t)(i + 1) * row - rest, 0, rest * sizeof *dx);
    return !is_tiling;
}

/* dx of a small window in one vector of channels, of which `left` are written. */
FVI_INLINE void FVI_NAME(max_give)(const fvi_pool *p, FVI_NAME(window) in, float *dx, FVI_BITS dy,
                                   FVI_BITS place, size_t left, const bool is_added)
{
    uint32_t row = in.first;
    for (int h = in.h0; h < in.h1; ++h, row += (uint32_t)p->KW) {
        float *to = dx + FVI_NAME(pool_at)(p, h, in.w0);
        uint32_t number = row;
        for (int w = in.w0; w < in.w1; ++w, ++number, to += p->C) {
            FVI_VECTOR part = (FVI_VECTOR)((FVI_BITS)(place == (FVI_BITS){0} + number) & dy);
            if (is_added) part += FVI_NAME(load_part)(to, left);
            FVI_NAME(store_part)(to, part, left);
        }
    }
}

/* Windows of 2x2 side by side, each element of which is written once. */
FVI_INLINE void FVI_NAME(max_run_back)(const fvi_pool *p, FVI_NAME(window) in, int run, float *dx,
                                       const float *dy, const uint8_t *place)
{
    const size_t channels = (size_t)p->C, below = (size_t)p->W * channels;
    float *to = dx + FVI_NAME(pool_at)(p, in.h0, in.w0);
    for (int i = 0; i < run; ++i, to += 2 * channels, dy += channels, place += channels) {
        for (size_t c = 0;;) {
            const FVI_BITS top = (FVI_BITS)FVI_LOAD(dy + c);
            const FVI_BITS number = FVI_NAME(bytes_load)(place + c, FVI_LANES);
            float *at = to + c;
            FVI_STORE(at, (FVI_VECTOR)((FVI_BITS)(number == 0) & top));
            FVI_STORE(at + channels, (FVI_VECTOR)((FVI_BITS)(number == 1) & top));
            FVI_STORE(at + below, (FVI_VECTOR)((FVI_BITS)(number == 2) & top));
            FVI_STORE(at + below + channels, (FVI_VECTOR)((FVI_BITS)(number == 3) & top));
            c += FVI_LANES;
            if (c >= channels) break;
            if (c + FVI_LANES > channels) c = channels - FVI_LANES;
        }
    }
}

/* Any small window. */
FVI_INLINE void FVI_NAME(max_pixel_back)(const fvi_pool *p, FVI_NAME(window) in, float *dx,
                                         const float *dy, const uint8_t *place, const bool is_added)
{
    const size_t channels = (size_t)p->C;
    for (size_t c = 0; c < channels; c += FVI_LANES) {
        const size_t left = channels - c;
        const FVI_BITS top = (FVI_BITS)FVI_NAME(load_part)(dy + c, left);
        const FVI_BITS number = FVI_NAME(bytes_load)(place + c, left);
        if (left >= FVI_LANES)
            FVI_NAME(max_give)(p, in, dx + c, top, number, FVI_LANES, is_added);
        else
            FVI_NAME(max_give)(p, in, dx + c, top, number, left, is_added);
    }
}

FVI_INLINE void FVI_NAME(max_image_back)(const fvi_pool *p, float *dx, const float *dy,
                                         const uint8_t *place, const bool is_added)
{
    const size_t channels = (size_t)p->C, outs = (size_t)p->OH * (size_t)p->OW * channels;
    size_t out = 0;
    for (int oh = 0; oh < p->OH; ++oh) {
        for (int ow = 0; ow < p->OW;) {
            const FVI_NAME(window) in = FVI_NAME(pool_window)(p, oh, ow);
            /* What is behind the last window in a row has been written already. */
            const ptrdiff_t columns = p->OW * (ptrdiff_t)p->SW - p->pad_left;
            const size_t end =
                FVI_NAME(pool_at)(p, in.h0 + 1, columns < p->W ? (int)columns : p->W);
            const int run = is_added ? 0 : FVI_NAME(pool_run)(p, in, p->OW - ow, end, outs, out);
            if (run > 0)
                FVI_NAME(max_run_back)(p, in, run, dx, dy + out, place + out);
            else
                FVI_NAME(max_pixel_back)(p, in, dx, dy + out, place + out, is_added);
            ow += run > 0 ? run : 1;
            out += (size_t)(run > 0 ? run : 1) * channels;
        }
    }
}

/* Windows of many elements: few of them get anything, and are looked up. */
static void FVI_NAME(max_scatter)(const fvi_pool *p, float *dx, const float *dy,
                                  const uint8_t *place)
{
    const bool is_byte = fvi_pool_place_bytes(p) == 1;
    ptrdiff_t shift[256]; /* of an element from the first one */
    for (int i = 0; is_byte && i < p->KH * p->KW; ++i)
        shift[i] = ((ptrdiff_t)(i / p->KW) * p->W + i % p->KW) * p->C;
    size_t out = 0;
    for (int oh = 0; oh < p->OH; ++oh) {
        for (int ow = 0; ow < p->OW; ++ow) {
            const ptrdiff_t h = oh * (ptrdiff_t)p->SH - p->pad_top;
            const ptrdiff_t first = (h * p->W + ow * (ptrdiff_t)p->SW - p->pad_left) * p->C;
            for (int c = 0; c < p->C; ++c, ++out) {
                if (is_byte) {
                    const uint8_t number = place[out];
                    if (number != (uint8_t)FVI_POOL_NONE) dx[first + shift[number] + c] += dy[out];
                    continue;
                }
                uint32_t number;
                memcpy(&number, place + 4 * out, sizeof number);
                const uint32_t row = number / (uint32_t)p->KW, column = number % (uint32_t)p->KW;
                if (number != FVI_POOL_NONE)
                    dx[first + ((ptrdiff_t)row * p->W + (ptrdiff_t)column) * p->C + c] += dy[out];
            }
        }
    }
}

static void FVI_NAME(max_pool_gradient)(const fvi_pool *p, float *dx, const float *dy,
                                        const void *place, bool is_added)
{
    if ((int64_t)p->KH * p->KW > FVI_POOL_SMALL) {
        if (!is_added) memset(dx, 0, FVI_NAME(pool_at)(p, p->H, 0) * sizeof *dx);
        FVI_NAME(max_scatter)(p, dx, dy, place);
    } else if (FVI_NAME(pool_begin)(p, dx, is_added)) {
        FVI_NAME(max_image_back)(p, dx, dy, place, true);
    } else {
        FVI_NAME(max_image_back)(p, dx, dy, place, false);
    }
}

/* ---- average ---- */

/* Each vector of channels walks the window of an output, in place of which its result stands in a
   register. Windows of 2x2, the most frequent, get loops of known length. */
#define FVI_POOL_CHANNELS(name, ...)                                                               \
    size_t c = 0;                                                                                  \
    for (; c + FVI_LANES <= channels; c += FVI_LANES)                                              \
        FVI_NAME(name)(p, in, __VA_ARGS__, FVI_LANES);                                             \
    if (c < channels) FVI_NAME(name)(p, in, __VA_ARGS__, channels - c);

#define FVI_POOL_EACH(name, ...)                                                                   \
    const size_t channels = (size_t)p->C;                                                          \
    size_t out = 0;                                                                                \
    for (int oh = 0; oh < p->OH; ++oh) {                                                           \
        for (int ow = 0; ow < p->OW; ++ow, out += channels) {                                      \
            FVI_NAME(window) in = FVI_NAME(pool_window)(p, oh, ow);                                \
            if (in.h1 - in.h0 == 2 && in.w1 - in.w0 == 2) {                                        \
                in.h1 = in.h0 + 2;                                                                 \
                in.w1 = in.w0 + 2;                                                                 \
                FVI_POOL_CHANNELS(name, __VA_ARGS__)                                               \
            } else {                                                                               \
                FVI_POOL_CHANNELS(name, __VA_ARGS__)                                               \
            }                                                                                      \
        }                                                                                          \
    }

FVI_INLINE float FVI_NAME(pool_count)(FVI_NAME(window) in)
{
    return (float)(in.h1 - in.h0) * (float)(in.w1 - in.w0);
}

FVI_INLINE void FVI_NAME(average_cell)(const fvi_pool *p, FVI_NAME(window) in, float *y,
                                       const float *x, size_t left)
{
    FVI_VECTOR sum = {0};
    for (int h = in.h0; h < in.h1; ++h) {
        const float *from = x + FVI_NAME(pool_at)(p, h, in.w0);
        for (int w = in.w0; w < in.w1; ++w, from += p->C)
            sum += FVI_NAME(load_part)(from, left);
    }
    FVI_NAME(store_part)(y, sum / FVI_NAME(pool_count)(in), left);
}

static void FVI_NAME(average_pool)(const fvi_pool *p, float *y,
                                   const float *x){FVI_POOL_EACH(average_cell, y + out + c, x + c)}

FVI_INLINE void FVI_NAME(average_gradient_cell)(const fvi_pool *p, FVI_NAME(window) in, float *dx,
                                                const float *dy, const bool is_added, size_t left)
{
    const FVI_VECTOR part = FVI_NAME(load_part)(dy, left) * (1.0f / FVI_NAME(pool_count)(in));
    for (int h = in.h0; h < in.h1; ++h) {
        float *to = dx + FVI_NAME(pool_at)(p, h, in.w0);
        for (int w = in.w0; w < in.w1; ++w, to += p->C)
            FVI_NAME(store_part)
        (to, is_added ? FVI_NAME(load_part)(to, left) + part : part, left);
    }
}

static void FVI_NAME(average_pool_gradient)(const fvi_pool *p, float *dx, const float *dy,
                                            bool is_added)
{
    if (FVI_NAME(pool_begin)(p, dx, is_added)) {
        FVI_POOL_EACH(average_gradient_cell, dx + c, dy + out + c, true)
    } else {
        FVI_POOL_EACH(average_gradient_cell, dx + c, dy + out + c, false)
    }
}
