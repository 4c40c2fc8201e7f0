/* SPDX-License-Identifier: MIT */
/* What the commands of `fovea data` share; fovea data info. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_SAMPLE_VALUES ((size_t)64 << 20) /* values looked at; a set with more is sampled */
#define DATA_SAMPLE_LEAST 16                  /* pictures */
#define DATA_CLASSES_SHOWN 40
#define DATA_CHANNELS_SHOWN 8

const char *const cli_part_name[CLI_PARTS] = {"train", "val", "test"};
const fv_split cli_part_split[CLI_PARTS] = {FV_TRAIN, FV_VALIDATION, FV_TEST};

/* ---- shared ---- */

void cli_data_parts(bool has[CLI_PARTS], const cli_settings *s, const char *path)
{
    bool has_any = false;
    for (int i = 0; i < CLI_PARTS; i++) {
        has[i] = !s->x && !s->y && cli_dataset_has(path, cli_part_split[i]);
        has_any = has_any || has[i];
    }
    has[0] = has[0] || !has_any;
}

/* "64x48", or "64" for 64x64. */
static int data_size(fv_dataset_config *config, const char *text)
{
    char *end;
    size_t first = strspn(text, "0123456789");
    size_t second = text[first] == 'x' ? strspn(text + first + 1, "0123456789") : 0;
    bool is_plain = first > 0 && first < 6 && second < 6 &&
                    strlen(text) == first + (second > 0 ? second + 1 : 0);
    if (is_plain) {
        config->height = (int)strtol(text, &end, 10);
        config->width = second > 0 ? (int)strtol(end + 1, &end, 10) : config->height;
    }
    if (is_plain && config->height >= 1 && config->height <= 65535 && config->width >= 1 &&
        config->width <= 65535)
        return CLI_DONE;
    return cli_fail(CLI_USAGE, "--size \"%s\": expected height and width, such as 64x64", text);
}

int cli_data_config_sized(fv_dataset_config *config, const cli_settings *s)
{
    int code = cli_data_config(config, s, NULL);
    if (code == CLI_DONE && s->size) code = data_size(config, s->size);
    if (code == CLI_DONE && s->channels == 2)
        code = cli_fail(CLI_USAGE, "--channels 2: expected 1 for grey or 3 for colour");
    config->channels = (int)s->channels;
    return code;
}

int cli_data_open_sized(fv_dataset **dataset, const char *path, fv_split split,
                        const fv_dataset_config *config)
{
    int code = cli_data_open(dataset, path, split, config);
    if (code != CLI_DONE) return code;
    fv_shape is = fv_dataset_shape(*dataset);
    bool is_sized =
        config->height == 0 || (is.dim[0] == config->height && is.dim[1] == config->width);
    if (is_sized && (config->channels == 0 || is.dim[2] == config->channels)) return CLI_DONE;
    fv_dataset_free(*dataset);
    *dataset = NULL;
    return cli_fail(CLI_USAGE,
                    "--%s: the pictures of \"%s\" are arrays of %dx%dx%d and stay so; expected a "
                    "folder of pictures, a .csv or made:NAME",
                    is_sized ? "channels" : "size", path, is.dim[0], is.dim[1], is.dim[2]);
}

void cli_print_name(const char *name, int width)
{
    int columns = 0;
    for (const char *c = name; *c; c++)
        columns += ((unsigned char)*c & 0xC0u) != 0x80u;
    if (width < 0) printf("%*s", -width > columns ? -width - columns : 0, "");
    for (const char *c = name; *c; c++)
        putchar((unsigned char)*c < 32 || *c == 127 ? '?' : *c);
    if (width > columns) printf("%*s", width - columns, "");
}

/* ---- fovea data info ---- */

/* Values by channel of a part, or of every step-th picture of it. */
typedef struct data_values {
    int part, looked, channels;
    double *least, *greatest, *mean, *deviation; /* [channels]; one block, least its beginning */
} data_values;

typedef struct data_part {
    int count, classes, *by_class; /* [classes] */
    bool is_memory;
    double bytes;
} data_part;

typedef struct data_info {
    const char *path, *kind;
    bool has[CLI_PARTS], is_targets, is_sized; /* is_sized: --size was given */
    data_part part[CLI_PARTS];
    fv_shape shape;
    fv_dtype dtype;
    int classes;
    char **class_name;
    data_values values;
    int left_out;
    char **why; /* [left_out] */
} data_info;

static int data_no_memory(void)
{
    return cli_fail(CLI_LIMIT, "out of memory");
}

static double data_value(const void *pixels, fv_dtype dtype, size_t i)
{
    return dtype == FV_UINT8 ? ((const uint8_t *)pixels)[i] : (double)((const float *)pixels)[i];
}

/* Least and greatest; what cannot be read was noted by fv_dataset_statistics. */
static int data_range(data_values *v, const fv_dataset *d)
{
    fv_shape shape = fv_dataset_shape(d);
    fv_dtype dtype = fv_dataset_dtype(d);
    size_t each = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    void *pixels = malloc(each * fv_dtype_size(dtype));
    if (!pixels) return data_no_memory();
    for (int c = 0; c < v->channels; c++) {
        v->least[c] = INFINITY;
        v->greatest[c] = -INFINITY;
    }
    for (int i = 0; i < fv_dataset_count(d); i++) {
        if (fv_dataset_read(d, pixels, i) != FV_OK) continue;
        v->looked++;
        for (size_t k = 0; k < each; k++) {
            size_t c = k % (size_t)v->channels;
            double value = data_value(pixels, dtype, k);
            v->least[c] = fmin(v->least[c], value);
            v->greatest[c] = fmax(v->greatest[c], value);
        }
    }
    free(pixels);
    return CLI_DONE;
}

/* All pictures, or as many as make DATA_SAMPLE_VALUES, evenly from the whole part. */
static int data_sample(fv_dataset **sample, const fv_dataset *d)
{
    fv_shape shape = fv_dataset_shape(d);
    size_t each = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    size_t count = (size_t)fv_dataset_count(d), most = DATA_SAMPLE_VALUES / each;
    if (most < DATA_SAMPLE_LEAST) most = DATA_SAMPLE_LEAST;
    if (most > count) most = count;
    int *index = malloc(most * sizeof *index);
    if (!index) return data_no_memory();
    for (size_t i = 0; i < most; i++)
        index[i] = (int)(i * count / most);
    fv_status status = fv_dataset_select(sample, d, index, (int)most);
    free(index);
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

static int data_look(data_values *v, const fv_dataset *d, int part)
{
    fv_dataset *sample = NULL;
    size_t channels = (size_t)fv_dataset_shape(d).dim[2];
    v->part = part;
    v->channels = (int)channels;
    v->least = calloc(channels, 4 * sizeof *v->least);
    if (!v->least) return data_no_memory();
    v->greatest = v->least + channels;
    v->mean = v->greatest + channels;
    v->deviation = v->mean + channels;
    int code = data_sample(&sample, d);
    if (code != CLI_DONE) return code;
    fv_status status = fv_dataset_statistics(sample, v->mean, v->deviation);
    code = status == FV_OK ? data_range(v, sample) : cli_fail_status(status, fv_error());
    fv_dataset_free(sample);
    return code;
}

/* Names of the part that has most classes: an array of labels alone tells only its largest. */
static int data_take_names(data_info *info, const fv_dataset *d)
{
    int classes = fv_dataset_classes(d);
    if (classes <= info->classes) return CLI_DONE;
    char **names = realloc(info->class_name, (size_t)classes * sizeof *names);
    if (!names) return data_no_memory();
    info->class_name = names;
    for (int i = 0; i < info->classes; i++)
        free(names[i]);
    for (info->classes = 0; info->classes < classes; info->classes++) {
        names[info->classes] = strdup(fv_dataset_class(d, info->classes));
        if (!names[info->classes]) return data_no_memory();
    }
    return CLI_DONE;
}

static int data_take_skips(data_info *info, const fv_dataset *d)
{
    int more = fv_dataset_skipped(d);
    char **why = realloc(info->why, (size_t)(info->left_out + more + 1) * sizeof *why);
    if (!why) return data_no_memory();
    info->why = why;
    for (int i = 0; i < more; i++) {
        why[info->left_out] = strdup(fv_dataset_skipped_text(d, i));
        if (!why[info->left_out]) return data_no_memory();
        info->left_out++;
    }
    return CLI_DONE;
}

static int data_take_part(data_info *info, const fv_dataset *d, int i)
{
    data_part *part = &info->part[i];
    bool is_first = info->values.least == NULL;
    info->shape = is_first ? fv_dataset_shape(d) : info->shape;
    info->dtype = is_first ? fv_dataset_dtype(d) : info->dtype;
    info->is_targets = fv_dataset_y(d).dtype == FV_FLOAT32;
    part->count = fv_dataset_count(d);
    part->is_memory = fv_dataset_x(d).data != NULL;
    fv_shape shape = fv_dataset_shape(d);
    part->bytes = (double)part->count * shape.dim[0] * shape.dim[1] * shape.dim[2] *
                  (double)fv_dtype_size(fv_dataset_dtype(d));
    part->classes = fv_dataset_classes(d);
    part->by_class = calloc((size_t)part->classes, sizeof *part->by_class);
    if (!part->by_class) return data_no_memory();
    for (int k = 0; k < part->count; k++)
        part->by_class[fv_dataset_label(d, k)]++;
    int code = is_first ? data_look(&info->values, d, i) : CLI_DONE;
    if (code == CLI_DONE) code = data_take_names(info, d);
    if (code == CLI_DONE) code = data_take_skips(info, d);
    return code;
}

static void data_bytes(char out[32], double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    for (; i < 4 && bytes >= 1024; i++)
        bytes /= 1024;
    snprintf(out, 32, i == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes, unit[i]);
}

static const char *data_kind_text(const char *kind)
{
    static const struct {
        const char *kind, *text;
    } known[] = {{"made", "built in, drawn from a seed"},
                 {"folder", "a folder of pictures for each class"},
                 {"csv", "a table of pictures (CSV)"},
                 {"hdf5", "HDF5"},
                 {"npz", "NPZ"},
                 {"npy", "NPY files"},
                 {"idx", "IDX files (MNIST)"},
                 {"cifar", "CIFAR's binary files"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].kind, kind)) return known[i].text;
    return kind;
}

static void data_print_classes(const data_info *info)
{
    int shown = info->classes < DATA_CLASSES_SHOWN ? info->classes : DATA_CLASSES_SHOWN;
    printf("\nclass             ");
    for (int p = 0; p < CLI_PARTS; p++)
        if (info->has[p]) printf(" %9s", cli_part_name[p]);
    printf("\n");
    for (int k = 0; k < shown; k++) {
        printf("  ");
        cli_print_name(info->class_name[k], 16);
        for (int p = 0; p < CLI_PARTS; p++) {
            const data_part *part = &info->part[p];
            if (info->has[p]) printf(" %9d", k < part->classes ? part->by_class[k] : 0);
        }
        printf("\n");
    }
    if (shown < info->classes) printf("  (the first %d of %d classes)\n", shown, info->classes);
}

static void data_print_values(const data_info *info)
{
    const data_values *v = &info->values;
    int shown = v->channels < DATA_CHANNELS_SHOWN ? v->channels : DATA_CHANNELS_SHOWN;
    printf("\nvalues of the %s part, ", cli_part_name[v->part]);
    if (v->looked < info->part[v->part].count)
        printf("a sample of %d of its %d pictures\n", v->looked, info->part[v->part].count);
    else
        printf("all %d pictures\n", v->looked);
    printf("  channel     least  greatest      mean  deviation\n");
    for (int c = 0; c < shown; c++)
        printf("  %7d %9.5g %9.5g %9.5g  %9.5g\n", c, v->least[c], v->greatest[c], v->mean[c],
               v->deviation[c]);
    if (shown < v->channels) printf("  (the first %d of %d channels)\n", shown, v->channels);
}

static void data_print(const data_info *info)
{
    char bytes[32];
    cli_print_name(info->path, 0);
    bool is_first =
        !info->is_sized && (!strcmp(info->kind, "folder") || !strcmp(info->kind, "csv"));
    printf(": %s\n%dx%dx%d%s %s, %d classes%s\n", data_kind_text(info->kind), info->shape.dim[0],
           info->shape.dim[1], info->shape.dim[2], is_first ? " as the first picture is," : "",
           fv_dtype_name(info->dtype), info->classes,
           info->is_targets ? ", one target for each" : "");
    printf("\npart    pictures\n");
    for (int p = 0; p < CLI_PARTS; p++) {
        if (!info->has[p]) continue;
        data_bytes(bytes, info->part[p].bytes);
        printf("  %-5s %9d   %s, %s\n", cli_part_name[p], info->part[p].count, bytes,
               info->part[p].is_memory ? "in memory" : "read as it is needed");
    }
    data_print_classes(info);
    data_print_values(info);
}

static void data_print_json_part(const data_part *part, int p, int classes)
{
    printf("{\"name\":\"%s\",\"pictures\":%d,\"bytes\":%.0f,\"in_memory\":%s,\"by_class\":[",
           cli_part_name[p], part->count, part->bytes, part->is_memory ? "true" : "false");
    for (int k = 0; k < classes; k++)
        printf("%s%d", k ? "," : "", k < part->classes ? part->by_class[k] : 0);
    printf("]}");
}

static void data_print_json_list(const char *key, char *const *text, int n)
{
    printf(",\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        if (i) printf(",");
        cli_json_string(text[i]);
    }
    printf("]");
}

static void data_print_json(const data_info *info)
{
    const data_values *v = &info->values;
    const struct {
        const char *key;
        const double *value;
    } rows[] = {{"least", v->least},
                {"greatest", v->greatest},
                {"mean", v->mean},
                {"deviation", v->deviation}};
    printf("{\"path\":");
    cli_json_string(info->path);
    printf(",\"kind\":\"%s\",\"shape\":[%d,%d,%d],\"dtype\":\"%s\",\"parts\":[", info->kind,
           info->shape.dim[0], info->shape.dim[1], info->shape.dim[2], fv_dtype_name(info->dtype));
    for (int p = 0, n = 0; p < CLI_PARTS; p++) {
        if (!info->has[p]) continue;
        if (n++) printf(",");
        data_print_json_part(&info->part[p], p, info->classes);
    }
    printf("]");
    data_print_json_list("classes", info->class_name, info->classes);
    printf(",\"values\":{\"part\":\"%s\",\"pictures\":%d", cli_part_name[v->part], v->looked);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(",\"%s\":[", rows[i].key);
        for (int c = 0; c < v->channels; c++) {
            if (c) printf(",");
            cli_json_number(rows[i].value[c]);
        }
        printf("]");
    }
    printf("}");
    data_print_json_list("left_out", info->why, info->left_out);
    printf("}\n");
}

static void data_info_free(data_info *info)
{
    for (int p = 0; p < CLI_PARTS; p++)
        free(info->part[p].by_class);
    for (int i = 0; i < info->classes; i++)
        free(info->class_name[i]);
    for (int i = 0; i < info->left_out; i++)
        free(info->why[i]);
    free(info->class_name);
    free(info->why);
    free(info->values.least);
}

int cmd_data_info(const cli_settings *s)
{
    char fetched[CLI_PATH];
    const char *kind = fv_dataset_kind(cli_data_fetched(fetched, s->args[0]));
    data_info info = {.path = s->args[0], .kind = kind ? kind : "", .is_sized = s->size != NULL};
    fv_dataset_config config;
    int code = cli_data_config_sized(&config, s);
    if (code != CLI_DONE) return code;
    cli_data_parts(info.has, s, info.path);
    for (int p = 0; p < CLI_PARTS && code == CLI_DONE; p++) {
        fv_dataset *d = NULL;
        if (!info.has[p]) continue;
        code = cli_data_open_sized(&d, info.path, cli_part_split[p], &config);
        if (code == CLI_DONE) code = data_take_part(&info, d, p);
        if (code == CLI_DONE && !s->json) cli_data_report(d);
        fv_dataset_free(d);
    }
    if (code == CLI_DONE && s->json) data_print_json(&info);
    if (code == CLI_DONE && !s->json) data_print(&info);
    data_info_free(&info);
    return cli_finish(code);
}
