// Dates and times of row images. What is no date of the calendar has no Arrow form.
#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/temporal.h"

namespace arrowcdc::mysql {
namespace {

int FractionBytes(int decimals) { return (decimals + 1) / 2; }

// Microseconds that 0 to 3 bytes behind a time say.
int64_t Microseconds(const uint8_t* at, int bytes) {
  static constexpr int64_t kUnits[] = {0, 10'000, 100, 1};
  return static_cast<int64_t>(LoadBig(at, bytes)) * kUnits[bytes];
}

const uint8_t* AppendText(const std::string& text, const uint8_t* next, ColumnBuilder* column) {
  column->AppendBytes(text.data(), static_cast<int64_t>(text.size()));
  return next;
}

const uint8_t* AppendDatetime(const ColumnStep& step, const CivilTime& time, const uint8_t* next,
                              RowInput* input, ColumnBuilder* column) {
  if (step.as_text) return AppendText(DatetimeText(time, step.decimals), next, column);
  const auto value = MicrosecondsOf(time);
  if (!value.has_value()) return input->NoForm(next);
  column->Append(*value);
  return next;
}

const uint8_t* AppendTimestamp(const ColumnStep& step, uint64_t seconds, int64_t microseconds,
                               const uint8_t* next, RowInput* input, ColumnBuilder* column) {
  if (step.as_text)
    return AppendText(DatetimeText(CivilOf(seconds, microseconds), step.decimals), next, column);
  if (seconds == 0) return input->NoForm(next);  // 0000-00-00 00:00:00
  column->Append(static_cast<int64_t>(seconds) * 1'000'000 + microseconds);
  return next;
}

}  // namespace

const uint8_t* ReadDate(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  if (!input->Has(at, 3)) return input->Fault(kCutOff);
  const auto bits = static_cast<int>(LoadLittle<3>(at));
  const CivilTime date{bits >> 9, bits >> 5 & 15, bits & 31, 0, 0, 0, 0};
  if (step.as_text) return AppendText(DateText(date), at + 3, column);
  const auto days = DaysOf(date.year, date.month, date.day);
  if (!days.has_value()) return input->NoForm(at + 3);
  column->Append(*days);
  return at + 3;
}

const uint8_t* ReadTime(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                        ColumnBuilder* column) {
  if (!input->Has(at, 3)) return input->Fault(kCutOff);
  const int64_t digits = static_cast<int64_t>(LoadLittle<3>(at) ^ 0x800000) - 0x800000;  // -HHHMMSS
  const int64_t size = digits < 0 ? -digits : digits;
  const int64_t seconds = (size / 10'000 * 60 + size / 100 % 100) * 60 + size % 100;
  column->Append((digits < 0 ? -seconds : seconds) * 1'000'000);
  return at + 3;
}

const uint8_t* ReadDatetime(const ColumnStep& step, const uint8_t* at, RowInput* input,
                            ColumnBuilder* column) {
  if (!input->Has(at, 8)) return input->Fault(kCutOff);
  const uint64_t digits = LoadLittle<8>(at);  // YYYYMMDDHHMMSS
  if (digits > 99'991'231'235'959) return input->NoForm(at + 8);
  const auto two = [digits](uint64_t unit) { return static_cast<int>(digits / unit % 100); };
  const CivilTime time{static_cast<int>(digits / 10'000'000'000),
                       two(100'000'000),
                       two(1'000'000),
                       two(10'000),
                       two(100),
                       two(1),
                       0};
  return AppendDatetime(step, time, at + 8, input, column);
}

const uint8_t* ReadTimestamp(const ColumnStep& step, const uint8_t* at, RowInput* input,
                             ColumnBuilder* column) {
  if (!input->Has(at, 4)) return input->Fault(kCutOff);
  return AppendTimestamp(step, LoadLittle<4>(at), 0, at + 4, input, column);
}

// A fraction counts forwards also from a negative whole: -00:00:00.5 is -1 and a half.
const uint8_t* ReadTime2(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  static constexpr int64_t kUnits[] = {0, 10'000, 100, 1};
  const int bytes = FractionBytes(step.decimals);
  if (!input->Has(at, 3 + static_cast<uint64_t>(bytes))) return input->Fault(kCutOff);
  int64_t whole = static_cast<int64_t>(LoadBig<3>(at)) - 0x800000;
  auto fraction = static_cast<int64_t>(LoadBig(at + 3, bytes));
  if (whole < 0 && fraction != 0) {
    ++whole;
    fraction -= int64_t{1} << (8 * bytes);
  }
  column->Append(UnpackTime(whole * (int64_t{1} << 24) + fraction * kUnits[bytes]));
  return at + 3 + bytes;
}

const uint8_t* ReadDatetime2(const ColumnStep& step, const uint8_t* at, RowInput* input,
                             ColumnBuilder* column) {
  const int bytes = FractionBytes(step.decimals);
  if (!input->Has(at, 5 + static_cast<uint64_t>(bytes))) return input->Fault(kCutOff);
  const uint8_t* const next = at + 5 + bytes;
  const int64_t whole = static_cast<int64_t>(LoadBig<5>(at)) - 0x8000000000;
  const int64_t fraction = Microseconds(at + 5, bytes);
  if (whole < 0 || fraction > 999'999) return input->NoForm(next);
  if (step.as_text) return AppendDatetime(step, UnpackDatetime(whole << 24 | fraction), next, input, column);
  const int64_t date = whole >> 17;
  if (date != input->date) {
    const CivilTime time = UnpackDatetime(whole << 24);
    const auto days = DaysOf(time.year, time.month, time.day);
    if (!days.has_value()) return input->NoForm(next);
    input->date = date;
    input->date_microseconds = *days * kMicrosecondsADay;
  }
  const CivilTime time = TimeOfDay(whole);
  const auto of_day = MicrosecondsOfDay(time);
  if (!of_day.has_value()) return input->NoForm(next);
  column->Append(input->date_microseconds + *of_day + fraction);
  return next;
}

const uint8_t* ReadTimestamp2(const ColumnStep& step, const uint8_t* at, RowInput* input,
                              ColumnBuilder* column) {
  const int bytes = FractionBytes(step.decimals);
  if (!input->Has(at, 4 + static_cast<uint64_t>(bytes))) return input->Fault(kCutOff);
  const uint8_t* const next = at + 4 + bytes;
  const int64_t fraction = Microseconds(at + 4, bytes);
  if (fraction > 999'999) return input->NoForm(next);
  return AppendTimestamp(step, LoadBig<4>(at), fraction, next, input, column);
}

}  // namespace arrowcdc::mysql
