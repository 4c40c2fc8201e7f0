/* SPDX-License-Identifier: MIT */
/* Predicting, and the passes that can be looked into: what callers are offered of runs. */
#include "model/model_internal.h"

#include <string.h>

static fv_status predict_check(const char *who, const fv_model *model, const void *y, const void *x,
                               int n)
{
    if (!model) return fvi_fail(FV_E_ARG, "%s: model is NULL", who);
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "%s: the model is not built; call fv_model_build first", who);
    }
    if (n < 0) return fvi_fail(FV_E_ARG, "%s: %d images; expected 0 or more", who, n);
    if (n > 0 && (!x || !y)) return fvi_fail(FV_E_ARG, "%s: %s is NULL", who, x ? "y" : "x");
    return FV_OK;
}

fv_status fv_context_predict(fv_context *context, float *y, const float *x, int n)
{
    if (!context) return fvi_fail(FV_E_ARG, "fv_context_predict: context is NULL");
    FVI_TRY(predict_check("fv_context_predict", context->model, y, x, n));
    fvi_context_predict(context, y, x, n, false);
    return FV_OK;
}

fv_status fv_model_predict(fv_model *model, float *y, const float *x, int n)
{
    FVI_TRY(predict_check("fv_model_predict", model, y, x, n));
    fvi_context_predict(model->context, y, x, n, false);
    return FV_OK;
}

fv_status fv_model_predict_pixels(fv_model *model, float *y, const uint8_t *pixels, int n)
{
    FVI_TRY(predict_check("fv_model_predict_pixels", model, y, pixels, n));
    size_t in = fvi_image_floats(&model->node[model->input].y_shape);
    size_t out = fvi_image_floats(&model->node[model->output].y_shape);
    int most = n < model->max_batch ? n : model->max_batch;
    float *x = fvi_alloc((size_t)most * in, sizeof *x, "scaled pixels");
    if (!x) return FV_E_MEMORY;
    float scaled[256];
    for (int i = 0; i < 256; i++) {
        scaled[i] = (float)i * model->scale + model->offset;
    }
    for (int done = 0; done < n;) {
        int batch = n - done < most ? n - done : most;
        const uint8_t *from = pixels + (size_t)done * in;
        for (size_t i = 0; i < (size_t)batch * in; i++) {
            x[i] = scaled[from[i]];
        }
        fvi_context_predict(model->context, y + (size_t)done * out, x, batch, false);
        done += batch;
    }
    fvi_free(x);
    return FV_OK;
}

fv_status fvi_model_look(fv_model *model)
{
    return model->look ? FV_OK : fvi_context_make(&model->look, model, model->pool, FVI_LOOK);
}

fv_status fv_model_forward(fv_model *model, const float **y, const float *x, int n, bool training)
{
    FVI_TRY(predict_check("fv_model_forward", model, y, x, n));
    if (!y) return fvi_fail(FV_E_ARG, "fv_model_forward: y is NULL");
    if (n > model->max_batch) {
        return fvi_fail(FV_E_ARG, "fv_model_forward: %d images; the model is built for up to %d", n,
                        model->max_batch);
    }
    if (training && model->without_training) {
        return fvi_fail(FV_E_STATE, "fv_model_forward: the model was made without_training");
    }
    FVI_TRY(fvi_model_look(model));
    fv_context *context = model->look;
    uint32_t step = training ? context->step + 1 : context->step;
    *y = fvi_context_forward(context, x, n, training, false, step);
    return FV_OK;
}

fv_status fv_model_backward(fv_model *model, const float *dy)
{
    FVI_TRY(predict_check("fv_model_backward", model, dy, dy, 0));
    if (model->without_training) {
        return fvi_fail(FV_E_STATE, "fv_model_backward: the model was made without_training");
    }
    fv_context *context = model->look;
    if (!context || context->n < 0 || !context->training) {
        return fvi_fail(FV_E_STATE, "fv_model_backward: the last run was not a forward pass with "
                                    "training set; call fv_model_forward(..., true) first");
    }
    if (!dy && context->n > 0) return fvi_fail(FV_E_ARG, "fv_model_backward: dy is NULL");
    size_t outputs = (size_t)context->n * fvi_image_floats(&model->node[model->output].y_shape);
    if (outputs > 0) memcpy(fvi_context_output_gradient(context), dy, outputs * sizeof *dy);
    fvi_context_backward(context);
    return FV_OK;
}
