/* SPDX-License-Identifier: MIT */
/* As much of cmocka as the kernel tests use, for processors that are only emulated here and for
   which no cmocka is installed. The first failure ends the program with 1. */
#ifndef ELSEWHERE_CMOCKA_H
#define ELSEWHERE_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

typedef int elsewhere_fixture(void **state);

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    elsewhere_run((tests), sizeof(tests) / sizeof((tests)[0]), (setup), (teardown))

static inline int elsewhere_run(const struct CMUnitTest *tests, size_t count,
                                elsewhere_fixture *setup, elsewhere_fixture *teardown)
{
    void *state = NULL;
    if (setup && setup(&state) != 0) return 1;
    for (size_t i = 0; i < count; ++i) {
        tests[i].run(&state);
        printf("%s: passed\n", tests[i].name);
    }
    return teardown && teardown(&state) != 0 ? 1 : 0;
}

#define fail_msg(...)                                                                              \
    (printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\nfailed\n"), exit(1))
#define assert_true(value) ((value) ? (void)0 : fail_msg("%s", #value))
#define assert_false(value) assert_true(!(value))
#define assert_null(value) assert_true(!(value))
#define assert_non_null(value) assert_true((value) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define assert_memory_equal(a, b, size) assert_true(memcmp((a), (b), (size)) == 0)
#define assert_in_range(value, least, most)                                                        \
    assert_true((long long)(value) >= (least) && (long long)(value) <= (most))

#endif
