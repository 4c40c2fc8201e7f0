/* SPDX-License-Identifier: MIT */
/* The tests include this because the real cmocka asks for it; cmocka.h beside it has no need, and
   WebAssembly has none to offer. */
