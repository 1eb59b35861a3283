// MySQL's packed dates and times ("my_time" in the documentation of its sources). Pure; inline, since each
// row may have several.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

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
inline std::optional<int32_t> DaysOf(int year, int month, int day) {
  static constexpr int8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return std::nullopt;
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > kDays[month - 1] + (month == 2 && is_leap ? 1 : 0)) return std::nullopt;
  // Years that begin in March, so that the leap day is the last one; 400 of them are 146097 days.
  const int shifted = year - (month <= 2 ? 1 : 0) + 400;  // above 0 for the year 0 as well
  const int era = shifted / 400;
  const int year_of_era = shifted - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return (era - 1) * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

inline constexpr int64_t kMicrosecondsADay = int64_t{86'400} * 1'000'000;

// Since midnight. nullopt: no such time of a day.
inline std::optional<int64_t> MicrosecondsOfDay(const CivilTime& time) {
  if (time.hour > 23 || time.minute > 59 || time.second > 59 || time.microsecond > 999'999)
    return std::nullopt;
  const int seconds = (time.hour * 60 + time.minute) * 60 + time.second;
  return int64_t{seconds} * 1'000'000 + time.microsecond;
}

// Microseconds since 1970-01-01 00:00:00. nullopt: no such date, or time of a day.
inline std::optional<int64_t> MicrosecondsOf(const CivilTime& time) {
  const auto days = DaysOf(time.year, time.month, time.day);
  const auto of_day = MicrosecondsOfDay(time);
  if (!days.has_value() || !of_day.has_value()) return std::nullopt;
  return *days * kMicrosecondsADay + *of_day;
}

// As the servers write it: "2026-02-31", with a time of a day "2026-02-31 23:59:59.50".
inline std::string DateText(const CivilTime& time) {
  char text[40];
  const int length = snprintf(text, sizeof text, "%04d-%02d-%02d", time.year, time.month, time.day);
  return {text, static_cast<size_t>(length)};
}
inline std::string DatetimeText(const CivilTime& time, int decimals) {
  char text[60];
  const int length = snprintf(text, sizeof text, " %02d:%02d:%02d.%06d", time.hour, time.minute, time.second,
                              time.microsecond);
  const int left_out = decimals == 0 ? 7 : 6 - decimals;
  return DateText(time) + std::string(text, static_cast<size_t>(length - left_out));
}

// UTC, of seconds since 1970-01-01; 0 stands for 0000-00-00 00:00:00.
inline CivilTime CivilOf(uint64_t seconds, int64_t microseconds) {
  CivilTime time;
  if (seconds == 0) return time;
  const std::chrono::sys_days day(std::chrono::days(seconds / 86'400));
  const std::chrono::year_month_day date(day);
  time.year = static_cast<int>(date.year());
  time.month = static_cast<int>(static_cast<unsigned>(date.month()));
  time.day = static_cast<int>(static_cast<unsigned>(date.day()));
  time.hour = static_cast<int>(seconds / 3'600 % 24);
  time.minute = static_cast<int>(seconds / 60 % 60);
  time.second = static_cast<int>(seconds % 60);
  time.microsecond = static_cast<int>(microseconds);
  return time;
}

// Of packed seconds and more, the time of the day alone: a date takes divisions.
inline CivilTime TimeOfDay(int64_t packed_seconds) {
  CivilTime time;
  time.hour = static_cast<int>(packed_seconds >> 12 & 31);
  time.minute = static_cast<int>(packed_seconds >> 6 & 63);
  time.second = static_cast<int>(packed_seconds & 63);
  return time;
}

// `packed`: seconds and more above 24 bits of microseconds, in 64 bits.
inline CivilTime UnpackDatetime(int64_t packed) {
  CivilTime time = TimeOfDay(packed >> 24);
  const int64_t ymd = packed >> 41;
  time.year = static_cast<int>((ymd >> 5) / 13);
  time.month = static_cast<int>((ymd >> 5) % 13);
  time.day = static_cast<int>(ymd & 31);
  time.microsecond = static_cast<int>(packed & 0xffffff);
  return time;
}
// With its sign.
inline int64_t UnpackTime(int64_t packed) {
  const bool is_negative = packed < 0;
  const uint64_t size = is_negative ? ~static_cast<uint64_t>(packed) + 1 : static_cast<uint64_t>(packed);
  const uint64_t hms = size >> 24;
  const uint64_t seconds = ((hms >> 12 & 1023) * 60 + (hms >> 6 & 63)) * 60 + (hms & 63);
  const auto value = static_cast<int64_t>(seconds * 1'000'000 + (size & 0xffffff));
  return is_negative ? -value : value;
}

}  // namespace arrowcdc::mysql
