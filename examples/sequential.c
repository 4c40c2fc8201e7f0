/* SPDX-License-Identifier: MIT */
/* A small network in the Sequential style: every layer stands on the one added last. */
#include <fovea/model.h>

#include <stdio.h>

int main(void)
{
    fv_model *m = fv_model_new("sequential", NULL);
    fv_input(m, 28, 28, 1);
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.filters = 8, .kernel_size = {3}, .activation = FV_RELU});
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 10, .activation = FV_SOFTMAX});
    fv_status status = fv_model_build(m, FV_LAST, 64);

    char *summary = NULL;
    if (status == FV_OK) status = fv_model_summary(m, false, &summary);
    if (status == FV_OK) fputs(summary, stdout);
    if (status != FV_OK) fprintf(stderr, "%s\n", fv_error());
    fv_free(summary);
    fv_model_free(m);
    return status == FV_OK ? 0 : 1;
}
