/* SPDX-License-Identifier: MIT */
/* The README's program: a small network learns to read drawn digits and is saved. */
#include <fovea/fovea.h>
#include <stdio.h>

int main(void)
{
    fv_model *m = fv_model_new("digits", NULL);
    int x = fv_input(m, 28, 28, 1);
    x = fv_relu(m, fv_conv2d(m, x, &(fv_conv2d_config){.filters = 32, .kernel_size = {3}}));
    x = fv_flatten(m, fv_maxpool2d(m, x, NULL)); /* NULL: every default; FV_LAST: Sequential */
    x = fv_dense(m, x, &(fv_dense_config){.units = 10, .activation = FV_SOFTMAX});
    fv_dataset *train = NULL;
    fv_status s = fv_model_build(m, x, 64); /* the one check; batches of up to 64 */
    if (s == FV_OK) s = fv_dataset_open(&train, "made:digits", FV_TRAIN, NULL);
    fv_fit_config fit = {.epochs = 3, .batch_size = 64};
    if (s == FV_OK) s = fv_fit(m, NULL, train, NULL, &fit);
    if (s == FV_OK) s = fv_model_save(m, "digits.safetensors");
    if (s != FV_OK) fprintf(stderr, "%s\n", fv_error());
    fv_dataset_free(train);
    fv_model_free(m);
    return s != FV_OK;
}
