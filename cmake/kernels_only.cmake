# FOVEA_KERNELS_ONLY: the kernels, what they need of the base, and their tests, without a library of
# others and without threads: for processors and systems that most of those do not come for.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(sources memory rng shape status text thread)
if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL wasm32) # WASI has no locks on files
  list(APPEND sources file)
endif()
list(TRANSFORM sources REPLACE "(.+)" src/base/\\1.c)
file(GLOB kernels CONFIGURE_DEPENDS src/kernels/*.c)
add_library(fovea_kernels STATIC ${sources} ${kernels})
target_include_directories(fovea_kernels PUBLIC include src)
target_compile_definitions(fovea_kernels PUBLIC _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
target_link_libraries(fovea_kernels PUBLIC m)

enable_testing()
file(GLOB tests CONFIGURE_DEPENDS tests/test_kernels*.c)
foreach(source ${tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE tests/elsewhere) # its cmocka.h
  target_link_libraries(${name} PRIVATE fovea_kernels)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests)
  add_test(NAME ${name} COMMAND ${name})
endforeach()
