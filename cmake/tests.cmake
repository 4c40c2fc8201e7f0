# Every tests/test_*.c is a cmocka program and every tests/test_*.sh a script, each one test of ctest.
# A test that cannot run here (no data, no tool) prints "skipped: why" and exits 77.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

file(GLOB FOVEA_TEST_SOURCES CONFIGURE_DEPENDS tests/test_*.c)
foreach(source ${FOVEA_TEST_SOURCES})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE fovea_objects PkgConfig::CMOCKA)
  target_compile_definitions(${name} PRIVATE TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests)
  add_test(NAME ${name} COMMAND ${name})
  file(STRINGS ${source} threads REGEX "threads" LIMIT_COUNT 1)
  if(threads) # what the thread sanitizer runs
    set_tests_properties(${name} PROPERTIES LABELS threads)
  endif()
  if(TARGET fovea_cli)
    target_compile_definitions(${name} PRIVATE TEST_FOVEA="$<TARGET_FILE:fovea_cli>")
  endif()
endforeach()

add_executable(bench tests/bench.c) # make bench; as a test, that it runs
target_link_libraries(bench PRIVATE fovea_objects)
add_test(NAME bench COMMAND bench tile)
# Against oneDNN, where tools/bench_setup.sh or the machine has it.
set(FOVEA_PEERS ${PROJECT_BINARY_DIR}/peers/root/usr)
find_path(FOVEA_DNNL_INCLUDE oneapi/dnnl/dnnl.h HINTS ${FOVEA_PEERS}/include)
find_library(FOVEA_DNNL_LIBRARY dnnl HINTS ${FOVEA_PEERS}/lib/${CMAKE_LIBRARY_ARCHITECTURE})
mark_as_advanced(FOVEA_DNNL_INCLUDE FOVEA_DNNL_LIBRARY)
if(FOVEA_DNNL_INCLUDE AND FOVEA_DNNL_LIBRARY)
  add_executable(bench_layers EXCLUDE_FROM_ALL tests/bench_layers.c)
  target_include_directories(bench_layers SYSTEM PRIVATE ${FOVEA_DNNL_INCLUDE})
  target_link_libraries(bench_layers PRIVATE fovea_objects ${FOVEA_DNNL_LIBRARY})
endif()

if(FOVEA_FUZZ) # run it on a folder of files
  add_executable(fuzz_formats tests/fuzz_formats.c)
  target_link_libraries(fuzz_formats PRIVATE fovea_objects)
  target_link_options(fuzz_formats PRIVATE -fsanitize=fuzzer)
endif()

if(TARGET fovea_cli)
  file(GLOB FOVEA_TEST_SCRIPTS CONFIGURE_DEPENDS tests/test_*.sh)
  foreach(source ${FOVEA_TEST_SCRIPTS}) # arguments: the command fovea, the source folder
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME ${name} COMMAND bash ${source} $<TARGET_FILE:fovea_cli> ${PROJECT_SOURCE_DIR})
  endforeach()
endif()

# The house rules, the headers, the symbols, and what a user does with an installed Fovea.
add_test(NAME floors COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/floors.py)
add_test(NAME floors_self_test COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/floors.py
                                       --self-test)
add_test(NAME headers COMMAND bash ${PROJECT_SOURCE_DIR}/tests/install/headers.sh
                              ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
add_test(NAME symbols
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/symbols.py ${CMAKE_NM}
                 ${PROJECT_SOURCE_DIR}/include/fovea $<TARGET_FILE:fovea>
                 $<TARGET_OBJECTS:fovea_objects>
         COMMAND_EXPAND_LISTS)
if(FOVEA_INSTALL)
  add_test(NAME install COMMAND bash ${PROJECT_SOURCE_DIR}/tests/install/install.sh
                                ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR} ${PROJECT_VERSION}
                                ${CMAKE_C_COMPILER})
  set_tests_properties(install PROPERTIES ENVIRONMENT "CFLAGS=${CMAKE_C_FLAGS}")
endif()

get_property(tests DIRECTORY PROPERTY TESTS)
if(tests)
  set_tests_properties(${tests} PROPERTIES SKIP_RETURN_CODE 77)
endif()
