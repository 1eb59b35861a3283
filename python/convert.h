// Between the library and Python: errors as exceptions, batches as Arrow PyCapsules.
#pragma once

#include <memory>
#include <utility>

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <nanobind/nanobind.h>

namespace arrowcdc::python {

// Throws the exception of arrowcdc._errors that fits. The GIL is held.
[[noreturn]] void Raise(const arrow::Status& status);

inline void Check(const arrow::Status& status) {
  if (!status.ok()) Raise(status);
}
template <typename T>
T Check(arrow::Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return std::move(result).ValueUnsafe();
}

// (schema capsule, array capsule) of the Arrow C data interface; the array shares the batch's buffers.
nanobind::typed<nanobind::tuple, nanobind::object, nanobind::object> ToCapsules(
    const arrow::RecordBatch& rows);

}  // namespace arrowcdc::python
