/* SPDX-License-Identifier: MIT */
/* Pictures that a function of your own gives, one at a time, laid into batches ahead of time. */
#include <fovea/fovea.h>

#include <stdio.h>

/* A bright square on the left (class 0) or on the right (class 1). */
static bool read_picture(void *user, void *out, int i, const char **why)
{
    unsigned char *pixels = out;
    (void)user, (void)why;
    for (int h = 0; h < 8; h++)
        for (int w = 0; w < 16; w++)
            pixels[h * 16 + w] = (w < 8) == (i % 2 == 0) ? 200 : (unsigned char)(i % 50);
    return true;
}

int main(void)
{
    static int label[1000];
    for (int i = 0; i < 1000; i++)
        label[i] = i % 2;
    const fv_dataset_source source = {.shape = {3, {8, 16, 1}},
                                      .dtype = FV_UINT8,
                                      .count = 1000,
                                      .read = read_picture,
                                      .is_parallel = true};
    const fv_tensor y = {{1, {1000}}, FV_INT32, label};
    const char *const names[] = {"left", "right"};
    fv_dataset *squares = NULL;
    fv_loader *loader = NULL;
    fv_batch batch;
    fv_status s = fv_dataset_from_source(&squares, &source, &y, names, 2);
    if (s == FV_OK) s = fv_loader_new(&loader, squares, &(fv_loader_config){.batch_size = 64});
    if (s == FV_OK) s = fv_loader_begin(loader, 0);
    for (int k = 1; s == FV_OK && (s = fv_loader_next(loader, &batch)) == FV_OK && batch.n > 0; k++)
        printf("batch %2d: %2d pictures, the first is number %3d, %s\n", k, batch.n, batch.index[0],
               fv_dataset_class(squares, batch.y[0]));
    if (s != FV_OK) fprintf(stderr, "%s\n", fv_error());
    fv_loader_free(loader);
    fv_dataset_free(squares);
    return s != FV_OK;
}
