/* SPDX-License-Identifier: MIT */
/* A residual network: one layer is read twice, which only the Functional style can say. */
#include <fovea/model.h>

#include <stdio.h>

int main(void)
{
    fv_conv2d_config conv = {.filters = 8, .kernel_size = {3}, .padding = FV_SAME};
    fv_model *m = fv_model_new("residual", NULL);
    int x = fv_input(m, 28, 28, 1);
    x = fv_relu(m, fv_conv2d(m, x, &conv));
    int shortcut = x;
    x = fv_relu(m, fv_conv2d(m, x, &conv));
    x = fv_conv2d(m, x, &conv);
    x = fv_relu(m, fv_sum(m, x, shortcut));
    x = fv_global_avgpool2d(m, x);
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
