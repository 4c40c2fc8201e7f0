/* SPDX-License-Identifier: MIT */
/* One thread in the background, and locks; plain calls where there are no threads. */
#include "base/base_internal.h"

#ifdef FVI_WITH_THREADS
#include <pthread.h>

struct fvi_worker {
    void (*job)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool is_busy, is_over; /* what the two sides tell each other, under the lock */
};

static void *worker_run(void *pointer)
{
    fvi_worker *w = pointer;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->is_busy && !w->is_over) {
            pthread_cond_wait(&w->change, &w->lock);
        }
        if (w->is_over) break;
        pthread_mutex_unlock(&w->lock);
        w->job(w->context);
        pthread_mutex_lock(&w->lock);
        w->is_busy = false;
        pthread_cond_broadcast(&w->change);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

fv_status fvi_worker_new(fvi_worker **worker, void (*job)(void *context), void *context)
{
    *worker = NULL;
    fvi_worker *w = fvi_alloc(1, sizeof *w, "a thread");
    if (!w) return FV_E_MEMORY;
    w->job = job;
    w->context = context;
    bool has_lock = pthread_mutex_init(&w->lock, NULL) == 0;
    bool has_change = has_lock && pthread_cond_init(&w->change, NULL) == 0;
    if (has_change && pthread_create(&w->thread, NULL, worker_run, w) == 0) {
        *worker = w;
        return FV_OK;
    }
    if (has_change) pthread_cond_destroy(&w->change);
    if (has_lock) pthread_mutex_destroy(&w->lock);
    fvi_free(w);
    return fvi_fail(FV_E_MEMORY, "cannot start a thread");
}

void fvi_worker_start(fvi_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->is_busy = true;
    pthread_cond_broadcast(&worker->change);
    pthread_mutex_unlock(&worker->lock);
}

void fvi_worker_wait(fvi_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->is_busy) {
        pthread_cond_wait(&worker->change, &worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
}

void fvi_worker_free(fvi_worker *worker)
{
    if (!worker) return;
    fvi_worker_wait(worker);
    pthread_mutex_lock(&worker->lock);
    worker->is_over = true;
    pthread_cond_broadcast(&worker->change);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->change);
    pthread_mutex_destroy(&worker->lock);
    fvi_free(worker);
}

struct fvi_lock {
    pthread_mutex_t mutex;
};

fv_status fvi_lock_new(fvi_lock **lock)
{
    *lock = fvi_alloc(1, sizeof **lock, "a lock");
    if (!*lock) return FV_E_MEMORY;
    if (pthread_mutex_init(&(*lock)->mutex, NULL) == 0) return FV_OK;
    fvi_free(*lock);
    *lock = NULL;
    return fvi_fail(FV_E_MEMORY, "cannot make a lock");
}

void fvi_lock_take(fvi_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

void fvi_lock_give(fvi_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void fvi_lock_free(fvi_lock *lock)
{
    if (!lock) return;
    pthread_mutex_destroy(&lock->mutex);
    fvi_free(lock);
}

#else

struct fvi_worker {
    void (*job)(void *context);
    void *context;
    bool is_started;
};

fv_status fvi_worker_new(fvi_worker **worker, void (*job)(void *context), void *context)
{
    *worker = fvi_alloc(1, sizeof **worker, "a job");
    if (!*worker) return FV_E_MEMORY;
    **worker = (fvi_worker){job, context, false};
    return FV_OK;
}

void fvi_worker_start(fvi_worker *worker)
{
    worker->is_started = true;
}

void fvi_worker_wait(fvi_worker *worker)
{
    if (worker->is_started) worker->job(worker->context);
    worker->is_started = false;
}

void fvi_worker_free(fvi_worker *worker)
{
    fvi_free(worker); /* what was started and never waited for has nobody to read it */
}

struct fvi_lock {
    char nothing;
};

fv_status fvi_lock_new(fvi_lock **lock)
{
    *lock = fvi_alloc(1, sizeof **lock, "a lock");
    return *lock ? FV_OK : FV_E_MEMORY;
}

void fvi_lock_take(fvi_lock *lock)
{
    (void)lock;
}

void fvi_lock_give(fvi_lock *lock)
{
    (void)lock;
}

void fvi_lock_free(fvi_lock *lock)
{
    fvi_free(lock);
}

#endif
