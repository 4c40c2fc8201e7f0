/* SPDX-License-Identifier: MIT */
/* The network of sequential.c in the Functional style: every layer says which one it stands on. */
#include <fovea/model.h>

#include <stdio.h>

int main(void)
{
    fv_model *m = fv_model_new("functional", NULL);
    int x = fv_input(m, 28, 28, 1);
    x = fv_conv2d(m, x,
                  &(fv_conv2d_config){.filters = 8, .kernel_size = {3}, .activation = FV_RELU});
    x = fv_maxpool2d(m, x, NULL);
    x = fv_flatten(m, x);
    x = fv_dense(m, x, &(fv_dense_config){.units = 10, .activation = FV_SOFTMAX});
    fv_status status = fv_model_build(m, x, 64);

    char *summary = NULL;
    if (status == FV_OK) status = fv_model_summary(m, false, &summary);
    if (status == FV_OK) fputs(summary, stdout);
    if (status != FV_OK) fprintf(stderr, "%s\n", fv_error());
    fv_free(summary);
    fv_model_free(m);
    return status == FV_OK ? 0 : 1;
}
