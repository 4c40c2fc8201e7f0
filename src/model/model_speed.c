/* SPDX-License-Identifier: MIT */
/* What a speed is measured with: how many operations a model takes, and how many the processor
   could do. */
#include "model/model_internal.h"

#include <string.h>

#define SPEED_SECONDS_MAX 60

const char *fv_model_isa(const fv_model *model)
{
    return model ? model->kernels->isa : "";
}

int fv_model_threads(const fv_model *model)
{
    return model ? model->threads : 0;
}

static fv_status speed_check(const char *who, const fv_model *model, const void *out)
{
    if (!model || !out)
        return fvi_fail(FV_E_ARG, "%s: %s is NULL", who, model ? "the result" : "model");
    if (!model->is_built)
        return fvi_fail(FV_E_STATE, "%s: the model is not built; call fv_model_build first", who);
    return FV_OK;
}

/* Every element of a kernel is multiplied once for each place of the output: [OH,OW] of a
   convolution, one of a dense layer. */
double fvi_model_multiplied(const fvi_node *node)
{
    const fv_shape *y = &node->y_shape;
    double products = 0, places = 1;
    for (int i = 0; i + 1 < y->rank; i++)
        places *= y->dim[i];
    for (int i = 0; i < node->n_weights; i++)
        if (strstr(node->weight[i].name, "kernel"))
            products += places * (double)node->weight[i].count;
    return products;
}

/* Whether a node's output depends on weights that are trained; has: of all nodes before it. */
static bool speed_is_trained(const bool *has, const fvi_node *node)
{
    bool is_trained = false;
    for (int i = 0; i < node->n_inputs; i++)
        is_trained = is_trained || has[node->input[i]];
    for (int i = 0; i < node->n_weights; i++)
        is_trained = is_trained || !node->weight[i].is_state;
    return is_trained;
}

fv_status fv_model_flops(const fv_model *model, double *flops, bool training)
{
    FVI_TRY(speed_check("fv_model_flops", model, flops));
    bool *has = fvi_alloc((size_t)model->n_nodes, sizeof *has, "a list of layers");
    if (!has) return FV_E_MEMORY;
    *flops = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const double forward = 2 * fvi_model_multiplied(node);
        has[i] = speed_is_trained(has, node);
        const bool has_below = node->n_inputs > 0 && has[node->input[0]];
        *flops += training ? forward * (has_below ? 3 : 2) : forward;
    }
    fvi_free(has);
    return FV_OK;
}

fv_status fv_model_peak(fv_model *model, double *gflops, double seconds)
{
    FVI_TRY(speed_check("fv_model_peak", model, gflops));
    if (!(seconds >= 0 && seconds <= SPEED_SECONDS_MAX))
        return fvi_fail(FV_E_ARG, "fv_model_peak: seconds out of range; expected 0 to %d",
                        SPEED_SECONDS_MAX);
    *gflops = fvi_kernels_peak(model->kernels, model->pool, seconds);
    return FV_OK;
}
