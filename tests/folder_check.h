/* SPDX-License-Identifier: MIT */
/* Folders of little pictures for tests: made, and removed with all that is in them. */
#ifndef FOLDER_CHECK_H
#define FOLDER_CHECK_H

#include "data_check.h"

#include <sys/stat.h>

static inline void tree_folder(const char *name)
{
    char path[FOLDER_PATH];
    assert_int_equal(mkdir(folder_path(path, name), 0777), 0);
}

/* Removes name and all below it. */
static inline void tree_remove(const char *path)
{
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    if (!S_ISDIR(about.st_mode)) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *below = fvi_path_join(path, e->d_name);
        tree_remove(below);
        fvi_free(below);
    }
    closedir(folder);
    assert_int_equal(rmdir(path), 0);
}

static inline void tree_end(void)
{
    tree_remove(check_root);
}

/* A PNG of one colour: grey value v, or (v, 0, 255 - v). */
static inline void tree_picture(const char *name, int height, int width, int channels, uint8_t v)
{
    char path[FOLDER_PATH];
    uint8_t pixels[3 * 64 * 64];
    assert_true(height * width <= 64 * 64);
    for (int i = 0; i < height * width; i++) {
        if (channels == 1)
            pixels[i] = v;
        else
            memcpy(pixels + 3 * i, (uint8_t[]){v, 0, (uint8_t)(255 - v)}, 3);
    }
    const fv_picture picture = {height, width, channels, pixels};
    CHECK_OK(fv_picture_write_png(&picture, folder_path(path, name)));
}

#endif
