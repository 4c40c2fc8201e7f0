/* SPDX-License-Identifier: MIT */
/* The history of a training as CSV. */
#include "train/train_internal.h"

#include <math.h>

static void report_cell(fvi_text *text, double value)
{
    fvi_text_add(text, ",");
    if (isfinite(value)) fvi_text_add_double(text, value);
}

fv_status fv_history_save_csv(const fv_history *history, const char *path)
{
    if (!history || !path)
        return fvi_fail(FV_E_ARG, "fv_history_save_csv: a history and a path are needed");
    fvi_text text = {0};
    fvi_text_add(&text, "epoch,loss,accuracy,val_loss,val_accuracy,seconds,images_per_second\n");
    for (int i = 0; i < history->count; i++) {
        const fv_epoch *e = &history->epochs[i];
        fvi_text_add(&text, "%d", e->epoch);
        report_cell(&text, e->loss);
        report_cell(&text, e->accuracy);
        report_cell(&text, e->val_loss);
        report_cell(&text, e->val_accuracy);
        report_cell(&text, e->seconds);
        report_cell(&text, e->images_per_second);
        fvi_text_add(&text, "\n");
    }
    fv_status s = text.status;
    if (s == FV_OK) s = fvi_file_write(path, text.data, text.size);
    fvi_text_free(&text);
    return s;
}

void fv_history_free(fv_history *history)
{
    if (!history) return;
    fvi_free(history->epochs);
    *history = (fv_history){0};
}
