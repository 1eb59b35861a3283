// Typed looks at errors.
#pragma once

#include <arrow/status.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::test {

// The detail; fails the test when the status is ok or carries none.
inline const ErrorDetail& DetailOf(const arrow::Status& status) {
  static const ErrorDetail none(ErrorKind::kInternal, "no detail", "no detail", "no detail", false);
  const ErrorDetail* detail = GetErrorDetail(status);
  EXPECT_NE(detail, nullptr) << status.ToString();
  // The caller's status keeps it alive, as far as the end of the expression where it is a temporary.
  return detail == nullptr ? none : *detail;
}

inline ErrorKind KindOf(const arrow::Status& status) { return DetailOf(status).kind(); }

}  // namespace arrowcdc::test
