// Dates, times and intervals as PostgreSQL writes them with DateStyle ISO and IntervalStyle postgres.
#pragma once

#include <cstdint>
#include <string_view>

namespace arrowcdc {

enum class DateTimeText : uint8_t {
  kValue,
  kNoForm,  // an infinity, or beyond Arrow's range
  kFault,
};

// Days since 1970-01-01.
DateTimeText ParseDate(std::string_view text, int32_t* days);
// Microseconds since midnight.
DateTimeText ParseTime(std::string_view text, int64_t* us);
// The offset counts east of UTC.
DateTimeText ParseTimeTz(std::string_view text, int64_t* us, int32_t* offset_s);
// Microseconds since 1970-01-01, of UTC where the text names an offset.
DateTimeText ParseTimestamp(std::string_view text, int64_t* us);

struct IntervalParts {
  int32_t months;
  int32_t days;
  int64_t us;
};
DateTimeText ParseInterval(std::string_view text, IntervalParts* parts);

}  // namespace arrowcdc
