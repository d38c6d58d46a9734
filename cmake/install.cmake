# find_package(alexnet) for other projects.
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/alexnet)

install(TARGETS alexnet EXPORT alexnet
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/alexnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT alexnet NAMESPACE alexnet:: FILE alexnetTargets.cmake
  DESTINATION ${config_dir})
configure_package_config_file(cmake/alexnetConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/alexnetConfig.cmake
  INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/alexnetConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/alexnetConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/alexnetConfigVersion.cmake
  DESTINATION ${config_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET alexnet_cuda)
  install(TARGETS alexnet_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET alexnet_program)
  install(TARGETS alexnet_program DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
