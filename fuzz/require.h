// What fuzz targets of MySQL's decoder ask of it: no answer that is not true, and no error without a word.
#pragma once

#include <cstdlib>

#include <arrow/status.h>

#include "arrowcdc/error.h"

inline void Require(bool condition) {
  if (!condition) std::abort();
}

inline void CheckError(const arrow::Status& status) {
  Require(status.IsOutOfMemory() ||
          (arrowcdc::GetErrorDetail(status) != nullptr && !status.message().empty()));
}
