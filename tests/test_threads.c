/* SPDX-License-Identifier: MIT */
/* Threads: each task once, one call at a time or many together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEST_TASKS = 1000 };

typedef struct test_sum {
    const double *x;
    double part[TEST_TASKS];
    int calls[TEST_TASKS];
    bool own_text[TEST_TASKS];
} test_sum;

static void test_sum_task(void *context, size_t task)
{
    test_sum *sum = context;
    char text[32];
    for (size_t i = 0; i < 16; i++) {
        sum->part[task] += sum->x[task * 16 + i];
    }
    sum->calls[task]++;
    /* Each thread has an error text of its own. */
    snprintf(text, sizeof text, "task %zu", task);
    fvi_fail(FV_E_STATE, "%s", text);
    sum->own_text[task] = strcmp(fv_error(), text) == 0;
}

/* So many tasks; what they find depends on the round. */
static void test_sum_round(fvi_threads *pool, size_t n, size_t round)
{
    static double x[TEST_TASKS * 16];
    static test_sum sum;
    memset(&sum, 0, sizeof sum);
    sum.x = x;
    for (size_t i = 0; i < n * 16; i++) {
        x[i] = (double)(i + round);
    }
    fvi_parallel_for(pool, n, test_sum_task, &sum);
    for (size_t i = 0; i < TEST_TASKS; i++) {
        double want = 16.0 * (double)(i * 16 + round) + 120;
        assert_int_equal(sum.calls[i], i < n);
        assert_true(sum.part[i] == (i < n ? want : 0));
        assert_int_equal(sum.own_text[i], i < n);
    }
}

static const size_t test_tasks[] = {0, 1, 2, 3, 17, TEST_TASKS};

static void test_threads_sum(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    for (int threads = 1; threads <= 4; threads++) {
        fvi_threads *pool;
        assert_int_equal(fvi_threads_new(&pool, threads), FV_OK);
        assert_int_equal(pool == NULL, fvi_threads_count(pool) == 1);
        for (size_t round = 0; round < 10 * FVI_COUNT(test_tasks); round++) {
            test_sum_round(pool, test_tasks[round % FVI_COUNT(test_tasks)], round);
        }
        fvi_threads_free(pool);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

/* ---- together ---- */

typedef struct test_body {
    fvi_threads *pool;
    const int *mark; /* of the thread that called */
    int calls;
} test_body;

static _Thread_local int test_mark;

static void test_pause(long milliseconds)
{
    nanosleep(&(struct timespec){0, milliseconds * 1000000}, NULL);
}

static void test_inner(void *context)
{
    test_body *body = context;
    test_sum_round(body->pool, 17, 3);
    body->calls++;
}

/* Many calls in a row, now and then a pause in which the others fall asleep. */
static void test_outer(void *context)
{
    test_body *body = context;
    assert_ptr_equal(&test_mark, body->mark);
    for (size_t round = 0; round < 200 * FVI_COUNT(test_tasks); round++) {
        test_sum_round(body->pool, test_tasks[round % FVI_COUNT(test_tasks)], round);
        if (round % 100 == 50) test_pause(3);
    }
    fvi_together(body->pool, test_inner, body);
    body->calls++;
}

static void test_together_sum(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    for (int threads = 1; threads <= 4; threads++) {
        test_body body = {.mark = &test_mark};
        assert_int_equal(fvi_threads_new(&body.pool, threads), FV_OK);
        for (int i = 0; i < 3; i++) {
            fvi_together(body.pool, test_outer, &body);
            assert_int_equal(body.calls, 2 * (i + 1));
            test_sum_round(body.pool, TEST_TASKS, 1);
        }
        fvi_together(body.pool, test_inner, &body);
        assert_int_equal(body.calls, 7);
        fvi_threads_free(body.pool);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

typedef struct test_meeting {
    fvi_threads *pool;
    fvi_lock *lock;
    int here;
    bool met[4];
} test_meeting;

static int test_meeting_here(test_meeting *m, int more)
{
    fvi_lock_take(m->lock);
    const int here = m->here += more;
    fvi_lock_give(m->lock);
    return here;
}

/* Ends when all four tasks are running, or after ten seconds. */
static void test_meeting_task(void *context, size_t task)
{
    test_meeting *m = context;
    const double end = fvi_now() + 10;
    test_meeting_here(m, 1);
    while (!m->met[task] && fvi_now() < end) {
        m->met[task] = test_meeting_here(m, 0) == 4;
        if (!m->met[task]) test_pause(1);
    }
}

static void test_meeting_body(void *context)
{
    test_meeting *m = context;
    for (int i = 0; i < 6; i++) {
        m->here = 0;
        memset(m->met, 0, sizeof m->met);
        fvi_parallel_for(m->pool, 4, test_meeting_task, m);
        for (int k = 0; k < 4; k++) {
            assert_true(m->met[k]);
        }
        if (i % 2 == 1) test_pause(5);
    }
}

/* Tasks run at the same time, whether the others are awake or asleep when they are called. */
static void test_together_meet(void **state)
{
    (void)state;
    test_meeting m = {0};
    assert_int_equal(fvi_threads_new(&m.pool, 4), FV_OK);
    assert_int_equal(fvi_lock_new(&m.lock), FV_OK);
    if (m.pool) fvi_together(m.pool, test_meeting_body, &m);
    fvi_lock_free(m.lock);
    fvi_threads_free(m.pool);
}

/* ---- edges ---- */

/* The smallest double halved by each thread: a pool that flushes denormals would lose it. */
static void test_denormal_task(void *context, size_t task)
{
    volatile double *value = (volatile double *)context + task;
    *value = *value / 2;
}

static void test_threads_edges(void **state)
{
    (void)state;
    fvi_threads *pool;
    assert_int_equal(fvi_threads_new(&pool, 0), FV_E_ARG);
    assert_int_equal(fvi_threads_new(&pool, -3), FV_E_ARG);
    assert_int_equal(fvi_threads_new(&pool, 1), FV_OK);
    assert_null(pool);
    assert_int_equal(fvi_threads_count(NULL), 1);
    fvi_threads_free(NULL);
    assert_true(fvi_threads_available() >= 1);
    double value[64];
    for (int i = 0; i < 64; i++) {
        value[i] = 0x1p-1022;
    }
    assert_int_equal(fvi_threads_new(&pool, 3), FV_OK);
    fvi_parallel_for(pool, 64, test_denormal_task, value);
    fvi_threads_free(pool);
    for (int i = 0; i < 64; i++) {
        assert_true(value[i] == 0x1p-1023);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_sum),
        cmocka_unit_test(test_together_sum),
        cmocka_unit_test(test_together_meet),
        cmocka_unit_test(test_threads_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
