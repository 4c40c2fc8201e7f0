/* SPDX-License-Identifier: MIT */
/* Every layer against its textbook twin: random configs on every instruction set, all gradients,
   threads bit for bit. */
#include "ops_rows.h"

#define CONFIGS 208
#define BIG_EVERY 52   /* one in so many is large enough for several tasks */
#define TOLERANCE 1e-5 /* of the largest value */
#define FLOOR 0.1 /* and of this: a single sum of values about 1 may cancel to almost nothing */

/* ---- comparisons ---- */

static double largest_of(const double *v, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(v[i]));
    }
    return largest;
}

/* now = exact, on top of before if it was added to; floor: a value the tolerance is taken from at
   least. */
static void compare(const op_case *t, const char *what, int i, const case_array *a,
                    const double *exact, bool is_added, double floor_value)
{
    double room = TOLERANCE * fmax(largest_of(exact, a->count), floor_value);
    for (size_t k = 0; k < a->count; k++) {
        double want = exact[k] + (is_added ? (double)a->before[k] : 0.0);
        double rounding = is_added ? 1.2e-7 * fabs(want) : 0.0;
        if (fabs((double)a->now[k] - want) <= room + rounding) continue;
        fail_msg("%s on %s, seed %llu: %s %d [%zu] is %.9g; %.9g is expected, to %.2g",
                 t->node.op->name, t->k->isa, (unsigned long long)t->seed, what, i, k,
                 (double)a->now[k], want, room);
    }
}

static void compare_all(const op_case *t)
{
    compare(t, "y", 0, &t->y, t->y.exact, false, t->floor);
    for (int i = 0; i < t->node.n_weights; i++) {
        bool is_moved = t->node.weight[i].is_state && t->training;
        if (is_moved) {
            compare(t, "state", i, &t->w[i], t->dw[i].exact, false, 0.0);
        } else {
            assert_memory_equal(t->w[i].now, t->w[i].before, t->w[i].count * sizeof(float));
        }
        if (!t->training || t->node.weight[i].is_state) continue;
        compare(t, "dw", i, &t->dw[i], t->dw[i].exact, false, t->floor);
    }
    for (int i = 0; i < t->node.n_inputs; i++) {
        assert_memory_equal(t->x[i].now, t->x[i].before, t->x[i].count * sizeof(float));
        if (t->training) compare(t, "dx", i, &t->dx[i], t->dx[i].exact, t->adds[i], t->floor);
    }
}

/* Everything that a run writes, one after the other. */
static float *outputs(const op_case *t, size_t *count)
{
    const case_array *list[1 + CASE_INPUTS + 2 * FVI_MAX_WEIGHTS] = {&t->y};
    size_t arrays = 1;
    for (int i = 0; i < t->node.n_inputs; i++) {
        list[arrays++] = &t->dx[i];
    }
    for (int i = 0; i < t->node.n_weights; i++) {
        list[arrays++] = &t->w[i];
        list[arrays++] = &t->dw[i];
    }
    *count = 0;
    for (size_t i = 0; i < arrays; i++) {
        *count += list[i]->count;
    }
    float *all = case_room(*count, sizeof *all), *next = all;
    for (size_t i = 0; i < arrays; i++) {
        if (list[i]->count) memcpy(next, list[i]->now, list[i]->count * sizeof *all);
        next += list[i]->count;
    }
    return all;
}

static void compare_threads(op_case *t, int most)
{
    size_t count, again;
    float *alone = outputs(t, &count);
    for (int threads = 2; threads <= most; threads++) {
        case_run(t, threads);
        float *many = outputs(t, &again);
        assert_int_equal(count, again);
        if (memcmp(alone, many, count * sizeof *alone) != 0) {
            fail_msg("%s, seed %llu: %d threads give other bits", t->node.op->name,
                     (unsigned long long)t->seed, threads);
        }
        free(many);
    }
    free(alone);
}

/* Prediction: the last image alone gives the bits it gave in the batch. Leaves the case with that
   one image. */
static void compare_alone(op_case *t)
{
    size_t floats = fvi_image_floats(&t->node.y_shape), bytes = floats * sizeof(float);
    float *last = case_room(floats, sizeof *last);
    memcpy(last, t->y.now + t->y.count - floats, bytes);
    for (int i = 0; i < t->node.n_inputs; i++) {
        size_t image = fvi_image_floats(&t->x_shape[i]);
        memmove(t->x[i].before, t->x[i].before + t->x[i].count - image, image * sizeof(float));
        t->x[i].count = t->dx[i].count = image;
    }
    t->y.count = t->dy.count = floats;
    t->n = 1;
    case_run(t, 1);
    assert_memory_equal(last, t->y.now, bytes);
    free(last);
}

/* ---- differences in double: the judge's gradients and its own forward must agree ---- */

static double probe_loss(const op_row *row, op_case *t)
{
    double sum = 0.0;
    row->forward(t);
    for (size_t i = 0; i < t->y.count; i++) {
        sum += t->y.exact[i] * t->dy.exact[i];
    }
    return sum;
}

/* d loss / d value by differences, where the two sides agree (no kink between them). Returns how
   many were compared: 0 or 1. */
static int probe(const op_row *row, op_case *t, double *value, double gradient, double scale)
{
    double kept = *value, step = 1e-5;
    double here = probe_loss(row, t);
    *value = kept + step;
    double above = (probe_loss(row, t) - here) / step;
    *value = kept - step;
    double below = (here - probe_loss(row, t)) / step;
    *value = kept;
    if (fabs(above - below) > 1e-3 * scale) return 0;
    if (fabs((above + below) / 2 - gradient) > 1e-5 * scale) {
        fail_msg("%s, seed %llu: the judge has gradient %.9g, differences %.9g", row->op,
                 (unsigned long long)t->seed, gradient, (above + below) / 2);
    }
    return 1;
}

static int probe_case(const op_row *row, op_case *t, case_draw *d)
{
    int compared = 0;
    t->is_probe = true;
    for (int k = 0; k < 2 && t->x[0].count; k++) {
        int i = draw_int(d, 0, t->node.n_inputs - 1);
        int at = draw_int(d, 0, (int)t->x[i].count - 1);
        double scale = 1.0 + largest_of(t->dx[i].exact, t->dx[i].count);
        compared += probe(row, t, &t->x[i].exact[at], t->dx[i].exact[at], scale);
        if (t->node.n_weights == 0) continue;
        i = draw_int(d, 0, t->node.n_weights - 1);
        if (t->node.weight[i].is_state) continue;
        at = draw_int(d, 0, (int)t->w[i].count - 1);
        scale = 1.0 + largest_of(t->dw[i].exact, t->dw[i].count);
        compared += probe(row, t, &t->w[i].exact[at], t->dw[i].exact[at], scale);
    }
    row->forward(t); /* y of the values as they are */
    t->is_probe = false;
    return compared;
}

/* ---- the loop ---- */

/* Whether the ReLU of y leaves no doubt: where y is nearly 0 the judge may see another sign. An Add
   is exact enough. */
static bool can_clip(const op_case *t)
{
    const fvi_op *op = t->node.op;
    if (!op->can_clip || (op->is_linear && !op->is_linear(&t->node))) return false;
    for (size_t i = 0; i < t->y.count && t->node.n_weights > 0; i++) {
        if (fabs(t->y.exact[i]) < 1e-5) return false;
    }
    return true;
}

/* Sometimes the ReLU after the layer is its own work, or the gradient of a ReLU before or after it:
   dx is then masked, or dy has been. Sometimes dx takes the place of dy. */
static void choose_masks(op_case *t, case_draw *d)
{
    const fvi_op *op = t->node.op;
    t->clips = can_clip(t) && draw_bool(d);
    t->masks = op->can_mask && draw_bool(d);
    t->is_in_place = op->is_in_place && draw_bool(d);
    if (t->masks || t->is_in_place) t->adds[0] = false;
    t->is_masked = (t->clips || (op->is_clipped && op->is_clipped(&t->node))) && draw_bool(d);
    for (size_t i = 0; (t->clips || t->is_masked) && i < t->dy.count; i++) {
        if (t->y.exact[i] > 0.0) continue;
        if (t->is_masked) t->dy.before[i] = 0.0f;
        t->dy.exact[i] = 0.0;
    }
}

static int check_case(const op_row *row, int number)
{
    int compared = 0;
    bool is_big = number % BIG_EVERY == BIG_EVERY - 1, is_probed = number % 4 == 1 && !is_big;
    case_draw d = {(uint64_t)(row - rows) << 32 | (uint64_t)number, 0};
    op_case t = {
        .seed = d.seed, .step = (uint32_t)number, .node_id = (int)(row - rows), .floor = FLOOR};
    row->draw(&t, &d, is_big);
    t.max_batch = t.n + draw_int(&d, t.n == 0, 2);
    t.training = number % 4 != 0;
    for (int i = 0; i < CASE_INPUTS; i++) {
        t.adds[i] = number >> i & 2;
    }
    fv_status status = case_infer(&t, row->op, row->n_inputs);
    if (status != FV_OK) fail_msg("%s, config %d: %s", row->op, number, fv_error());
    t.logits = t.node.op->head && t.node.op->head(&t.node) != FV_LINEAR && draw_bool(&d);
    case_allocate(&t);
    case_fill(&t, &d, number % 3 == 0);
    row->forward(&t);
    choose_masks(&t, &d);
    if (t.training) row->backward(&t);
    if (t.training && is_probed) compared = probe_case(row, &t, &d);
    for (size_t i = 0; t.masks && i < t.dx[0].count; i++) {
        if (!(t.x[0].before[i] > 0.0f)) t.dx[0].exact[i] = 0.0;
    }
    for (size_t i = 0; t.clips && i < t.y.count; i++) {
        t.y.exact[i] = fmax(t.y.exact[i], 0.0);
    }
    bool is_usable = false;
    for (int i = 0; fvi_kernels_at(i, &is_usable); i++) { /* the best comes last and stays */
        if (!is_usable) continue;
        case_change_kernels(&t, fvi_kernels_at(i, NULL));
        case_run(&t, 1);
        compare_all(&t);
        if (number == BIG_EVERY - 1) compare_threads(&t, CASE_THREADS);
    }
    if (is_big || number % 40 == 0) compare_threads(&t, is_big ? CASE_THREADS : 2);
    if (!t.training && t.n > 0) compare_alone(&t);
    case_free(&t);
    return compared;
}

static void test_textbook(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        int compared = 0;
        for (int number = 0; number < CONFIGS; number++) {
            compared += check_case(&rows[i], number);
        }
        if (compared < CONFIGS / 8) fail_msg("%s: %d differences taken", rows[i].op, compared);
    }
}

/* Every op has a row, but those that run nothing. */
static void test_all_ops_have_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; fvi_op_at(i); i++) {
        const fvi_op *op = fvi_op_at(i);
        bool has_row = false;
        for (size_t k = 0; k < FVI_COUNT(rows); k++) {
            has_row = has_row || strcmp(rows[k].op, op->name) == 0;
        }
        assert_int_equal(has_row, op->forward != NULL);
        assert_int_equal(op->forward != NULL, op->backward != NULL);
        assert_ptr_equal(fvi_op_find(op->name), op);
    }
    assert_null(fvi_op_find("conv2d"));
    assert_null(fvi_op_find(NULL));
    assert_ptr_equal(fvi_op_find("MaxPool2D"), fvi_op_find("MaxPooling2D"));
    assert_ptr_equal(fvi_op_find("AvgPool2D"), fvi_op_find("AveragePooling2D"));
    assert_string_equal(fvi_op_nearest("MaxPol2D"), "MaxPooling2D");
    assert_string_equal(fvi_op_nearest("conv2d"), "Conv2D");
    assert_null(fvi_op_nearest("LSTM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_textbook),
        cmocka_unit_test(test_all_ops_have_a_row),
    };
    return cmocka_run_group_tests(tests, case_setup, case_teardown);
}
