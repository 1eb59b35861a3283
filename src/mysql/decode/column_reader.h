// Values of a row image, one reader a type: they append to the column, and say where the next value begins.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/change/column_builder.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/charset.h"

namespace arrowcdc::mysql {

// Where values are read from, and what was met where a reader has returned null.
struct RowInput {
  const uint8_t* end = nullptr;
  const uint8_t* behind = nullptr;  // of a value without an Arrow form: the next; null: the bytes are unsound
  const char* fault = "";
  std::string scratch = {};
  // Of the last DATETIME that was read, since rows often have one of the same day: its date as it is packed,
  // and in microseconds.
  int64_t date = -1;
  int64_t date_microseconds = 0;

  const uint8_t* Fault(const char* what) {
    behind = nullptr;
    fault = what;
    return nullptr;
  }
  // The value ends at `next`, and has no Arrow form.
  const uint8_t* NoForm(const uint8_t* next) {
    behind = next;
    return nullptr;
  }
  bool Has(const uint8_t* at, uint64_t size) const { return static_cast<uint64_t>(end - at) >= size; }
};

struct ColumnStep;

// Reads the value at `at`, appends it, and returns the place behind it; null: see RowInput, nothing was
// appended. A value that the column has no room for is not appended either: the batch builder says so.
using ReadValue = const uint8_t* (*)(const ColumnStep& step, const uint8_t* at, RowInput* input,
                                     ColumnBuilder* column);

// How the values of one column are read.
struct ColumnStep {
  ReadValue read = nullptr;
  uint8_t size = 0;      // bytes of the value, or of the length in front of it
  uint8_t decimals = 0;  // of a second
  bool as_text = false;  // dates and timestamps
  uint16_t width = 0;    // BINARY(n): what it is padded to
  uint8_t groups = 0;    // DECIMAL: how many, and the digits of each
  uint8_t digits[10] = {};
  bool in_64_bits = false;               // DECIMAL: all its digits are
  const Charset* charset = nullptr;      // of text that is not UTF-8
  std::vector<std::string> labels = {};  // ENUM, SET; in UTF-8
};

// DECIMAL(precision, scale): the groups of digits that it is stored in, and their bytes.
void SetDecimalLayout(int precision, int scale, ColumnStep* step);

// The bytes of a value with its length in front. False: they are not all there.
inline bool TakePrefixed(const ColumnStep& step, const uint8_t* at, const RowInput& input,
                         std::span<const uint8_t>* value) {
  if (!input.Has(at, step.size)) return false;
  const uint64_t size = LoadLittle(at, step.size);
  at += step.size;
  if (!input.Has(at, size)) return false;
  *value = {at, static_cast<size_t>(size)};
  return true;
}

inline constexpr char kCutOff[] = "a value goes over the end of the event";

// Numbers: ReadNumber<stored bytes, Arrow's type> and others.
ReadValue IntegerReader(int bytes, bool is_unsigned);
const uint8_t* ReadFloat(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadDouble(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadDecimal128(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadDecimal256(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadBit(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadYear(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);

// Times; those without a 2 are of tables from before MySQL 5.6.
const uint8_t* ReadDate(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadTime(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadDatetime(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadTimestamp(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadTime2(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadDatetime2(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadTimestamp2(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);

// Bytes and text.
const uint8_t* ReadUtf8(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadConverted(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadBytes(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadPaddedBytes(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadEnum(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadSet(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadJson(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadGeometry(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);
const uint8_t* ReadVector(const ColumnStep&, const uint8_t*, RowInput*, ColumnBuilder*);

}  // namespace arrowcdc::mysql
