#include "arrowcdc/error.h"

#include <set>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(Error, CarriesWhatItWasGiven) {
  auto status = MakeError(ErrorKind::kSlotActive, "the slot is in use by pid 17", "slot \"s\"",
                          "stop that client", "55006", true);
  EXPECT_TRUE(status.IsIOError());
  EXPECT_EQ(status.message(), "the slot is in use by pid 17");
  const ErrorDetail* detail = GetErrorDetail(status);
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kSlotActive);
  EXPECT_EQ(detail->object(), "slot \"s\"");
  EXPECT_EQ(detail->remedy(), "stop that client");
  EXPECT_EQ(detail->sqlstate(), "55006");
  EXPECT_TRUE(detail->retryable());
  EXPECT_EQ(detail->ToString(),
            "slot_active, slot \"s\", SQLSTATE 55006, can be retried; remedy: stop that client");
}

TEST(Error, EmptyPartsLeaveNoTrace) {
  auto status = MakeError(ErrorKind::kInternal, "m", "", "");
  EXPECT_EQ(GetErrorDetail(status)->ToString(), "internal");
  EXPECT_FALSE(GetErrorDetail(status)->retryable());
}

TEST(Error, SurvivesACopyAndAnAddedContext) {
  auto status = MakeError(ErrorKind::kSink, "full", "file f", "make room");
  arrow::Status longer = status.WithMessage("while writing: ", status.message());
  ASSERT_NE(GetErrorDetail(longer), nullptr);
  EXPECT_EQ(GetErrorDetail(longer)->object(), "file f");
}

class OtherDetail : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return "other"; }
  std::string ToString() const override { return "other"; }
};

TEST(Error, OthersHaveNoneOfOurs) {
  EXPECT_EQ(GetErrorDetail(arrow::Status::OK()), nullptr);
  EXPECT_EQ(GetErrorDetail(arrow::Status::Invalid("x")), nullptr);
  EXPECT_EQ(GetErrorDetail(arrow::Status(arrow::StatusCode::Invalid, "x", std::make_shared<OtherDetail>())),
            nullptr);
}

TEST(Error, EveryKindHasItsOwnName) {
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); ++kind) {
    names.insert(ErrorKindName(static_cast<ErrorKind>(kind)));
    EXPECT_FALSE(MakeError(static_cast<ErrorKind>(kind), "m", "", "").ok());
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorKind::kInternal) + 1);
  EXPECT_TRUE(names.contains("plugin_not_allowed"));
}

}  // namespace
}  // namespace arrowcdc
