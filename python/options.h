// The option table as Python sees it, and options from keyword arguments.
#pragma once

#include <nanobind/nanobind.h>

namespace arrowcdc::python {

void BindOptions(nanobind::module_& module);

}  // namespace arrowcdc::python
