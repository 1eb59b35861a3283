# Arrow C++ as targets Arrow::arrow, Arrow::compute and Arrow::parquet. For the Python package: that of the
# interpreter's pyarrow (headers and libraries lie inside the wheel), since there is one libarrow in a
# process. Else the system's where find_package knows it, or the pinned pyarrow in the project's virtual
# environment.
if(ARROWCDC_PYTHON)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "import os, pyarrow; print(os.path.dirname(pyarrow.__file__))"
    OUTPUT_STRIP_TRAILING_WHITESPACE OUTPUT_VARIABLE ARROW_WHEEL_DIR ERROR_QUIET)
else()
  find_package(Arrow CONFIG QUIET)
  find_package(Parquet CONFIG QUIET)
  find_package(ArrowCompute CONFIG QUIET)  # before Arrow 21 a part of Arrow itself
  file(GLOB ARROW_WHEEL_DIR "${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/pyarrow")
endif()
if(Arrow_FOUND AND Parquet_FOUND)
  set(ARROW_WHEEL_DIR "")
  add_library(Arrow::arrow ALIAS Arrow::arrow_shared)
  add_library(Arrow::parquet ALIAS Parquet::parquet_shared)
  add_library(Arrow::compute INTERFACE IMPORTED)
  target_link_libraries(Arrow::compute INTERFACE
    Arrow::arrow $<TARGET_NAME_IF_EXISTS:ArrowCompute::arrow_compute_shared>)
else()
  file(GLOB ARROW_WHEEL_LIBRARY "${ARROW_WHEEL_DIR}/libarrow.so.*")
  file(GLOB ARROW_WHEEL_COMPUTE "${ARROW_WHEEL_DIR}/libarrow_compute.so.*")
  file(GLOB ARROW_WHEEL_PARQUET "${ARROW_WHEEL_DIR}/libparquet.so.*")
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(ArrowWheel
    REASON_FAILURE_MESSAGE
      "no Arrow C++: run 'make setup', or install pyarrow where the Python package is built"
    REQUIRED_VARS ARROW_WHEEL_DIR ARROW_WHEEL_LIBRARY ARROW_WHEEL_COMPUTE ARROW_WHEEL_PARQUET)
  foreach(pair
      "arrow;${ARROW_WHEEL_LIBRARY}" "compute;${ARROW_WHEEL_COMPUTE}" "parquet;${ARROW_WHEEL_PARQUET}")
    list(GET pair 0 name)
    list(GET pair 1 library)
    add_library(Arrow::${name} SHARED IMPORTED)
    set_target_properties(Arrow::${name} PROPERTIES
      IMPORTED_LOCATION "${library}"
      INTERFACE_INCLUDE_DIRECTORIES "${ARROW_WHEEL_DIR}/include")
  endforeach()
  # libparquet depends on further libraries of the wheel; the linker finds them here.
  target_link_options(Arrow::parquet INTERFACE "-Wl,-rpath-link,${ARROW_WHEEL_DIR}")
  # It also exports an OpenSSL of its own, which the system's would call in its own stead wherever it comes
  # later in the order of loading: TLS of libmariadb crashed so. In front of all else it does not.
  target_link_options(Arrow::parquet INTERFACE
    "LINKER:--push-state,--no-as-needed,-lssl,-lcrypto,--pop-state")
  target_link_libraries(Arrow::parquet INTERFACE Arrow::arrow)
  target_link_libraries(Arrow::compute INTERFACE Arrow::arrow)
endif()
set(ArrowWheel_FOUND TRUE)
