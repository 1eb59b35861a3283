// When memory is given back.
#include "src/delivery/idle_memory.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using std::chrono::seconds;

TEST(IdleMemory, IsGivenBackOnceASilence) {
  int given_back = 0;
  IdleMemory memory([&] { ++given_back; }, [] { return 2 * kKeptBytesMax; });
  const IdleMemory::Clock::time_point begin{std::chrono::hours(1)};
  memory.Look(0, begin);
  memory.Look(0, begin + seconds(60));
  EXPECT_EQ(given_back, 0) << "no rows came";
  memory.Look(10, begin + seconds(61));
  memory.Look(10, begin + seconds(65));
  memory.Look(11, begin + seconds(66));
  memory.Look(11, begin + seconds(70));
  EXPECT_EQ(given_back, 0) << "rows came within five seconds";
  memory.Look(11, begin + seconds(71));
  memory.Look(11, begin + seconds(600));
  EXPECT_EQ(given_back, 1);
  memory.Look(12, begin + seconds(601));
  memory.Look(12, begin + seconds(606));
  EXPECT_EQ(given_back, 2);
}

TEST(IdleMemory, IsGivenBackWhereItIsMuchAndRowsGoOn) {
  int given_back = 0;
  uint64_t free_bytes = 2 * kKeptBytesMax;
  IdleMemory memory([&] { ++given_back; }, [&] { return free_bytes; });
  const IdleMemory::Clock::time_point begin{std::chrono::hours(1)};
  int row = 0;
  const auto rows_until = [&](int last) {
    for (; row <= last; ++row) memory.Look(static_cast<uint64_t>(row + 1), begin + seconds(row));
  };
  rows_until(29);
  EXPECT_EQ(given_back, 0);
  rows_until(59);
  EXPECT_EQ(given_back, 1);
  free_bytes = kKeptBytesMax;
  rows_until(600);
  EXPECT_EQ(given_back, 1);
}

}  // namespace
}  // namespace arrowcdc
