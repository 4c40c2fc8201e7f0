# WebAssembly with 128-bit vectors and WASI's C library: Debian's clang, lld and wasi-libc, and node
# to run what they make.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
# Its headers alone: clang would look into this machine's own after them.
add_compile_options(-msimd128 -nostdlibinc -isystem/usr/include/wasm32-wasi)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-z,stack-size=1048576") # 64 KiB without it
set(CMAKE_CROSSCOMPILING_EMULATOR node --no-warnings --experimental-wasi-unstable-preview1
    ${CMAKE_CURRENT_LIST_DIR}/../tests/elsewhere/run_wasi.mjs)
