# `cmake --install`: the public headers, libarrowcdc as one shared library, a CMake package that finds both
# (find_package(arrowcdc) -> arrowcdc::arrowcdc), the command with its manual pages and completions, and the
# plugin. The component `command` alone is what tools/package.sh makes a package of.
#
# The library is shared, so that its users need Arrow C++ only, whose types its headers speak of, and not what
# it uses inside. It and its users must have one libarrow in a process: the package leads them to the Arrow
# that it was built with.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(modules arrowcdc_format arrowcdc_pgtype arrowcdc_change arrowcdc_patterns arrowcdc_decode
  arrowcdc_mysql arrowcdc_mysql_decode arrowcdc_partition arrowcdc_delivery arrowcdc_postgres arrowcdc_readers
  arrowcdc_sink)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_library(arrowcdc_library SHARED ${objects})
set_target_properties(arrowcdc_library PROPERTIES
  OUTPUT_NAME arrowcdc EXPORT_NAME arrowcdc LINKER_LANGUAGE CXX
  VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
target_compile_features(arrowcdc_library INTERFACE cxx_std_20)
target_include_directories(arrowcdc_library INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
target_link_options(arrowcdc_library PRIVATE LINKER:--no-undefined)
target_link_libraries(arrowcdc_library
  PRIVATE Arrow::arrow Arrow::parquet PkgConfig::DEFLATE PkgConfig::MARIADB PkgConfig::RE2
  PkgConfig::ZSTD PostgreSQL::PostgreSQL Threads::Threads)

# Where Arrow lies outside the system's directories, library and command remember where. A package brings it
# and says where with -DARROWCDC_ARROW_DIRECTORY=...
if(NOT DEFINED ARROWCDC_ARROW_DIRECTORY)
  set(ARROWCDC_ARROW_DIRECTORY "${ARROW_WHEEL_DIR}")
endif()
set_target_properties(arrowcdc_library arrowcdc_cli PROPERTIES INSTALL_RPATH "${ARROWCDC_ARROW_DIRECTORY}")

set(documents "${CMAKE_BINARY_DIR}/documents")
add_custom_command(OUTPUT "${documents}/man/man1/arrowcdc.1"
  COMMAND "${CMAKE_COMMAND}" -E rm -rf "${documents}"
  COMMAND arrowcdc_write_documents "${documents}"
  DEPENDS arrowcdc_write_documents)
add_custom_target(arrowcdc_documents ALL DEPENDS "${documents}/man/man1/arrowcdc.1")

install(TARGETS arrowcdc_library EXPORT arrowcdcTargets)
install(TARGETS arrowcdc_cli COMPONENT command)
install(DIRECTORY "${documents}/" DESTINATION "${CMAKE_INSTALL_DATADIR}" COMPONENT command)
install(TARGETS wal2arrow LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/postgresql")
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/arrowcdc" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/arrowcdc")
install(EXPORT arrowcdcTargets NAMESPACE arrowcdc:: DESTINATION "${package}")
configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/arrowcdcConfig.cmake.in"
  "${CMAKE_BINARY_DIR}/arrowcdcConfig.cmake" INSTALL_DESTINATION "${package}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/arrowcdcConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/arrowcdcConfig.cmake" "${CMAKE_BINARY_DIR}/arrowcdcConfigVersion.cmake"
  DESTINATION "${package}")
