/* SPDX-License-Identifier: MIT */
/* The course's conv_forward cell with its numbers: numpy's seed 1, two images, eight filters. */
#include <fovea/textbook.h>

#include <stdio.h>

enum { M = 2, H = 5, W = 7, C = 4, F = 3, FILTERS = 8, OUT_H = 3, OUT_W = 4 };

static double a_prev[M * H * W * C], w[F * F * C * FILTERS], b[FILTERS];
static double z[M * OUT_H * OUT_W * FILTERS];
static double da_prev[M * H * W * C], dw[F * F * C * FILTERS], db[FILTERS];

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static double mean(const double *x, size_t count)
{
    double sum = 0.0;
    for (size_t k = 0; k < count; k++)
        sum += x[k];
    return sum / (double)count;
}

static fv_status run(void)
{
    const fv_tb_conv d = {
        .n = M, .h = H, .w = W, .c = C, .filters = FILTERS, .f = F, .stride = 2, .pad = 1};
    fv_tb_rng rng;
    fv_status s;

    /* np.random.seed(1), then A_prev, W and b in this order */
    if ((s = fv_tb_rng_seed(&rng, 1)) != FV_OK) return s;
    if ((s = fv_tb_rng_randn(&rng, a_prev, COUNT(a_prev))) != FV_OK) return s;
    if ((s = fv_tb_rng_randn(&rng, w, COUNT(w))) != FV_OK) return s;
    if ((s = fv_tb_rng_randn(&rng, b, COUNT(b))) != FV_OK) return s;

    int n_H, n_W;
    if ((s = fv_tb_out_size(&n_H, d.h, d.f, d.stride, d.pad)) != FV_OK) return s;
    if ((s = fv_tb_out_size(&n_W, d.w, d.f, d.stride, d.pad)) != FV_OK) return s;
    printf("Z is %d x %d x %d x %d\n", M, n_H, n_W, FILTERS);

    if ((s = fv_tb_conv_forward(z, a_prev, w, b, &d)) != FV_OK) return s;
    printf("mean of Z = %.12f\n", mean(z, COUNT(z)));
    printf("Z[0,2,1] =");
    for (int c = 0; c < FILTERS; c++)
        printf(" %.8f", z[((0 * n_H + 2) * n_W + 1) * FILTERS + c]);
    printf("\n");

    /* The cache of the course is what we still hold: a_prev, w, b, d. And here dZ is Z itself. */
    if ((s = fv_tb_conv_backward(da_prev, dw, db, z, a_prev, w, &d)) != FV_OK) return s;
    printf("means of dA_prev, dW, db = %.8f %.8f %.8f\n", mean(da_prev, COUNT(da_prev)),
           mean(dw, COUNT(dw)), mean(db, COUNT(db)));
    return FV_OK;
}

int main(void)
{
    if (run() == FV_OK) return 0;
    fprintf(stderr, "%s\n", fv_error());
    return 1;
}
