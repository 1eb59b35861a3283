#include "src/delivery/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace arrowcdc {
namespace {
using std::chrono::milliseconds;

// The longest of many waits that are asked for one after the other, without waiting.
milliseconds LongestWait(Backoff& backoff, ErrorKind kind = ErrorKind::kConnection) {
  milliseconds longest{0};
  for (int i = 0; i < 20; ++i) {
    const std::optional<milliseconds> wait = backoff.Next(kind);
    if (!wait.has_value()) {
      ADD_FAILURE() << "it has given up";
      break;
    }
    longest = std::max(longest, *wait);
  }
  return longest;
}

TEST(Backoff, NoWaitGoesBeyondTheLimit) {
  Backoff limited(milliseconds(4'000));
  EXPECT_LE(LongestWait(limited), milliseconds(4'000));
  Backoff unlimited(std::nullopt);
  EXPECT_GT(LongestWait(unlimited), milliseconds(4'000));
}

TEST(Backoff, WhatIsBusyIsTriedOften) {
  Backoff backoff(std::nullopt);
  EXPECT_LE(LongestWait(backoff, ErrorKind::kBusy), milliseconds(2'000));
  EXPECT_GT(LongestWait(backoff), milliseconds(4'000));
  EXPECT_LE(backoff.Next(ErrorKind::kBusy), milliseconds(2'000));
}

TEST(Backoff, ZeroIsNoRetry) {
  Backoff none(milliseconds(0));
  EXPECT_EQ(none.Next(ErrorKind::kConnection), std::nullopt);
  none.NoteStarted();
  none.Reset();
  EXPECT_EQ(none.Next(ErrorKind::kSlotActive), std::nullopt);
}

TEST(Backoff, ResetStartsWithShortWaits) {
  Backoff backoff(std::nullopt);
  backoff.NoteStarted();
  EXPECT_GT(LongestWait(backoff), milliseconds(4'000));
  backoff.Reset();
  EXPECT_LE(backoff.Next(ErrorKind::kConnection), milliseconds(50));
}

// An end that the client itself has decided on is one.
TEST(Backoff, OnlyTheServersErrorsAtAPlaceAreWorthAnotherSession) {
  const auto worth = [](ErrorKind kind, const std::string& sqlstate, bool retryable, bool delivered) {
    const arrow::Status status = MakeError(kind, "text", "object", "remedy", sqlstate, retryable);
    return IsWorthAnotherSession(GetErrorDetail(status), delivered);
  };
  EXPECT_TRUE(worth(ErrorKind::kPublicationMissing, "42704", false, true));
  EXPECT_FALSE(worth(ErrorKind::kPublicationMissing, "42704", false, false));
  EXPECT_FALSE(worth(ErrorKind::kPublicationMissing, "", false, true));
  EXPECT_TRUE(worth(ErrorKind::kUnsupported, "0A000", false, true));
  EXPECT_FALSE(worth(ErrorKind::kUnsupported, "", false, true));
  EXPECT_TRUE(worth(ErrorKind::kConnection, "", true, false));
  EXPECT_FALSE(IsWorthAnotherSession(nullptr, true));
}

TEST(Backoff, WhatIsReadInAnotherWayDoesNotTakeTime) {
  const auto passes = [](ErrorKind kind, const std::string& sqlstate) {
    return PassesWithTime(*GetErrorDetail(MakeError(kind, "text", "object", "remedy", sqlstate, true)));
  };
  for (const ErrorKind kind :
       {ErrorKind::kConnection, ErrorKind::kBusy, ErrorKind::kSlotActive, ErrorKind::kSink})
    EXPECT_TRUE(passes(kind, "")) << ErrorKindName(kind);
  EXPECT_TRUE(passes(ErrorKind::kServerSetting, "53300"));
  EXPECT_FALSE(passes(ErrorKind::kServerSetting, ""));
  EXPECT_FALSE(passes(ErrorKind::kUnsupported, "0A000"));
  EXPECT_FALSE(passes(ErrorKind::kProtocol, ""));
}

}  // namespace
}  // namespace arrowcdc
