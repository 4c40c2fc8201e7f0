# pthreadpool comes without a pkg-config file: find it, define Pthreadpool::Pthreadpool.
find_path(PTHREADPOOL_INCLUDE_DIR pthreadpool.h)
find_library(PTHREADPOOL_LIBRARY pthreadpool)
mark_as_advanced(PTHREADPOOL_INCLUDE_DIR PTHREADPOOL_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Pthreadpool REQUIRED_VARS PTHREADPOOL_LIBRARY
                                                            PTHREADPOOL_INCLUDE_DIR)
if(Pthreadpool_FOUND AND NOT TARGET Pthreadpool::Pthreadpool)
  add_library(Pthreadpool::Pthreadpool UNKNOWN IMPORTED)
  set_target_properties(
    Pthreadpool::Pthreadpool PROPERTIES IMPORTED_LOCATION "${PTHREADPOOL_LIBRARY}"
                                        INTERFACE_INCLUDE_DIRECTORIES "${PTHREADPOOL_INCLUDE_DIR}")
endif()
