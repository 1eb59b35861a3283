// GoogleTest assertions for arrow::Status and arrow::Result.
#pragma once

#include <utility>

#include <arrow/result.h>
#include <arrow/status.h>
#include <gtest/gtest.h>

namespace arrowcdc::test {

inline arrow::Status StatusOf(const arrow::Status& status) { return status; }
template <typename T>
arrow::Status StatusOf(const arrow::Result<T>& result) {
  return result.status();
}

}  // namespace arrowcdc::test

#define ARROWCDC_ASSERT_OK(expr)                                        \
  do {                                                                  \
    const ::arrow::Status status_ = ::arrowcdc::test::StatusOf((expr)); \
    ASSERT_TRUE(status_.ok()) << #expr << "\n" << status_.ToString();   \
  } while (false)

#define ARROWCDC_EXPECT_OK(expr)                                        \
  do {                                                                  \
    const ::arrow::Status status_ = ::arrowcdc::test::StatusOf((expr)); \
    EXPECT_TRUE(status_.ok()) << #expr << "\n" << status_.ToString();   \
  } while (false)

#define ARROWCDC_CONCAT_INNER(a, b) a##b
#define ARROWCDC_CONCAT(a, b) ARROWCDC_CONCAT_INNER(a, b)

// The left-hand side may be a declaration, which takes no parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ARROWCDC_ASSERT_OK_AND_ASSIGN_INNER(result, lhs, expr)                                \
  auto&& result = (expr);                                                                     \
  ASSERT_TRUE(result.ok()) << #expr << "\n" << ::arrowcdc::test::StatusOf(result).ToString(); \
  lhs = std::move(result).ValueUnsafe()
// NOLINTEND(bugprone-macro-parentheses)

#define ARROWCDC_ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ARROWCDC_ASSERT_OK_AND_ASSIGN_INNER(ARROWCDC_CONCAT(result_, __LINE__), lhs, expr)
