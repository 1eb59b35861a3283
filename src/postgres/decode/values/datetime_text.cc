// A cursor over the text; every number is bounded before it is used.
#include "src/postgres/decode/values/datetime_text.h"

#include "pgtype/datetime.h"

namespace arrowcdc {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}

  bool AtEnd() const { return text_.empty(); }
  bool Take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool Take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  // At least `digits_min` digits, and at most `digits_max` (up to 18).
  bool TakeNumber(size_t digits_min, size_t digits_max, int64_t* number) {
    size_t count = 0;
    *number = 0;
    while (count < text_.size() && text_[count] >= '0' && text_[count] <= '9') {
      if (count == digits_max) return false;
      *number = *number * 10 + (text_[count++] - '0');
    }
    text_.remove_prefix(count);
    return count >= digits_min;
  }
  // One to six digits behind a point, as microseconds of a second; nothing where there is no point.
  bool TakeFraction(int64_t* us) {
    *us = 0;
    if (!Take('.')) return true;
    const size_t before = text_.size();
    if (!TakeNumber(1, 6, us)) return false;
    for (size_t digits = before - text_.size(); digits < 6; ++digits) *us *= 10;
    return true;
  }
  bool StartsWithSign() const { return text_.starts_with('+') || text_.starts_with('-'); }
  // As TakeNumber, and not above `max`.
  bool TakeBounded(size_t digits, int64_t max, int64_t* number) {
    return TakeNumber(digits, digits, number) && *number <= max;
  }

 private:
  std::string_view text_;
};

bool IsLeap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int64_t DaysInMonth(int64_t year, int64_t month) {
  constexpr int8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// Days since 1970-01-01 of the proleptic Gregorian calendar, year 0 being 1 BC. The year is taken to begin in
// March, so that the leap day is its last, and 400 years have the same number of days.
int64_t DaysSinceEpoch(int64_t year, int64_t month, int64_t day) {
  constexpr int64_t kDaysOf400Years = 146'097;
  constexpr int64_t kDaysTo1970 = 719'468;  // from 0000-03-01
  const int64_t shifted = month <= 2 ? year - 1 : year;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysOf400Years + day_of_era - kDaysTo1970;
}

struct Date {
  int64_t year;
  int64_t month;
  int64_t day;
};

bool TakeDate(TextCursor* cursor, Date* date) {
  return cursor->TakeNumber(4, 7, &date->year) && cursor->Take('-') &&
         cursor->TakeNumber(2, 2, &date->month) && cursor->Take('-') && cursor->TakeNumber(2, 2, &date->day);
}

// What may follow date and time, and the end.
bool TakeEra(TextCursor* cursor, Date* date) {
  if (cursor->Take(" BC")) date->year = 1 - date->year;
  return cursor->AtEnd() && date->month >= 1 && date->month <= 12 && date->day >= 1 &&
         date->day <= DaysInMonth(date->year, date->month);
}

// hh:mm:ss.ffffff, with as many digits of hours as an interval may have. What is more than 64 bits hold ends
// at the largest number, which has no form in nanoseconds either.
bool TakeTime(TextCursor* cursor, size_t hour_digits, int64_t* us) {
  int64_t hours;
  int64_t minutes;
  int64_t seconds;
  int64_t fraction;
  if (!cursor->TakeNumber(2, hour_digits, &hours) || !cursor->Take(':') ||
      !cursor->TakeBounded(2, 59, &minutes) || !cursor->Take(':') || !cursor->TakeBounded(2, 60, &seconds) ||
      !cursor->TakeFraction(&fraction)) {
    return false;
  }
  const int64_t rest = seconds * kSecondUs + fraction;
  if (__builtin_mul_overflow(hours * 60 + minutes, 60 * kSecondUs, us) ||
      __builtin_add_overflow(*us, rest, us)) {
    *us = INT64_MAX;
  }
  return true;
}

// +hh, +hh:mm or +hh:mm:ss.
bool TakeOffset(TextCursor* cursor, int64_t* seconds) {
  const bool west = cursor->Take('-');
  int64_t hours;
  int64_t minutes = 0;
  int64_t rest = 0;
  if ((!west && !cursor->Take('+')) || !cursor->TakeNumber(2, 2, &hours)) return false;
  if (cursor->Take(':')) {
    if (!cursor->TakeBounded(2, 59, &minutes)) return false;
    if (cursor->Take(':') && !cursor->TakeBounded(2, 59, &rest)) return false;
  }
  *seconds = (hours * 60 + minutes) * 60 + rest;
  if (west) *seconds = -*seconds;
  return true;
}

bool IsInfinity(std::string_view text) { return text == "infinity" || text == "-infinity"; }

DateTimeText TimeOfDay(int64_t us) {
  return pgtype::IsTimeOfDay(us) ? DateTimeText::kValue
         : us == pgtype::kDayUs  ? DateTimeText::kNoForm
                                 : DateTimeText::kFault;
}

}  // namespace

DateTimeText ParseDate(std::string_view text, int32_t* days) {
  if (IsInfinity(text)) return DateTimeText::kNoForm;
  TextCursor cursor(text);
  Date date;
  if (!TakeDate(&cursor, &date) || !TakeEra(&cursor, &date)) return DateTimeText::kFault;
  const int64_t count = DaysSinceEpoch(date.year, date.month, date.day);
  *days = static_cast<int32_t>(count);
  return *days == count ? DateTimeText::kValue : DateTimeText::kFault;
}

DateTimeText ParseTime(std::string_view text, int64_t* us) {
  TextCursor cursor(text);
  if (!TakeTime(&cursor, 2, us) || !cursor.AtEnd()) return DateTimeText::kFault;
  return TimeOfDay(*us);
}

DateTimeText ParseTimeTz(std::string_view text, int64_t* us, int32_t* offset_s) {
  TextCursor cursor(text);
  int64_t offset;
  if (!TakeTime(&cursor, 2, us) || !TakeOffset(&cursor, &offset) || !cursor.AtEnd()) {
    return DateTimeText::kFault;
  }
  *offset_s = static_cast<int32_t>(offset);
  return TimeOfDay(*us);
}

DateTimeText ParseTimestamp(std::string_view text, int64_t* us) {
  if (IsInfinity(text)) return DateTimeText::kNoForm;
  TextCursor cursor(text);
  Date date;
  int64_t time;
  int64_t offset = 0;
  if (!TakeDate(&cursor, &date) || !cursor.Take(' ') || !TakeTime(&cursor, 2, &time)) {
    return DateTimeText::kFault;
  }
  if (cursor.StartsWithSign() && !TakeOffset(&cursor, &offset)) return DateTimeText::kFault;
  if (!TakeEra(&cursor, &date)) return DateTimeText::kFault;
  const int64_t days = DaysSinceEpoch(date.year, date.month, date.day);
  const bool fits = !__builtin_mul_overflow(days, pgtype::kDayUs, us) &&
                    !__builtin_add_overflow(*us, time - offset * kSecondUs, us);
  return fits ? DateTimeText::kValue : DateTimeText::kNoForm;
}

DateTimeText ParseInterval(std::string_view text, IntervalParts* parts) {
  if (IsInfinity(text)) return DateTimeText::kNoForm;
  TextCursor cursor(text);
  int64_t months = 0;
  int64_t days = 0;
  parts->us = 0;
  // Parts with their unit, each with a sign of its own; then the time, or the end.
  for (bool first = true; !cursor.AtEnd(); first = false) {
    if (!first && !cursor.Take(' ')) return DateTimeText::kFault;
    TextCursor ahead = cursor;
    const bool negative = ahead.Take('-');
    if (!negative) ahead.Take('+');
    TextCursor of_time = ahead;
    int64_t number;
    if (!ahead.TakeNumber(1, 10, &number)) return DateTimeText::kFault;
    if (negative) number = -number;
    if (ahead.Take(" year")) {
      ahead.Take('s');
      months += 12 * number;
    } else if (ahead.Take(" mon")) {
      ahead.Take('s');
      months += number;
    } else if (ahead.Take(" day")) {
      ahead.Take('s');
      days += number;
    } else {
      if (!TakeTime(&of_time, 10, &parts->us) || !of_time.AtEnd()) return DateTimeText::kFault;
      if (negative) parts->us = -parts->us;
      ahead = of_time;
    }
    cursor = ahead;
  }
  parts->months = static_cast<int32_t>(months);
  parts->days = static_cast<int32_t>(days);
  const bool fits = !text.empty() && parts->months == months && parts->days == days;
  return fits ? DateTimeText::kValue : DateTimeText::kFault;
}

}  // namespace arrowcdc
