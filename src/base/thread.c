/* SPDX-License-Identifier: MIT */
/* A thin face on pthreadpool: parallel-for over tasks fixed by geometry, many calls with one wake-up;
   plain calls without it. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/base_internal.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#ifdef FVI_WITH_THREADS
#include <pthread.h>
#include <pthreadpool.h>
#include <stdatomic.h>

#define THREAD_MAX 1024
/* Workers sleep between calls, unless these are made together. If they spun, as they do by default, a
   call would be cheaper on an idle machine (LeNet-5, batch 64, 2 threads: 16.5 against 13.7 thousand
   images/s), but on a busy one they would take the processor from those who have work (1.0 against
   3.5, and more). No DISABLE_DENORMALS: results must not depend on the pool. */
#define THREAD_FLAGS PTHREADPOOL_FLAG_YIELD_WORKERS

/* Looks for the next call before a thread sleeps, some 50 microseconds: longer than the pauses of a
   step are. It does not offer the processor to others meanwhile, who would keep it for longer than
   it takes to be woken. */
#define THREAD_LOOKS 1000

/* The tasks of a call that are a thread's own and not taken yet, [begin, end) as begin << 32 | end:
   it takes them from the front, those who have none left from the back. Each alone in its lines. */
typedef struct thread_range {
    _Alignas(64) atomic_uint_fast64_t tasks;
} thread_range;

struct fvi_threads {
    pthreadpool_t pool;
    int count;
    /* While the threads are together: */
    bool is_together; /* the one who called alone looks at it */
    void (*body)(void *context);
    void *body_context;
    thread_range *range;                    /* [count] */
    void (*fn)(void *context, size_t task); /* of the present call */
    void *context;
    atomic_uint call; /* odd while it is open, and one more with each that opens or closes */
    atomic_int inside, asleep; /* threads that work on it; and that wait for a signal */
    atomic_bool is_over;
    pthread_mutex_t mutex;
    pthread_cond_t signal;
    bool has_mutex, has_signal;
};

/* One call of fvi_parallel_for, on the caller's stack. */
typedef struct thread_job {
    void (*fn)(void *context, size_t task);
    void *context;
    atomic_int started;
    atomic_size_t done;
} thread_job;

/* The pool is compiled elsewhere, so a sanitizer cannot see its hand-overs. The two atomics repeat
   them: every task sees what the caller wrote, and the caller then sees what every task wrote. */
static void thread_task(void *pointer, size_t task)
{
    thread_job *job = pointer;
    (void)atomic_load_explicit(&job->started, memory_order_acquire);
    job->fn(job->context, task);
    atomic_fetch_add_explicit(&job->done, 1, memory_order_release);
}

/* ---- together ---- */

/* Between two looks for something that another thread is about to do. */
static void thread_rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Its own tasks from the front, then those of the others from the back. */
static void thread_work(fvi_threads *threads, int self)
{
    for (int i = 0; i < threads->count; i++) {
        atomic_uint_fast64_t *range = &threads->range[(self + i) % threads->count].tasks;
        uint_fast64_t tasks = atomic_load_explicit(range, memory_order_relaxed);
        while (tasks >> 32 < (uint32_t)tasks) {
            const uint_fast64_t left = i == 0 ? tasks + ((uint_fast64_t)1 << 32) : tasks - 1;
            if (!atomic_compare_exchange_weak_explicit(range, &tasks, left, memory_order_relaxed,
                                                       memory_order_relaxed))
                continue;
            threads->fn(threads->context, i == 0 ? (size_t)(tasks >> 32) : (uint32_t)left);
            tasks = atomic_load_explicit(range, memory_order_relaxed);
        }
    }
}

static void thread_wake(fvi_threads *threads)
{
    if (atomic_load(&threads->asleep) == 0) return;
    pthread_mutex_lock(&threads->mutex);
    pthread_cond_broadcast(&threads->signal);
    pthread_mutex_unlock(&threads->mutex);
}

/* Is there something to do after call number `last`? */
static bool thread_is_called(fvi_threads *threads, unsigned last)
{
    const unsigned call = atomic_load(&threads->call);
    return (call % 2 == 1 && call != last) || atomic_load(&threads->is_over);
}

/* Nobody waits for a thread that has not come in: the others do its tasks. */
static void thread_help(fvi_threads *threads, int self)
{
    unsigned last = 0;
    while (!atomic_load(&threads->is_over)) {
        unsigned i = 0;
        for (; i < THREAD_LOOKS && !thread_is_called(threads, last); i++)
            thread_rest();
        if (i == THREAD_LOOKS) {
            pthread_mutex_lock(&threads->mutex);
            atomic_fetch_add(&threads->asleep, 1);
            while (!thread_is_called(threads, last))
                pthread_cond_wait(&threads->signal, &threads->mutex);
            atomic_fetch_sub(&threads->asleep, 1);
            pthread_mutex_unlock(&threads->mutex);
        }
        /* First in, then a second look: whoever closes a call looks in the other order. */
        atomic_fetch_add(&threads->inside, 1);
        last = atomic_load(&threads->call);
        if (last % 2 == 1) thread_work(threads, self);
        atomic_fetch_sub(&threads->inside, 1);
    }
}

static void thread_call(fvi_threads *threads, size_t tasks, void (*fn)(void *context, size_t task),
                        void *context)
{
    const uint64_t count = (uint64_t)threads->count;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t begin = tasks * i / count, end = tasks * (i + 1) / count;
        atomic_store_explicit(&threads->range[i].tasks, begin << 32 | end, memory_order_relaxed);
    }
    threads->fn = fn;
    threads->context = context;
    atomic_fetch_add(&threads->call, 1);
    thread_wake(threads);
    thread_work(threads, 0);
    atomic_fetch_add(&threads->call, 1);
    while (atomic_load(&threads->inside) > 0)
        thread_rest();
}

/* The pool gives each thread one of these, and the first to the caller. */
static void thread_member(void *pointer, size_t i)
{
    fvi_threads *threads = pointer;
    if (i > 0) {
        thread_help(threads, (int)i);
        return;
    }
    threads->body(threads->body_context);
    threads->is_together = false;
    atomic_store(&threads->is_over, true);
    thread_wake(threads);
}

/* ---- starting ---- */

/* A thread that waits until the caller opens the gate, and ends. */
static void *thread_wait(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Can so many threads run at once? pthreadpool_create does not look at what pthread_create says and
   then waits for ever for a thread that never began; so they are all started once before it. */
static fv_status thread_can_start(size_t threads)
{
    pthread_t *started = fvi_alloc(threads, sizeof *started, "threads");
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    size_t count = 0;
    if (!started) return FV_E_MEMORY;
    pthread_mutex_lock(&gate);
    while (count < threads && pthread_create(&started[count], NULL, thread_wait, &gate) == 0) {
        count++;
    }
    pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < count; i++) {
        pthread_join(started[i], NULL);
    }
    pthread_mutex_destroy(&gate);
    fvi_free(started);
    return count == threads ? FV_OK : fvi_fail(FV_E_MEMORY, "cannot start %zu threads", threads);
}
#endif

#ifdef FVI_WITH_THREADS
static fv_status thread_make(fvi_threads *made)
{
    made->range = fvi_alloc((size_t)made->count, sizeof *made->range, "threads");
    if (!made->range) return FV_E_MEMORY;
    FVI_TRY(thread_can_start((size_t)made->count));
    made->has_mutex = pthread_mutex_init(&made->mutex, NULL) == 0;
    made->has_signal = pthread_cond_init(&made->signal, NULL) == 0;
    made->pool = pthreadpool_create((size_t)made->count);
    if (made->has_mutex && made->has_signal && made->pool) return FV_OK;
    return fvi_fail(FV_E_MEMORY, "cannot start %d threads", made->count);
}
#endif

fv_status fvi_threads_new(fvi_threads **out, int threads)
{
    *out = NULL;
    if (threads < 1) return fvi_fail(FV_E_ARG, "%d threads; expected at least 1", threads);
#ifdef FVI_WITH_THREADS
    if (threads == 1) return FV_OK;
    if (threads > THREAD_MAX) {
        return fvi_fail(FV_E_ARG, "%d threads; expected at most %d", threads, THREAD_MAX);
    }
    fvi_threads *made = fvi_alloc(1, sizeof *made, "threads");
    if (!made) return FV_E_MEMORY;
    made->count = threads;
    const fv_status status = thread_make(made);
    if (status != FV_OK) {
        fvi_threads_free(made);
        return status;
    }
    *out = made;
#endif
    return FV_OK;
}

void fvi_threads_free(fvi_threads *threads)
{
#ifdef FVI_WITH_THREADS
    if (!threads) return;
    if (threads->pool) pthreadpool_destroy(threads->pool);
    if (threads->has_signal) pthread_cond_destroy(&threads->signal);
    if (threads->has_mutex) pthread_mutex_destroy(&threads->mutex);
    fvi_free(threads->range);
    fvi_free(threads);
#else
    (void)threads;
#endif
}

int fvi_threads_count(const fvi_threads *threads)
{
#ifdef FVI_WITH_THREADS
    return threads ? threads->count : 1;
#else
    (void)threads;
    return 1;
#endif
}

int fvi_threads_available(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
#if defined(_SC_NPROCESSORS_ONLN)
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0 && online < 1 << 20) return (int)online;
#endif
    return 1;
}

void fvi_parallel_for(fvi_threads *threads, size_t tasks, void (*fn)(void *context, size_t task),
                      void *context)
{
#ifdef FVI_WITH_THREADS
    if (threads && threads->is_together && tasks > 1 && tasks <= UINT32_MAX) {
        thread_call(threads, tasks, fn, context);
        return;
    }
    if (threads && !threads->is_together && tasks > 1) {
        thread_job job = {.fn = fn, .context = context};
        atomic_init(&job.done, 0);
        atomic_store_explicit(&job.started, 1, memory_order_release);
        pthreadpool_parallelize_1d(threads->pool, thread_task, &job, tasks, THREAD_FLAGS);
        (void)atomic_load_explicit(&job.done, memory_order_acquire);
        return;
    }
#else
    (void)threads;
#endif
    for (size_t task = 0; task < tasks; task++) {
        fn(context, task);
    }
}

void fvi_together(fvi_threads *threads, void (*fn)(void *context), void *context)
{
#ifdef FVI_WITH_THREADS
    if (threads && !threads->is_together) {
        threads->body = fn;
        threads->body_context = context;
        threads->is_together = true;
        atomic_store(&threads->is_over, false);
        pthreadpool_parallelize_1d(threads->pool, thread_member, threads, (size_t)threads->count,
                                   THREAD_FLAGS);
        return;
    }
#else
    (void)threads;
#endif
    fn(context);
}

double fvi_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
