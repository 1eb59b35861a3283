// MySQL's packed dates and times ("my_time" in the documentation of its sources). Pure.
#pragma once

#include <cstdint>
#include <optional>

namespace arrowcdc::mysql {

struct CivilTime {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int microsecond = 0;
};

// Days since 1970-01-01 of a date of the Gregorian calendar; nullopt: there is none, as MySQL's zero dates,
// 2026-02-00 and, under ALLOW_INVALID_DATES, 2026-02-31.
std::optional<int32_t> DaysOf(int year, int month, int day);

// Microseconds since 1970-01-01 00:00:00. nullopt: no such date, or time of a day.
std::optional<int64_t> MicrosecondsOf(const CivilTime& time);

// `packed`: seconds and more above 24 bits of microseconds, in 64 bits.
CivilTime UnpackDatetime(int64_t packed);
// With its sign.
int64_t UnpackTime(int64_t packed);

}  // namespace arrowcdc::mysql
