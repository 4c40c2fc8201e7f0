/* SPDX-License-Identifier: MIT */
/* Template of the rule by which a window has a maximum, included once by each kernels_<isa>.c after
   kernels_tile.h: for images (kernels_pool.h) and planes (kernels_planes_pool.h).

   An instruction set may define FVI_TAKE(best, v, place), where it has better than max_meet's
   lines. */

/* The largest so far in each lane, and which element of the window that is. */
typedef struct FVI_NAME(best) {
    FVI_VECTOR most;
    FVI_BITS place;
} FVI_NAME(best);

/* The next elements of the window. A NaN wins, and stays; of equals the first stays. */
FVI_INLINE void FVI_NAME(max_meet)(FVI_NAME(best) * best, FVI_VECTOR v, FVI_BITS place)
{
#if defined(FVI_TAKE)
    FVI_TAKE(best, v, place);
#else
    const FVI_BITS wins = (FVI_BITS)(v > best->most) | (FVI_BITS)(v != v);
    best->most = FVI_NAME(select)(wins, v, best->most);
    best->place = (wins & place) | (~wins & best->place);
#endif
}

/* Elements that need not come later. */
FVI_INLINE void FVI_NAME(max_join)(FVI_NAME(best) * best, FVI_VECTOR v, FVI_BITS place)
{
    /* What is as large and comes before takes part as if it were the first. */
    const FVI_BITS is_before = (FVI_BITS)(v == best->most) & (FVI_BITS)(place < best->place);
    best->place = (is_before & place) | (~is_before & best->place);
    FVI_NAME(max_meet)(best, v, place);
}
