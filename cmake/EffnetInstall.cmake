# Builds and installs libeffnet.so for other programs: from the objects of the layers below the command line, with the
# public headers and the files for CMake and pkg-config. docs/library.md says how to use it, and
# tests/integration/test_install.py tests that.
#
# No list is kept by hand. Public headers: all that effnet/effnet.h includes, directly or indirectly. Layers: those that
# model uses. Libraries: those that these layers link.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(headers effnet/effnet.h)
set(unread ${headers})
while(unread)
  list(POP_FRONT unread header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
  file(STRINGS ${PROJECT_SOURCE_DIR}/${header} lines REGEX "^#include \"effnet/")
  foreach(line ${lines})
    string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" included "${line}")
    if(NOT included IN_LIST headers)
      list(APPEND headers ${included})
      list(APPEND unread ${included})
    endif()
  endforeach()
endwhile()

set(layers effnet_model)
set(unread ${layers})
set(libraries "")
while(unread)
  list(POP_FRONT unread layer)
  get_target_property(used ${layer} LINK_LIBRARIES)
  foreach(library ${used})
    if(NOT library MATCHES "^effnet_")
      list(APPEND libraries ${library})
    elseif(NOT library IN_LIST layers)
      list(APPEND layers ${library})
      list(APPEND unread ${library})
    endif()
  endforeach()
endwhile()
list(REMOVE_DUPLICATES libraries)
list(REMOVE_ITEM libraries fmt::fmt)  # public: effnet/base/error.h includes it

# The library reuses the objects of the static layers, so it costs only one link. While the major version is 0, a minor
# version may be incompatible with the previous one, so the minor version is part of the soname.
set(version_script ${PROJECT_SOURCE_DIR}/cmake/effnet.map)
add_library(effnet_library SHARED)
add_library(effnet::effnet ALIAS effnet_library)
foreach(layer ${layers})
  target_sources(effnet_library PRIVATE $<TARGET_OBJECTS:${layer}>)
endforeach()
list(TRANSFORM headers PREPEND ${PROJECT_SOURCE_DIR}/)
target_sources(effnet_library PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
target_compile_features(effnet_library INTERFACE cxx_std_20)
target_link_libraries(effnet_library PUBLIC fmt::fmt PRIVATE ${libraries})
target_link_options(effnet_library PRIVATE -Wl,--version-script=${version_script} -Wl,--no-undefined)
set_target_properties(effnet_library PROPERTIES OUTPUT_NAME effnet EXPORT_NAME effnet LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${version_script})

# The CMake files and effnet.pc use paths relative to their own folders, so that the whole installation can be moved.
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/effnet)
set(generated ${PROJECT_BINARY_DIR}/install)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/effnet-config.cmake.in ${generated}/effnet-config.cmake
  INSTALL_DESTINATION ${config_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${generated}/effnet-config-version.cmake COMPATIBILITY SameMinorVersion)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
  OUTPUT_VARIABLE prefix_from_pc)
configure_file(${PROJECT_SOURCE_DIR}/cmake/effnet.pc.in ${generated}/effnet.pc @ONLY)

install(TARGETS effnet_library EXPORT effnet-targets FILE_SET HEADERS)
install(EXPORT effnet-targets NAMESPACE effnet:: DESTINATION ${config_folder})
install(FILES ${generated}/effnet-config.cmake ${generated}/effnet-config-version.cmake DESTINATION ${config_folder})
install(FILES ${generated}/effnet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
