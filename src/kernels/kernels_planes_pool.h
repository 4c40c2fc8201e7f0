/* SPDX-License-Identifier: MIT */
/* Template of max pooling in planes, included once by each kernels_<isa>.c after kernels_max.h;
   see conv_planes.c. A plane holds neighbouring pixels of a filter in a vector, so rows meet vector
   by vector, and columns when those of even and of odd number part. */

#if FVI_LANES == 16
#define FVI_EVEN(a, b)                                                                             \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define FVI_ODD(a, b)                                                                              \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif FVI_LANES == 8
#define FVI_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define FVI_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#else
#define FVI_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define FVI_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif

/* Sums of a vector meet those of the rows above. */
FVI_INLINE void FVI_NAME(peak_put)(const fvi_tile_planes *call, ptrdiff_t at, FVI_VECTOR sum)
{
    FVI_NAME(best) best = {FVI_LOAD(call->out + at), {0}};
    if (call->place && !call->is_second) memcpy(&best.place, call->place + at, sizeof best.place);
    FVI_NAME(max_meet)(&best, sum, (FVI_BITS){0} + call->number);
    FVI_STORE(call->out + at, best.most);
    if (call->place) memcpy(call->place + at, &best.place, sizeof best.place);
}

/* Half as many columns; `apart` is how far from the even ones the odd ones are in their windows. */
FVI_INLINE void FVI_NAME(peak_halve)(float *out, uint32_t *place, ptrdiff_t n, uint32_t apart,
                                     const bool is_placed)
{
    for (ptrdiff_t i = 0; i < n; i += FVI_LANES) {
        const FVI_VECTOR a = FVI_LOAD(out + 2 * i), b = FVI_LOAD(out + 2 * i + FVI_LANES);
        FVI_NAME(best) even = {FVI_EVEN(a, b), {0}};
        if (is_placed) {
            FVI_BITS low, high;
            memcpy(&low, place + 2 * i, sizeof low);
            memcpy(&high, place + 2 * i + FVI_LANES, sizeof high);
            even.place = FVI_EVEN(low, high);
            FVI_NAME(max_join)(&even, FVI_ODD(a, b), FVI_ODD(low, high) + apart);
        } else {
            FVI_NAME(max_meet)(&even, FVI_ODD(a, b), even.place);
        }
        FVI_STORE(out + i, even.most);
        if (is_placed) memcpy(place + i, &even.place, sizeof even.place);
    }
}

/* Nothing passes back to a NaN or, clipped, from what is not above 0. */
FVI_INLINE void FVI_NAME(peak_drop)(const float *out, uint32_t *place, ptrdiff_t n, bool is_clipped)
{
    for (ptrdiff_t i = 0; i < n; i += FVI_LANES) {
        const FVI_VECTOR v = FVI_LOAD(out + i);
        const FVI_BITS none = is_clipped ? ~(FVI_BITS)(v > (FVI_VECTOR){0}) : (FVI_BITS)(v != v);
        FVI_BITS number;
        memcpy(&number, place + i, sizeof number);
        number |= none;
        memcpy(place + i, &number, sizeof number);
    }
}

static void FVI_NAME(planes_across)(float *out, uint32_t *place, ptrdiff_t rows, ptrdiff_t pitch,
                                    uint32_t columns, bool is_clipped)
{
    for (; rows > 0; --rows, out += pitch) {
        ptrdiff_t n = pitch;
        for (uint32_t apart = 1; apart < columns; apart *= 2) {
            n = (n / 2 + FVI_LANES - 1) / FVI_LANES * FVI_LANES;
            if (place)
                FVI_NAME(peak_halve)(out, place, n, apart, true);
            else
                FVI_NAME(peak_halve)(out, place, n, apart, false);
        }
        if (!place) continue;
        FVI_NAME(peak_drop)(out, place, n, is_clipped);
        place += pitch;
    }
}
