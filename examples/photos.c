/* SPDX-License-Identifier: MIT */
/* A folder with a folder of photos for each class: train on four fifths, measure on the rest.
   usage: photos FOLDER */
#include <fovea/fovea.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    const fv_dataset_config size = {.height = 64, .width = 64, .channels = 3};
    const fv_augment_config random = {.flip_horizontal = true, .rotation = 0.03F, .zoom = 0.1F};
    fv_dataset *photos = NULL, *train = NULL, *valid = NULL, *changed = NULL;
    fv_evaluation e = {0};
    fv_model *m = NULL;
    if (argc != 2) return fprintf(stderr, "usage: photos FOLDER\n"), 2;

    fv_status s = fv_dataset_open(&photos, argv[1], FV_TRAIN, &size);
    if (s == FV_OK) s = fv_dataset_split(&train, &valid, photos, 0.2, 0);
    if (s == FV_OK) s = fv_dataset_augment(&changed, train, &random, 0);
    if (s == FV_OK) s = fv_model_open(&m, "signs", NULL);
    if (s == FV_OK) s = fv_model_set_outputs(m, fv_dataset_classes(photos));
    if (s == FV_OK) s = fv_model_build(m, FV_LAST, 64);
    if (s == FV_OK) s = fv_fit(m, NULL, changed, valid, &(fv_fit_config){.epochs = 20});
    if (s == FV_OK) s = fv_evaluate(m, &e, valid, FV_LOSS_AUTO);
    if (s == FV_OK) s = fv_model_save(m, "photos.safetensors");
    if (s == FV_OK) printf("%.3f of %d photos it has never seen are right\n", e.accuracy, e.n);
    for (int i = 0; i < fv_dataset_skipped(photos); i++)
        printf("left out: %s\n", fv_dataset_skipped_text(photos, i));
    if (s != FV_OK) fprintf(stderr, "%s\n", fv_error());

    fv_evaluation_free(&e);
    fv_model_free(m);
    fv_dataset_free(changed);
    fv_dataset_free(train);
    fv_dataset_free(valid);
    fv_dataset_free(photos);
    return s != FV_OK;
}
