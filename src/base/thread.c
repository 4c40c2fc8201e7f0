/* SPDX-License-Identifier: MIT */
/* A thin face on pthreadpool: parallel-for over tasks fixed by geometry; plain calls without it. */
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
/* Workers sleep between calls. If they spun, as they do by default, a call would be cheaper on an
   idle machine (LeNet-5, batch 64, 2 threads: 16.5 against 13.7 thousand images/s), but on a busy
   one they would take the processor from those who have work (1.0 against 3.5, and more). No
   DISABLE_DENORMALS: results must not depend on the pool. */
#define THREAD_FLAGS PTHREADPOOL_FLAG_YIELD_WORKERS

struct fvi_threads {
    pthreadpool_t pool;
    int count;
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
    fv_status status = thread_can_start((size_t)threads);
    if (status == FV_OK && !(made->pool = pthreadpool_create((size_t)threads)))
        status = fvi_fail(FV_E_MEMORY, "cannot start %d threads", threads);
    if (status != FV_OK) {
        fvi_free(made);
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
    pthreadpool_destroy(threads->pool);
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
    if (threads && tasks > 1) {
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

double fvi_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
