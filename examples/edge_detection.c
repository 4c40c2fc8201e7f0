/* SPDX-License-Identifier: MIT */
/* Edge detection by convolution: a bright half beside a dark half, seen by four filters. */
#include <fovea/textbook.h>

#include <stdio.h>

/* Six equal rows: three bright pixels, three dark ones. */
#define ROW 10, 10, 10, 0, 0, 0
static const double bright_to_dark[36] = {ROW, ROW, ROW, ROW, ROW, ROW};

static const struct {
    const char *name;
    double weights[9];
} filters[] = {
    {"plain vertical filter", {1, 0, -1, 1, 0, -1, 1, 0, -1}},
    {"Sobel filter", {1, 0, -1, 2, 0, -2, 1, 0, -1}},
    {"Scharr filter", {3, 0, -3, 10, 0, -10, 3, 0, -3}},
    {"plain horizontal filter", {1, 1, 1, 0, 0, 0, -1, -1, -1}},
};

static void print_matrix(const char *title, const double *x, int rows, int columns)
{
    printf("%s\n", title);
    for (int row = 0; row < rows; row++) {
        for (int col = 0; col < columns; col++)
            printf("%5g", x[row * columns + col]);
        printf("\n");
    }
}

static fv_status run(void)
{
    /* One image of 6x6 with one channel, one filter of 3x3, no padding. */
    const fv_tb_conv d = {.n = 1, .h = 6, .w = 6, .c = 1, .filters = 1, .f = 3, .stride = 1};
    const double no_bias = 0.0;
    double edges[16];
    int size = 0;

    fv_status s = fv_tb_out_size(&size, d.h, d.f, d.stride, d.pad);
    print_matrix("the picture", bright_to_dark, 6, 6);
    for (size_t k = 0; k < sizeof filters / sizeof filters[0] && s == FV_OK; k++) {
        s = fv_tb_conv_forward(edges, bright_to_dark, filters[k].weights, &no_bias, &d);
        if (s == FV_OK) print_matrix(filters[k].name, edges, size, size);
    }
    return s;
}

int main(void)
{
    if (run() == FV_OK) return 0;
    fprintf(stderr, "%s\n", fv_error());
    return 1;
}
