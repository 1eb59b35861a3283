// Which value is named, and by what.
#include "src/change/check_representable.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

TEST(CheckRepresentable, TheFirstValueIsNamedByTableColumnAndPosition) {
  const auto table = MakeTable({"s", "t"}, {arrow::field("id", arrow::int64())});
  const auto status = [&](const std::vector<RowMeta>& rows) {
    return CheckRepresentable(MakeBatch(table, rows, {Ids(std::vector<int64_t>(rows.size(), 42))}));
  };
  ARROWCDC_EXPECT_OK(status({{{1, 2, 3}}, {{4, 5, 6}, Op::kUpdateAfter, {"id"}}}));
  const arrow::Status refused = status({{{0x10, 0x9, 0}},
                                        {{0x100000020, 0x18, 7}, Op::kDelete, {}, {"id"}},
                                        {{0x40, 0x38, 1}, Op::kInsert, {}, {"id"}}});
  const ErrorDetail* const detail = GetErrorDetail(refused);
  ASSERT_NE(detail, nullptr) << refused.ToString();
  EXPECT_EQ(detail->kind(), ErrorKind::kUnsupported);
  EXPECT_FALSE(detail->retryable());
  EXPECT_EQ(detail->object(), "column id of table s.t");
  EXPECT_NE(refused.message().find("commit 1/20, record 0/18, place 7"), std::string::npos)
      << refused.ToString();
  EXPECT_EQ(refused.ToString().find("42"), std::string::npos) << refused.ToString();
}

}  // namespace
}  // namespace arrowcdc::test
