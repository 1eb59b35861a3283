// Readers of dates, times and intervals.
#include "pgtype/datetime.h"
#include "src/postgres/decode/values/datetime_text.h"
#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

ReadOutcome Outcome(DateTimeText parsed, std::string_view value, ReadContext* context) {
  switch (parsed) {
    case DateTimeText::kValue:
      return ReadOutcome::kValue;
    case DateTimeText::kNoForm:
      return ReadOutcome::kNoForm;
    case DateTimeText::kFault:
      break;
  }
  return context->Fault(value.data(), kWrongText);
}

class DateReader : public ReaderBase<DateReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(int32_t)) return context->Fault(value.data(), kWrongSize);
    int32_t days;
    return Appended(pgtype::DateToDays(LoadBigEndian<int32_t>(value.data()), &days) && column->Append(days));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    int32_t days;
    const ReadOutcome outcome = Outcome(ParseDate(value, &days), value, context);
    return outcome == ReadOutcome::kValue ? Appended(column->Append(days)) : outcome;
  }
};

class TimeReader : public ReaderBase<TimeReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(int64_t)) return context->Fault(value.data(), kWrongSize);
    const auto us = LoadBigEndian<int64_t>(value.data());
    return Appended(pgtype::IsTimeOfDay(us) && column->Append(us));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    int64_t us;
    const ReadOutcome outcome = Outcome(ParseTime(value, &us), value, context);
    return outcome == ReadOutcome::kValue ? Appended(column->Append(us)) : outcome;
  }
};

// struct<time, offset_s>
class TimeTzReader : public ReaderBase<TimeTzReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(int64_t) + sizeof(int32_t)) return context->Fault(value.data(), kWrongSize);
    const auto us = LoadBigEndian<int64_t>(value.data());
    const auto zone = LoadBigEndian<int32_t>(value.data() + sizeof(us));
    int32_t offset_s;  // PostgreSQL counts west of UTC
    if (__builtin_sub_overflow(0, zone, &offset_s))
      return context->Fault(value.data(), "an offset beyond a day");
    return pgtype::IsTimeOfDay(us) ? Append(us, offset_s, column) : ReadOutcome::kNoForm;
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    int64_t us;
    int32_t offset_s;
    const ReadOutcome outcome = Outcome(ParseTimeTz(value, &us, &offset_s), value, context);
    return outcome == ReadOutcome::kValue ? Append(us, offset_s, column) : outcome;
  }

 private:
  static ReadOutcome Append(int64_t us, int32_t offset_s, ColumnBuilder* column) {
    if (column->child(0)->Append(us) && column->child(1)->Append(offset_s) && column->EndStruct()) {
      return ReadOutcome::kValue;
    }
    column->Truncate(column->length());
    return ReadOutcome::kNoForm;
  }
};

class TimestampReader : public ReaderBase<TimestampReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(int64_t)) return context->Fault(value.data(), kWrongSize);
    int64_t us;
    return Appended(pgtype::TimestampToUs(LoadBigEndian<int64_t>(value.data()), &us) && column->Append(us));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    int64_t us;
    const ReadOutcome outcome = Outcome(ParseTimestamp(value, &us), value, context);
    return outcome == ReadOutcome::kValue ? Appended(column->Append(us)) : outcome;
  }
};

// month_day_nano
class IntervalReader : public ReaderBase<IntervalReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    IntervalParts parts;
    if (!cursor.Read(&parts.us) || !cursor.Read(&parts.days) || !cursor.Read(&parts.months) ||
        !cursor.AtEnd()) {
      return context->Fault(value.data(), kWrongSize);
    }
    return Append(parts, column);
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    IntervalParts parts;
    const ReadOutcome outcome = Outcome(ParseInterval(value, &parts), value, context);
    return outcome == ReadOutcome::kValue ? Append(parts, column) : outcome;
  }

 private:
  struct MonthDayNano {
    int32_t months;
    int32_t days;
    int64_t ns;
  };

  static ReadOutcome Append(const IntervalParts& parts, ColumnBuilder* column) {
    MonthDayNano value{parts.months, parts.days, 0};
    return Appended(pgtype::IntervalToNs(parts.us, &value.ns) && column->Append(value));
  }
};

}  // namespace

ReaderPointer MakeDateReader() { return std::make_unique<DateReader>(); }
ReaderPointer MakeTimeReader() { return std::make_unique<TimeReader>(); }
ReaderPointer MakeTimeTzReader() { return std::make_unique<TimeTzReader>(); }
ReaderPointer MakeTimestampReader() { return std::make_unique<TimestampReader>(); }
ReaderPointer MakeIntervalReader() { return std::make_unique<IntervalReader>(); }

}  // namespace arrowcdc
