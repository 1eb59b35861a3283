// PostgreSQL's dates and times to Arrow's. PostgreSQL counts days and microseconds from 2000-01-01, Arrow
// from 1970-01-01.
#pragma once

#include <cstdint>

namespace arrowcdc::pgtype {

inline constexpr int64_t kDayUs = 86'400'000'000;
inline constexpr int32_t kEpochDays = 10'957;  // 2000-01-01 after 1970-01-01
inline constexpr int64_t kEpochUs = kEpochDays * kDayUs;

// The infinities.
inline constexpr int32_t kDateEarliest = INT32_MIN;
inline constexpr int32_t kDateLatest = INT32_MAX;
inline constexpr int64_t kTimestampEarliest = INT64_MIN;
inline constexpr int64_t kTimestampLatest = INT64_MAX;

// False, here and below: an infinity, or beyond Arrow's range.
inline bool DateToDays(int32_t date, int32_t* days) {
  return date != kDateEarliest && date != kDateLatest && !__builtin_add_overflow(date, kEpochDays, days);
}

inline bool TimestampToUs(int64_t timestamp, int64_t* us) {
  return timestamp != kTimestampEarliest && timestamp != kTimestampLatest &&
         !__builtin_add_overflow(timestamp, kEpochUs, us);
}

// Of time and of timetz, which both may be 24:00:00.
inline bool IsTimeOfDay(int64_t us) { return us >= 0 && us < kDayUs; }

// The time part of an interval. The infinite intervals of 17 have the extreme time, so they end here too.
inline bool IntervalToNs(int64_t us, int64_t* ns) { return !__builtin_mul_overflow(us, int64_t{1000}, ns); }

}  // namespace arrowcdc::pgtype
