/* SPDX-License-Identifier: MIT */
/* Known data sets over HTTP, from tests/fetch_server.py on this machine: going on in the middle,
   mirrors, redirections, and servers that stall, lie or never end. */
#include "fetch_check.h"

#ifdef FVI_WITH_FETCH

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct http_server {
    pid_t pid;
    int port, to; /* it ends when this end of a pipe is closed */
} http_server;

static http_server http_plain;

/* port 0: it did not start. certificate, key: NULL for http. */
static http_server http_start(const char *certificate, const char *key)
{
    http_server s = {0};
    int in[2], out[2];
    char text[16] = "";
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    s.pid = fork();
    if (s.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execlp("python3", "python3", TEST_SOURCE_DIR "/tests/fetch_server.py", fetch_from,
               certificate, key, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s.to = in[1];
    fcntl(s.to, F_SETFD, FD_CLOEXEC);
    if (read(out[0], text, sizeof text - 1) > 0) s.port = atoi(text);
    close(out[0]);
    return s;
}

static void http_stop(http_server *s)
{
    close(s->to);
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
}

static int http_setup(void **state)
{
    if (fetch_setup(state) != 0) return -1;
    http_plain = http_start(NULL, NULL);
    return 0;
}

static int http_teardown(void **state)
{
    http_stop(&http_plain);
    return fetch_teardown(state);
}

static bool http_is_there(void)
{
    if (http_plain.port) return true;
    print_message("skipped: no python3 to serve with\n");
    return false;
}

/* "http://127.0.0.1:PORT/how/" in one of a few buffers. */
static const char *http_url(const char *how)
{
    static char url[8][64];
    static int next;
    next = (next + 1) % 8;
    snprintf(url[next], sizeof url[0], "http://127.0.0.1:%d/%s/", http_plain.port, how);
    return url[next];
}

/* The toy with these mirrors. */
static fvi_known http_toy(const char *first, const char *second, const char *third)
{
    fvi_known set = fetch_toy();
    const char *how[] = {first, second, third};
    for (size_t i = 0; i < FVI_COUNT(how) && how[i]; i++)
        set.mirror[i] = strchr(how[i], ':') ? how[i] : http_url(how[i]);
    return set;
}

/* The toy is there but for big.bin, of which size bytes are, right ones or zeros. */
static void http_begin(size_t size, bool is_right)
{
    unsigned char *part = calloc(FETCH_BIG + 1, 1);
    if (is_right) memcpy(part, fetch_big, size);
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
    fetch_put(fetch_to, "toy/small", FETCH_SMALL, strlen(FETCH_SMALL));
    if (size > 0) fetch_put(fetch_to, "toy/big.bin.part", part, size);
    free(part);
}

static uint64_t http_part(void)
{
    uint64_t size = 0;
    return fvi_file_size(&size, fetch_path(fetch_to, "toy/big.bin.part")) ? size : 0;
}

/* What the server was last asked: the end of its log. */
static void http_check_last(const char *how, const char *range)
{
    char line[128];
    unsigned char *text;
    size_t size;
    fvi_save *save;
    const char *path = fetch_path(fetch_root, "log");
    CHECK_OK(fvi_save_begin(&save, path));
    fvi_transfer t = {.url = http_url("log"), .save = save, .limit = 1 << 20};
    CHECK_OK(fvi_transfer_run(&t));
    CHECK_OK(fvi_save_commit(save));
    CHECK_OK(fvi_file_read(&text, &size, path, 1 << 20));
    int length = snprintf(line, sizeof line, "/%s/big.bin %s\n", how, range);
    if (size < (size_t)length || strcmp((char *)text + size - length, line) != 0)
        fail_msg("the log ends \"%s\", expected \"%s\"", (char *)text + (size > 80 ? size - 80 : 0),
                 line);
    fvi_free(text);
    assert_int_equal(unlink(path), 0);
}

/* ---- servers that do as they should ---- */

static void http_whole(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    static const char *const how[] = {"ok", "norange", "moved"};
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(how); i++) {
        const fvi_known set = http_toy(how[i], NULL, NULL);
        fetch_clear();
        CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
        fetch_check_toy(&set);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    }
    const fvi_known set = http_toy("missing", NULL, NULL);
    fetch_clear();
    CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = http_url("ok")}));
    fetch_check_toy(&set);
    assert_int_equal(fvi_alloc_live(), live);
}

static void http_resume(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    static const struct {
        const char *how;
        size_t there;
        bool is_right;
        const char *last; /* Range of the last request */
    } row[] = {{"ok", 50000, true, "bytes=50000-"},
               {"ok", FETCH_BIG - 1, true, "bytes=199999-"},
               {"ok", 0, true, "-"},
               {"ok", 50000, false, "-"},
               {"norange", 50000, true, "-"},
               {"norange", 50000, false, "-"},
               {"unsatisfied", 50000, true, "-"},
               {"lie", 50000, true, "-"},
               {"moved", 50000, true, "bytes=50000-"}};
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        const fvi_known set = http_toy(row[i].how, NULL, NULL);
        http_begin(row[i].there, row[i].is_right);
        CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
        fetch_check_toy(&set);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
        bool is_moved = strcmp(row[i].how, "moved") == 0;
        http_check_last(is_moved ? "ok" : row[i].how, row[i].last);
    }
}

/* Cut again and again, each sitting brings half of the rest. */
static void http_sittings(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    const fvi_known cut = http_toy("cut", NULL, NULL), whole = http_toy("ok", NULL, NULL);
    uint64_t had = 0;
    http_begin(0, true);
    for (int i = 0; i < 5; i++) {
        CHECK_FAILS(fvi_fetch(&cut, fetch_to, NULL), FV_E_IO, "it broke off after ");
        assert_true(http_part() > had);
        had = http_part();
    }
    assert_true(had > FETCH_BIG * 9 / 10);
    CHECK_OK(fvi_fetch(&whole, fetch_to, NULL));
    fetch_check_toy(&whole);
    char range[32];
    snprintf(range, sizeof range, "bytes=%d-", (int)had);
    http_check_last("ok", range);
}

static void http_mirrors(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    static const char *const bad[] = {"missing", "html",  "wrong",   "long",   "short", "broken",
                                      "cut",     "toftp", "garbage", "circle", "tofile"};
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        const fvi_known set = http_toy(bad[i], bad[(i + 1) % FVI_COUNT(bad)], "ok");
        http_begin(0, true);
        CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
        fetch_check_toy(&set);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    }
    /* What one began another ends. */
    const fvi_known set = http_toy("cut", "ok", NULL);
    http_begin(0, true);
    CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
    fetch_check_toy(&set);
    http_check_last("ok", "bytes=100000-");
}

/* ---- and those that do not ---- */

static void http_refused(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    static const struct {
        const char *how, *part;
        fv_status status;
        int left; /* bytes of the part */
    } row[] = {
        {"missing", "HTTP 404", FV_E_IO, 0},
        {"broken", "HTTP 500", FV_E_IO, 0},
        {"html", "35 bytes, expected 200000", FV_E_FORMAT, 0},
        {"wrong", "its SHA-256 is ", FV_E_FORMAT, 0},
        {"long", "longer than the 200000 bytes expected", FV_E_FORMAT, 0},
        {"endless", "longer than the 200000 bytes expected", FV_E_FORMAT, 0},
        {"short", "100000 bytes, expected 200000", FV_E_FORMAT, 0},
        {"cut", "it broke off after 100000 bytes; another try goes on from there", FV_E_IO, 100000},
        {"circle", "more than 5 redirections", FV_E_IO, 0},
        {"tofile", "an address that is not spoken here", FV_E_IO, 0},
        {"toftp", "an address that is not spoken here", FV_E_IO, 0},
        {"garbage", "(", FV_E_IO, 0},
    };
    char head[64];
    snprintf(head, sizeof head, "toy: cannot get big.bin (127.0.0.1:%d: ", http_plain.port);
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        const fvi_known set = http_toy(row[i].how, NULL, NULL);
        long live = fvi_alloc_live();
        http_begin(0, true);
        CHECK_FAILS(fvi_fetch(&set, fetch_to, NULL), row[i].status, row[i].part);
        assert_non_null(strstr(fv_error(), head));
        assert_non_null(strstr(fv_error(), "use --from FOLDER with small, big.bin in it"));
        assert_null(strchr(fv_error(), '\n'));
        assert_int_equal(http_part(), row[i].left);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), row[i].left ? 2 : 1);
        assert_int_equal(fetch_count(fetch_to), 1);
        assert_int_equal(fvi_alloc_live(), live);
    }
}

/* Nobody listens; nobody is called that. */
static void http_offline(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    char closed[64];
    http_server gone = http_start(NULL, NULL);
    http_stop(&gone);
    snprintf(closed, sizeof closed, "http://127.0.0.1:%d/ok/", gone.port);
    const fvi_known set = http_toy(closed, "https://nowhere.invalid/x/", NULL);
    fetch_clear();
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.timeout_s = 5}), FV_E_IO,
                "no connection; nowhere.invalid: no such host, or no network); get the files "
                "yourself and use --from FOLDER with small, big.bin in it");
    assert_int_equal(fetch_count(fetch_to), 0);
}

typedef struct http_watch {
    int calls;
    uint64_t stop_at;
} http_watch;

static bool http_on_progress(const fv_get_progress *p, void *user)
{
    http_watch *w = user;
    w->calls++;
    return w->stop_at == 0 || p->done < w->stop_at;
}

static void http_stalled(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    static const char *const how[] = {"stall", "silent"};
    for (size_t i = 0; i < FVI_COUNT(how); i++) {
        const fvi_known set = http_toy(how[i], NULL, NULL);
        http_begin(0, true);
        double start = fvi_now();
        CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.timeout_s = 1}), FV_E_IO,
                    "nothing came for 1 s");
        assert_true(fvi_now() - start < 10);
        assert_int_equal(http_part(), i == 0 ? FETCH_BIG / 2 : 0);
    }
    /* Slow is not stalled. */
    const fvi_known slow = http_toy("slow", NULL, NULL);
    http_begin(0, true);
    CHECK_OK(fvi_fetch(&slow, fetch_to, &(fv_get_config){.timeout_s = 1}));
    fetch_check_toy(&slow);
    /* Whoever waits can stop while nothing comes, and what came is kept. */
    const fvi_known set = http_toy("stall", NULL, NULL);
    http_watch watch = {.stop_at = FETCH_BIG / 2};
    http_begin(0, true);
    double start = fvi_now();
    CHECK_FAILS(
        fvi_fetch(&set, fetch_to, &(fv_get_config){.progress = http_on_progress, .user = &watch}),
        FV_E_CANCELLED, "stopped");
    assert_true(fvi_now() - start < 5);
    assert_true(watch.calls > 0);
    assert_int_equal(http_part(), FETCH_BIG / 2);
}

/* A certificate that nobody vouches for. */
static void http_certificate(void **state)
{
    (void)state;
    char command[512], url[64];
    if (!http_is_there()) skip();
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s/certificate "
             ">/dev/null 2>&1",
             fetch_root, fetch_root);
    http_server s = {0};
    if (system(command) == 0)
        s = http_start(fetch_path(fetch_root, "certificate"), fetch_path(fetch_root, "key"));
    if (!s.port) {
        print_message("skipped: no openssl to make a certificate with\n");
        skip();
    }
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok/", s.port);
    const fvi_known set = http_toy(url, NULL, NULL);
    fetch_clear();
    fv_status status = fvi_fetch(&set, fetch_to, NULL);
    http_stop(&s);
    assert_int_equal(status, FV_E_IO);
    assert_non_null(strstr(fv_error(), "certificate"));
    assert_int_equal(fetch_count(fetch_to), 0);
}

/* Two at once: one is refused or finds the set there; either way it is whole. */
static void http_at_once(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    const fvi_known set = http_toy("ok", NULL, NULL);
    enum { CHILDREN = 4 };
    pid_t child[CHILDREN];
    int done = 0;
    fetch_clear();
    fflush(NULL);
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            fv_status status = fvi_fetch(&set, fetch_to, NULL);
            bool is_said = status == FV_E_IO && strstr(fv_error(), "is at work on it");
            _exit(status == FV_OK ? 0 : is_said ? 1 : 2);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int result = -1;
        assert_int_equal(waitpid(child[i], &result, 0), child[i]);
        assert_true(WIFEXITED(result) && WEXITSTATUS(result) < 2);
        done += WEXITSTATUS(result) == 0;
    }
    assert_true(done >= 1);
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_to), 1);
}

/* Killed at any moment: the next get ends it, with nothing left over. */
static void http_killed(void **state)
{
    (void)state;
    if (!http_is_there()) skip();
    const fvi_known set = http_toy("ok", NULL, NULL);
    for (int i = 0; i < 20; i++) {
        fetch_clear();
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            fvi_fetch(&set, fetch_to, NULL);
            _exit(0);
        }
        usleep((useconds_t)(i * 1000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
        fetch_check_toy(&set);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_whole),    cmocka_unit_test(http_resume),
        cmocka_unit_test(http_sittings), cmocka_unit_test(http_mirrors),
        cmocka_unit_test(http_refused),  cmocka_unit_test(http_offline),
        cmocka_unit_test(http_stalled),  cmocka_unit_test(http_certificate),
        cmocka_unit_test(http_at_once),  cmocka_unit_test(http_killed),
    };
    return cmocka_run_group_tests(tests, http_setup, http_teardown);
}

#else

int main(void)
{
    print_message("skipped: fetching, built without it\n");
    return 77;
}

#endif
