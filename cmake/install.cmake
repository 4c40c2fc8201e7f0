# What `cmake --install` puts where, and how other projects find it: pkg-config and find_package.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)

install(TARGETS fovea EXPORT foveaTargets)
install(TARGETS fovea_static EXPORT foveaStaticTargets)
if(TARGET fovea_cli)
  install(TARGETS fovea_cli)
endif()
install(DIRECTORY include/fovea TYPE INCLUDE)

set(FOVEA_PC_REQUIRES ${FOVEA_MODULES})
list(REMOVE_ITEM FOVEA_PC_REQUIRES libcurl libarchive) # see FOVEA_PRIVATE_LIBS
string(REPLACE ";" ", " FOVEA_PC_REQUIRES "${FOVEA_PC_REQUIRES}")
file(RELATIVE_PATH FOVEA_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
string(REGEX REPLACE "/$" "" FOVEA_PC_TO_PREFIX "${FOVEA_PC_TO_PREFIX}")
configure_file(cmake/fovea.pc.in generated/fovea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/generated/fovea.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Two export files: the static library needs the libraries of others to be found, the shared does not.
install(EXPORT foveaTargets NAMESPACE fovea:: DESTINATION ${package_dir})
install(EXPORT foveaStaticTargets NAMESPACE fovea:: DESTINATION ${package_dir})
configure_package_config_file(cmake/foveaConfig.cmake.in generated/foveaConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/foveaConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/foveaConfig.cmake
              ${PROJECT_BINARY_DIR}/generated/foveaConfigVersion.cmake cmake/FindPthreadpool.cmake
        DESTINATION ${package_dir})
