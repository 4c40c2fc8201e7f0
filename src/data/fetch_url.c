/* SPDX-License-Identifier: MIT */
/* One address to one file, through libcurl: what is spoken, how long is waited, how much is taken. */
#include "data/data_internal.h"

#ifdef FVI_WITH_FETCH

#include <curl/curl.h>

#include <math.h>
#include <string.h>

#define URL_TIMEOUT_S 30.0
#define URL_REDIRECTS 5L

static size_t url_write(char *bytes, size_t size, size_t count, void *user)
{
    fvi_transfer *t = user;
    size_t more = size * count; /* size is always 1 */
    if (more > t->limit - t->done) return 0;
    t->save_error = fvi_save_write(t->save, bytes, more);
    if (t->save_error != FV_OK) return 0;
    t->done += more;
    t->heard_s = fvi_now();
    return more;
}

/* libcurl calls this at least once a second, also while nothing comes. */
static int url_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up,
                        curl_off_t upped)
{
    fvi_transfer *t = user;
    (void)now;
    (void)up;
    (void)upped;
    uint64_t all = total > 0 ? t->begin + (uint64_t)total : 0;
    t->is_stalled = fvi_now() - t->heard_s > t->timeout_s;
    if (t->is_stalled) return 1;
    return !t->progress || t->progress(t->user, t->done, all) ? 0 : 1;
}

#define URL_SET(option, value)                                                                     \
    do {                                                                                           \
        if (code == CURLE_OK) code = curl_easy_setopt(curl, option, value);                        \
    } while (0)

/* What may be spoken, first and after a redirection: never less safe than what was asked for, and
   never a file because a server said so. */
static CURLcode url_set_protocols(CURL *curl, const char *url)
{
    CURLcode code = CURLE_OK;
    bool is_https = strncmp(url, "https:", 6) == 0;
#if LIBCURL_VERSION_NUM >= 0x075500
    URL_SET(CURLOPT_PROTOCOLS_STR, "http,https,file");
    URL_SET(CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https");
#else
    URL_SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
    URL_SET(CURLOPT_REDIR_PROTOCOLS,
            (long)(is_https ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    return code;
}

static CURLcode url_set(CURL *curl, fvi_transfer *t)
{
    CURLcode code = url_set_protocols(curl, t->url);
    URL_SET(CURLOPT_URL, t->url);
    URL_SET(CURLOPT_USERAGENT, "fovea");
    URL_SET(CURLOPT_NOSIGNAL, 1L); /* signals belong to the program */
    URL_SET(CURLOPT_FAILONERROR, 1L);
    URL_SET(CURLOPT_FOLLOWLOCATION, 1L);
    URL_SET(CURLOPT_MAXREDIRS, URL_REDIRECTS);
    URL_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    URL_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    /* Of the whole transfer there is none: a slow line may take its time. */
    URL_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * t->timeout_s));
    URL_SET(CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->begin);
    URL_SET(CURLOPT_WRITEFUNCTION, url_write);
    URL_SET(CURLOPT_WRITEDATA, t);
    URL_SET(CURLOPT_NOPROGRESS, 0L);
    URL_SET(CURLOPT_XFERINFOFUNCTION, url_progress);
    URL_SET(CURLOPT_XFERINFODATA, t);
    return code;
}

/* ---- what went wrong, in few words ---- */

static fv_status url_fail_broken(const fvi_transfer *t)
{
    return fvi_fail(FV_E_IO, "it broke off after %llu bytes; another try goes on from there",
                    (unsigned long long)t->done);
}

static fv_status url_fail(CURL *curl, CURLcode code, fvi_transfer *t)
{
    char safe[FVI_SAFE_TEXT];
    long answer = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    t->is_from_start = t->begin > 0 && (code == CURLE_RANGE_ERROR ||
                                        code == CURLE_BAD_DOWNLOAD_RESUME || answer == 416);
    t->is_ours = true;
    if (t->save_error != FV_OK) return t->save_error;
    if (code == CURLE_OUT_OF_MEMORY) return fvi_fail(FV_E_MEMORY, "out of memory: a transfer");
    bool is_stalled = t->is_stalled || code == CURLE_OPERATION_TIMEDOUT;
    if (code == CURLE_ABORTED_BY_CALLBACK && !is_stalled)
        return fvi_fail(FV_E_CANCELLED, "stopped");
    t->is_ours = false;
    if (is_stalled) return fvi_fail(FV_E_IO, "nothing came for %.0f s", ceil(t->timeout_s));
    switch (code) {
    case CURLE_WRITE_ERROR:
        return fvi_fail(FV_E_FORMAT, "longer than the %llu bytes expected",
                        (unsigned long long)t->limit);
    case CURLE_HTTP_RETURNED_ERROR:
        return fvi_fail(FV_E_IO, "HTTP %ld", answer);
    case CURLE_COULDNT_RESOLVE_HOST:
        return fvi_fail(FV_E_IO, "no such host, or no network");
    case CURLE_COULDNT_CONNECT:
        return fvi_fail(FV_E_IO, "no connection");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
        return t->done > 0 ? url_fail_broken(t) : fvi_fail(FV_E_IO, "it broke off");
    case CURLE_TOO_MANY_REDIRECTS:
        return fvi_fail(FV_E_IO, "more than %ld redirections", URL_REDIRECTS);
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fvi_fail(FV_E_IO, "it leads to an address that is not spoken here");
    default:
        return fvi_fail(FV_E_IO, "%s", fvi_safe(safe, curl_easy_strerror(code)));
    }
}

/* A file:// address must lead to a regular file: reading a pipe might never end. */
static fv_status url_check_file(const char *url)
{
    uint64_t size;
    char *path = NULL;
    CURLU *parts = curl_url();
    if (!parts) return fvi_fail(FV_E_MEMORY, "out of memory: an address");
    bool is_known = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                    curl_url_get(parts, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK;
    bool is_file = is_known && fvi_file_size(&size, path);
    bool is_there = is_known && fvi_file_exists(path);
    curl_free(path);
    curl_url_cleanup(parts);
    if (is_file) return FV_OK;
    return fvi_fail(FV_E_IO, is_there ? "not a regular file" : "no such file");
}

fv_status fvi_transfer_run(fvi_transfer *transfer)
{
    if (!(transfer->timeout_s > 0)) transfer->timeout_s = URL_TIMEOUT_S;
    transfer->done = transfer->begin;
    transfer->heard_s = fvi_now();
    transfer->is_ours = transfer->is_from_start = transfer->is_stalled = false;
    transfer->save_error = FV_OK;
    if (strncmp(transfer->url, "file:", 5) == 0) FVI_TRY(url_check_file(transfer->url));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fvi_fail(FV_E_MEMORY, "out of memory: libcurl cannot begin");
    CURL *curl = curl_easy_init();
    CURLcode code = curl ? url_set(curl, transfer) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK) code = curl_easy_perform(curl);
    fv_status status = FV_OK;
    if (code != CURLE_OK) status = url_fail(curl, code, transfer);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return status;
}

#else

typedef int url_nothing; /* built without fetching: fetch.c says so */

#endif
