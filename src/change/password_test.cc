#include "src/change/password.h"

#include <vector>

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using Given = std::vector<std::optional<std::string>>;

arrow::Status Refused() {
  return MakeError(ErrorKind::kAuthentication, "refused", "role cdc", "another password");
}

class Password : public testing::Test {
 protected:
  void TearDown() override { SetPasswordProvider({}); }

  // A server that takes one password.
  arrow::Result<int> Open(const std::string& taken) {
    return OpenWithPassword([&](const std::optional<std::string>& password) -> arrow::Result<int> {
      given_.push_back(password);
      if (password != taken) return Refused();
      return 1;
    });
  }

  Given given_;
};

TEST_F(Password, NoneWithoutAProvider) {
  EXPECT_FALSE(Open("x").ok());
  EXPECT_EQ(given_, Given{std::nullopt});
}

TEST_F(Password, AskedOnceAndAgainWhereItIsRefused) {
  int asked = 0;
  SetPasswordProvider([&asked]() -> arrow::Result<std::string> { return std::to_string(++asked); });
  EXPECT_TRUE(Open("1").ok());
  EXPECT_TRUE(Open("1").ok());
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(Open("2").ok());
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(given_, (Given{"1", "1", "1", "2"}));
}

TEST_F(Password, TheSameAgainIsNotTriedTwice) {
  SetPasswordProvider([]() -> arrow::Result<std::string> { return "old"; });
  const auto opened = Open("new");
  EXPECT_EQ(GetErrorDetail(opened.status())->kind(), ErrorKind::kAuthentication);
  EXPECT_EQ(given_, Given{"old"});
}

TEST_F(Password, AProviderThatFailsLaterMayDoBetterNextTime) {
  bool fails = true;
  SetPasswordProvider([&fails]() -> arrow::Result<std::string> {
    if (fails) return MakeError(ErrorKind::kInvalidOption, "no token", "the vault", "");
    return "first";
  });
  EXPECT_FALSE(GetErrorDetail(Open("first").status())->retryable());
  fails = false;
  EXPECT_TRUE(Open("first").ok());
  fails = true;
  EXPECT_TRUE(GetErrorDetail(Open("second").status())->retryable());
}

}  // namespace
}  // namespace arrowcdc
