/* SPDX-License-Identifier: MIT */
/* The one table of data sets that fv_dataset_get knows. docs/fetching.md says where each digest was
   found. */
#include "data/data_internal.h"

#include <stdio.h>
#include <string.h>

#define LIST_GREY                                                                                  \
    {                                                                                              \
        .rank = 3, .dim = { 28, 28, 1 }                                                            \
    }
#define LIST_RGB(side)                                                                             \
    {                                                                                              \
        .rank = 3, .dim = { side, side, 3 }                                                        \
    }
#define LIST_TRAIN_X "train-images-idx3-ubyte.gz"
#define LIST_TRAIN_Y "train-labels-idx1-ubyte.gz"
#define LIST_TEST_X "t10k-images-idx3-ubyte.gz"
#define LIST_TEST_Y "t10k-labels-idx1-ubyte.gz"

#define LIST_PATH 4096
#define LIST_MB ((uint64_t)1 << 20)

static const fvi_known list_sets[] = {
    {.info = {.name = "mnist",
              .summary = "handwritten digits",
              .licence = "none stated by its owners, Yann LeCun and Corinna Cortes",
              .citation = "LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to "
                          "Document Recognition. Proceedings of the IEEE 86(11), 1998",
              .url = "http://yann.lecun.com/exdb/mnist/",
              .train = 60000,
              .test = 10000,
              .shape = LIST_GREY,
              .classes = 10,
              .bytes = 11594722},
     .mirror = {"http://yann.lecun.com/exdb/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     .file = {{.name = LIST_TRAIN_X,
               .size = 9912422,
               .sha256 = "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
               .content_sha256 = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
               .content_size = 47040016},
              {.name = LIST_TRAIN_Y,
               .size = 28881,
               .sha256 = "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
               .content_sha256 = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
               .content_size = 60008},
              {.name = LIST_TEST_X,
               .size = 1648877,
               .sha256 = "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
               .content_sha256 = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
               .content_size = 7840016},
              {.name = LIST_TEST_Y,
               .size = 4542,
               .sha256 = "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
               .content_sha256 = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
               .content_size = 10008}}},
    {.info = {.name = "fashion_mnist",
              .summary = "clothes, in the form of mnist",
              .licence = "MIT, Copyright 2017 Zalando SE",
              .citation = "Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for "
                          "Benchmarking Machine Learning Algorithms. arXiv:1708.07747, 2017",
              .url = "https://github.com/zalandoresearch/fashion-mnist",
              .train = 60000,
              .test = 10000,
              .shape = LIST_GREY,
              .classes = 10,
              .bytes = 30878645},
     .mirror = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"},
     .file = {{.name = LIST_TRAIN_X,
               .size = 26421880,
               .sha256 = "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
              {.name = LIST_TRAIN_Y,
               .size = 29515,
               .sha256 = "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
              {.name = LIST_TEST_X,
               .size = 4422102,
               .sha256 = "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
              {.name = LIST_TEST_Y,
               .size = 5148,
               .sha256 = "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}},
    {.info = {.name = "kmnist",
              .summary = "cursive Japanese characters (Kuzushiji), in the form of mnist",
              .licence = "CC BY-SA 4.0; attribution: \"KMNIST Dataset\" (created by CODH), adapted "
                         "from \"Kuzushiji Dataset\" (created by NIJL and others), "
                         "doi:10.20676/00000341",
              .citation = "Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha: Deep Learning for "
                          "Classical Japanese Literature. arXiv:1812.01718, 2018",
              .url = "https://github.com/rois-codh/kmnist",
              .train = 60000,
              .test = 10000,
              .shape = LIST_GREY,
              .classes = 10,
              .bytes = 21240888},
     .mirror = {"https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
                "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"},
     .file = {{.name = LIST_TRAIN_X,
               .size = 18165135,
               .sha256 = "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"},
              {.name = LIST_TRAIN_Y,
               .size = 29497,
               .sha256 = "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"},
              {.name = LIST_TEST_X,
               .size = 3041136,
               .sha256 = "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"},
              {.name = LIST_TEST_Y,
               .size = 5120,
               .sha256 = "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"}}},
    {.info = {.name = "cifar10",
              .summary = "small photographs of ten kinds of things (the binary version)",
              .licence = "none stated by its owner",
              .citation = "Krizhevsky: Learning Multiple Layers of Features from Tiny Images. "
                          "Technical report, University of Toronto, 2009",
              .url = "https://www.cs.toronto.edu/~kriz/cifar.html",
              .train = 50000,
              .test = 10000,
              .shape = LIST_RGB(32),
              .classes = 10,
              .bytes = 170052171},
     .mirror = {"https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"},
     .file = {{.name = "cifar-10-binary.tar.gz",
               .size = 170052171,
               .sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
     .is_archive = true,
     .unpack = {.strip = 1, .limit_bytes = 200 * LIST_MB, .limit_entries = 100},
     .holds = {{"batches.meta.txt", 0},
               {"data_batch_1.bin", 30730000},
               {"data_batch_2.bin", 30730000},
               {"data_batch_3.bin", 30730000},
               {"data_batch_4.bin", 30730000},
               {"data_batch_5.bin", 30730000},
               {"test_batch.bin", 30730000}}},
    {.info = {.name = "cifar100",
              .summary = "small photographs of a hundred kinds of things (the binary version)",
              .licence = "none stated by its owner",
              .citation = "Krizhevsky: Learning Multiple Layers of Features from Tiny Images. "
                          "Technical report, University of Toronto, 2009",
              .url = "https://www.cs.toronto.edu/~kriz/cifar.html",
              .train = 50000,
              .test = 10000,
              .shape = LIST_RGB(32),
              .classes = 100,
              .bytes = 168513733},
     .mirror = {"https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"},
     .file = {{.name = "cifar-100-binary.tar.gz",
               .size = 168513733,
               .sha256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}},
     .is_archive = true,
     .unpack = {.strip = 1, .limit_bytes = 200 * LIST_MB, .limit_entries = 100},
     .holds = {{"coarse_label_names.txt", 0},
               {"fine_label_names.txt", 0},
               {"train.bin", 153700000},
               {"test.bin", 30740000}}},
    {.info = {.name = "signs",
              .summary = "hands that show the digits 0 to 9 in sign language, a folder for each",
              .licence = "Apache-2.0",
              .citation = "Mavi: A New Dataset and Proposed Convolutional Neural Network "
                          "Architecture for Classification of American Sign Language Digits. "
                          "arXiv:2011.08927, 2020",
              .url = "https://github.com/ardamavi/Sign-Language-Digits-Dataset",
              .train = 2062,
              .shape = LIST_RGB(100),
              .classes = 10,
              .bytes = 18000000},
     .mirror = {"https://github.com/ardamavi/Sign-Language-Digits-Dataset/archive/refs/heads/"},
     .file = {{.name = "Sign-Language-Digits-Dataset-master.zip", .remote = "master.zip"}},
     .is_archive = true,
     .unpack =
         {.strip = 2, .inside = "Dataset", .limit_bytes = 100 * LIST_MB, .limit_entries = 10000},
     /* The zip is made anew for whoever asks, so this is the digest of the tree of pictures. */
     .tree_sha256 = "30d0ee3c8599928f6f98281a33826ca56fa9382069785bea8716221a344b606f",
     .holds = {{"0", 0},
               {"1", 0},
               {"2", 0},
               {"3", 0},
               {"4", 0},
               {"5", 0},
               {"6", 0},
               {"7", 0},
               {"8", 0},
               {"9", 0}}},
};

const fvi_known *fvi_known_at(int i)
{
    return i >= 0 && (size_t)i < FVI_COUNT(list_sets) ? &list_sets[i] : NULL;
}

const fvi_known *fvi_known_find(const char *name)
{
    for (size_t i = 0; name && i < FVI_COUNT(list_sets); i++) {
        if (strcmp(list_sets[i].info.name, name) == 0) return &list_sets[i];
    }
    return NULL;
}

const fv_known_dataset *fv_dataset_known(int i)
{
    const fvi_known *set = fvi_known_at(i);
    return set ? &set->info : NULL;
}

/* Whether folder/NAME/file is there with that size; size 0: anything of that name. */
static bool list_has(const char *folder, const char *name, const char *file, uint64_t size)
{
    char path[LIST_PATH];
    uint64_t found;
    int length = snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    if (size == 0) return fvi_file_exists(path);
    return fvi_file_size(&found, path) && found == size;
}

bool fvi_known_is_there(const fvi_known *set, const char *folder)
{
    const char *name = set->info.name;
    for (size_t i = 0; set->is_archive && i < FVI_KNOWN_HOLDS && set->holds[i].name; i++) {
        if (!list_has(folder, name, set->holds[i].name, set->holds[i].size)) return false;
    }
    for (size_t i = 0; !set->is_archive && i < FVI_KNOWN_FILES && set->file[i].name; i++) {
        const fvi_known_file *file = &set->file[i];
        /* A copy compressed anew may have any size. */
        if (!list_has(folder, name, file->name, file->content_sha256 ? 0 : file->size))
            return false;
    }
    return true;
}

bool fv_dataset_is_there(const char *name, const char *folder)
{
    const fvi_known *set = fvi_known_find(name);
    return set && folder && fvi_known_is_there(set, folder);
}
