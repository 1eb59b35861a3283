// Every start and every refusal, without a server: slot and WAL as the rows of a table say.
#include "src/postgres/stream/start_position.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

using Have = ResumeRequest::Have;

SlotStanding Slot(uint64_t confirmed, uint64_t end, uint32_t timeline = 1) {
  SlotStanding now;
  now.slot = "s";
  now.source = {"postgresql", "7"};
  now.timeline = timeline;
  now.confirmed_flush = confirmed;
  now.current_flush = end;
  return now;
}

SlotStanding UsedSlot(bool start_known) {
  SlotStanding now = Slot(200, 300);
  now.used = true;
  now.start_known = start_known;
  return now;
}

SlotStanding OtherServer() {
  SlotStanding now = Slot(200, 300);
  now.source_before = SourceId{"postgresql", "8"};
  return now;
}

SlotStanding SameServer() {
  SlotStanding now = Slot(200, 300);
  now.source_before = SourceId{"postgresql", "7"};
  return now;
}

ResumeRequest Nothing() { return {Have::kNothing, {}, false}; }
ResumeRequest New(bool accept_gap = false) { return {Have::kNothingYet, {}, accept_gap}; }
ResumeRequest Stored(uint64_t order, uint32_t timeline = 1, bool accept_gap = false) {
  return {Have::kStored, {timeline, order}, accept_gap};
}
ResumeRequest Delivered(uint64_t order, uint32_t timeline = 1) {
  return {Have::kDelivered, {timeline, order}, false};
}

// Timeline 1 was left at 0/500.
arrow::Result<uint64_t> EndsAt500(uint32_t timeline) {
  EXPECT_EQ(timeline, 1u);
  return 0x500;
}

struct Case {
  std::string what;
  SlotStanding now;
  ResumeRequest request;
  std::optional<Position> start;  // none: refused
  std::string says = {};          // the refusal
};

void Expect(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    const auto start = ChooseStart(each.now, each.request, EndsAt500);
    if (each.start.has_value()) {
      ASSERT_TRUE(start.ok()) << start.status();
      EXPECT_EQ(*start, *each.start);
      continue;
    }
    ASSERT_FALSE(start.ok());
    ASSERT_NE(GetErrorDetail(start.status()), nullptr);
    EXPECT_EQ(GetErrorDetail(start.status())->kind(), ErrorKind::kPositionGap);
    EXPECT_EQ(GetErrorDetail(start.status())->object(), "slot \"s\"");
    EXPECT_NE(GetErrorDetail(start.status())->remedy(), "");
    EXPECT_NE(start.status().message().find(each.says), std::string::npos) << start.status();
  }
}

TEST(ChooseStart, WhoKeepsNothingBeginsWhereTheSlotStands) {
  Expect({{"an unused slot", Slot(200, 300), Nothing(), Position{1, 200}},
          {"a used one", UsedSlot(true), Nothing(), Position{1, 200}},
          {"a later timeline", Slot(200, 300, 3), Nothing(), Position{3, 200}}});
}

TEST(ChooseStart, ANewSinkOfAUsedSlotIsRefusedUnlessTold) {
  SlotStanding not_known = Slot(200, 300);
  not_known.start_known = false;
  Expect({{"an unused slot", Slot(200, 300), New(), Position{1, 200}},
          {"never decoded, no note", not_known, New(), Position{1, 200}},
          {"acknowledged", UsedSlot(true), New(), {}, "already acknowledged elsewhere"},
          // It does not claim that others acknowledged.
          {"decoded, no note", UsedSlot(false), New(), {}, "nothing tells whether"},
          {"acknowledged, told", UsedSlot(true), New(true), Position{1, 200}},
          {"decoded, told", UsedSlot(false), New(true), Position{1, 200}}});
}

TEST(ChooseStart, WhatANewSinkIsToldToDoDestroysNothing) {
  for (const bool start_known : {true, false}) {
    const auto start = ChooseStart(UsedSlot(start_known), New(), EndsAt500);
    ASSERT_FALSE(start.ok());
    const std::string remedy = GetErrorDetail(start.status())->remedy();
    EXPECT_TRUE(remedy.starts_with("check the path of --sink: another sink ")) << remedy;
    EXPECT_NE(remedy.find("a slot of its own (--slot NAME with 'arrowcdc setup')"), std::string::npos)
        << remedy;
    EXPECT_NE(remedy.find("--accept-gap begins at 0/C8"), std::string::npos) << remedy;
    EXPECT_EQ(remedy.find("teardown"), std::string::npos) << remedy;
  }
}

TEST(ChooseStart, AStoredPositionIsHeldAgainstTheSlot) {
  Expect({{"ahead of the slot", Slot(200, 300), Stored(250), Position{1, 250}},
          {"where the slot stands", Slot(200, 300), Stored(200), Position{1, 200}},
          {"behind the slot", Slot(200, 300), Stored(150), {}, "ahead of the sink's stored position 0/96"},
          {"behind the slot, told", Slot(200, 300), Stored(150, 1, true), Position{1, 200}},
          {"a used slot", UsedSlot(true), Stored(250), Position{1, 250}}});
}

TEST(ChooseStart, AStoredPositionOfAnotherHistoryIsRefused) {
  Expect(
      {{"at the end", Slot(200, 300), Stored(300), Position{1, 300}},
       {"beyond the server", Slot(200, 300), Stored(301), {}, "beyond the end of the server's WAL"},
       {"beyond it, told", Slot(200, 300), Stored(301, 1, true), {}, "beyond the end of the server's WAL"},
       {"before the switch", Slot(200, 0x900, 2), Stored(0x400), Position{2, 0x400}},
       {"at the switch", Slot(200, 0x900, 2), Stored(0x500), Position{2, 0x500}},
       {"behind the switch", Slot(200, 0x900, 2), Stored(0x501), {}, "has diverged"},
       {"a later timeline", Slot(200, 0x900, 1), Stored(0x300, 2), {}, "later timeline than the server's 1"},
       {"a gap over a switch, told", Slot(0x600, 0x900, 2), Stored(0x400, 1, true), Position{2, 0x600}}});
}

TEST(ChooseStart, AReconnectGoesOnFromWhatWasDelivered) {
  Expect({{"delivered", Slot(200, 300), Delivered(250), Position{1, 250}},
          {"the same server", SameServer(), Delivered(250), Position{1, 250}},
          {"another server", OtherServer(), Delivered(250), {}, "identifier 8 before, 7 now"},
          {"a slot that was moved", Slot(260, 300), Delivered(250), {}, "only changes up to 0/FA were"},
          {"beyond the server", Slot(200, 300), Delivered(301), {}, "beyond the end of the server's WAL"},
          {"a promotion behind it", Slot(200, 0x900, 2), Delivered(0x500), Position{2, 0x500}},
          {"a promotion before it", Slot(200, 0x900, 2), Delivered(0x501), {}, "has diverged"},
          {"back to the old server", Slot(200, 0x900, 1), Delivered(0x300, 2), {}, "later timeline"}});
}

TEST(ChooseStart, AHistoryThatCannotBeReadIsNoRefusal) {
  const auto lost = [](uint32_t) -> arrow::Result<uint64_t> {
    return MakeError(ErrorKind::kConnection, "lost", "server", "", "57P01", true);
  };
  const auto start = ChooseStart(Slot(200, 0x900, 2), Stored(0x400), lost);
  ASSERT_FALSE(start.ok());
  EXPECT_TRUE(GetErrorDetail(start.status())->retryable());
}

}  // namespace
}  // namespace arrowcdc::postgres
