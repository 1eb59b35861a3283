// Readers of numeric and money. Both forms of numeric are brought to digits of base 10000, from which pgtype
// makes what the plugin makes of the stored form.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "pgtype/numeric.h"
#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

using pgtype::NumericKind;
using pgtype::NumericValue;

// Digits in the processor's order; in place for numbers as they are, decimal256 included.
class Digits {
 public:
  uint16_t* Allocate(size_t count, ReadContext::Scratch* scratch) {
    if (count <= in_place_.size()) return in_place_.data();
    (*scratch)->resize(count * sizeof(uint16_t));
    return reinterpret_cast<uint16_t*>((*scratch)->data());
  }

 private:
  std::array<uint16_t, 40> in_place_;
};

// numeric_send: how many digits, weight, sign, display scale, digits.
bool FromBinary(std::string_view bytes, Digits* digits, ReadContext::Scratch* scratch, NumericValue* value) {
  constexpr uint16_t kDisplayScaleMask = 0x3fff;
  *value = NumericValue{};
  BinaryCursor cursor(bytes);
  uint16_t count;
  int16_t weight;
  uint16_t sign;
  uint16_t display_scale;
  if (!cursor.Read(&count) || !cursor.Read(&weight) || !cursor.Read(&sign) || !cursor.Read(&display_scale) ||
      cursor.left() != 2 * static_cast<int64_t>(count) || (display_scale & ~kDisplayScaleMask) != 0) {
    return false;
  }
  switch (sign) {
    case 0x0000:
    case 0x4000:
      value->kind = NumericKind::kFinite;
      break;
    case 0xc000:
      value->kind = NumericKind::kNan;
      return true;
    case 0xd000:
      value->kind = NumericKind::kInfinity;
      return true;
    case 0xf000:
      value->kind = NumericKind::kMinusInfinity;
      return true;
    default:
      return false;
  }
  value->negative = sign != 0;
  value->weight = weight;
  value->display_scale = display_scale;
  value->digit_count = count;
  uint16_t* const out = digits->Allocate(count, scratch);
  value->digits = reinterpret_cast<const uint8_t*>(out);
  for (uint16_t i = 0; i < count; ++i) {
    out[i] = LoadBigEndian<uint16_t>(cursor.at() + 2 * static_cast<size_t>(i));
    if (out[i] > 9999) return false;
  }
  return true;
}

bool IsDigits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

// Groups of four, the first filled up in front, the last behind; `text` holds decimal digits.
uint16_t* PutGroups(std::string_view text, size_t missing_in_front, uint16_t* out) {
  unsigned group = 0;
  size_t in_group = missing_in_front;
  for (const char c : text) {
    group = group * 10 + static_cast<unsigned>(c - '0');
    if (++in_group < 4) continue;
    *out++ = static_cast<uint16_t>(group);
    group = 0;
    in_group = 0;
  }
  if (in_group > 0) {
    for (; in_group < 4; ++in_group) group *= 10;
    *out++ = static_cast<uint16_t>(group);
  }
  return out;
}

// numeric_out never writes an exponent.
bool FromText(std::string_view text, Digits* digits, ReadContext::Scratch* scratch, NumericValue* value) {
  constexpr size_t kPartMax = 131072;  // what numeric has in front of the point, and more than behind it
  *value = NumericValue{};
  value->kind = text == "NaN"         ? NumericKind::kNan
                : text == "Infinity"  ? NumericKind::kInfinity
                : text == "-Infinity" ? NumericKind::kMinusInfinity
                                      : NumericKind::kFinite;
  if (value->kind != NumericKind::kFinite) return true;
  value->negative = text.starts_with('-');
  if (value->negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view integer = text.substr(0, point);
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (integer.empty() || integer.size() > kPartMax || fraction.size() > kPartMax || !IsDigits(integer) ||
      !IsDigits(fraction)) {
    return false;
  }
  const size_t groups = (integer.size() + 3) / 4;
  const size_t count = groups + (fraction.size() + 3) / 4;
  uint16_t* const out = digits->Allocate(count, scratch);
  PutGroups(fraction, 0, PutGroups(integer, 4 * groups - integer.size(), out));
  value->weight = static_cast<int32_t>(groups) - 1;
  value->display_scale = static_cast<int32_t>(fraction.size());
  value->digit_count = static_cast<int32_t>(count);
  value->digits = reinterpret_cast<const uint8_t*>(out);
  return true;
}

class DecimalReader : public ReaderBase<DecimalReader> {
 public:
  DecimalReader(int32_t precision, int32_t scale) : precision_(precision), scale_(scale) {}

  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    Digits digits;
    ReadContext::Scratch scratch(context);
    NumericValue number;
    if (!FromBinary(value, &digits, &scratch, &number)) return context->Fault(value.data(), kNoNumeric);
    return Append(number, column);
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    Digits digits;
    ReadContext::Scratch scratch(context);
    NumericValue number;
    if (!FromText(value, &digits, &scratch, &number)) return context->Fault(value.data(), kWrongText);
    return Append(number, column);
  }

  static constexpr char kNoNumeric[] = "bytes that are no numeric";

 private:
  ReadOutcome Append(const NumericValue& number, ColumnBuilder* column) const {
    uint8_t integer[32];
    const bool fits = column->width() == 16
                          ? pgtype::NumericToDecimal128(number, precision_, scale_, integer)
                          : pgtype::NumericToDecimal256(number, precision_, scale_, integer);
    return Appended(fits && column->AppendFixed(integer));
  }

  int32_t precision_;
  int32_t scale_;
};

class NumericTextReader : public ReaderBase<NumericTextReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    Digits digits;
    ReadContext::Scratch scratch(context);
    NumericValue number;
    if (!FromBinary(value, &digits, &scratch, &number)) {
      return context->Fault(value.data(), DecimalReader::kNoNumeric);
    }
    char* const room = column->Room(static_cast<int64_t>(pgtype::NumericTextBytesMax(number)));
    return Appended(room != nullptr &&
                    column->EndBytes(static_cast<int64_t>(pgtype::NumericToText(number, room))));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext*) const {
    return AppendText(value, column);
  }
};

// A number too large for a double has no form; Infinity is one itself.
class NumericDoubleReader : public ReaderBase<NumericDoubleReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    Digits digits;
    ReadContext::Scratch scratch(context);
    NumericValue number;
    if (!FromBinary(value, &digits, &scratch, &number)) {
      return context->Fault(value.data(), DecimalReader::kNoNumeric);
    }
    ReadContext::Scratch text(context);
    text->resize(pgtype::NumericTextBytesMax(number));
    text->resize(pgtype::NumericToText(number, text->data()));
    return Append(number.kind, *text, column);
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    Digits digits;
    ReadContext::Scratch scratch(context);
    NumericValue number;
    if (!FromText(value, &digits, &scratch, &number)) return context->Fault(value.data(), kWrongText);
    ReadContext::Scratch text(context);
    text->assign(value);
    return Append(number.kind, *text, column);
  }

 private:
  static ReadOutcome Append(NumericKind kind, const std::string& text, ColumnBuilder* column) {
    const double nearest = strtod(text.c_str(), nullptr);
    const bool fits = kind != NumericKind::kFinite || !std::isinf(nearest);
    return Appended(fits && column->Append(nearest));
  }
};

class MoneyReader : public ReaderBase<MoneyReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(int64_t)) return context->Fault(value.data(), kWrongSize);
    return Append(LoadBigEndian<int64_t>(value.data()), column);
  }

  // Sign, currency, digits in groups: what is written depends on lc_monetary, its digits do not.
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    char digits[32];
    size_t count = 0;
    const bool negative = value.find_first_of("-(") != std::string_view::npos;
    if (negative) digits[count++] = '-';
    for (const char c : value) {
      if (c < '0' || c > '9') continue;
      if (count == sizeof(digits)) return context->Fault(value.data(), kWrongText);
      digits[count++] = c;
    }
    int64_t amount;
    const auto [end, error] = std::from_chars(digits, digits + count, amount);
    if (error != std::errc() || end != digits + count) return context->Fault(value.data(), kWrongText);
    return Append(amount, column);
  }

 private:
  static ReadOutcome Append(int64_t amount, ColumnBuilder* column) {
    const struct {
      int64_t low;
      int64_t high;
    } extended{amount, amount < 0 ? -1 : 0};
    return Appended(column->Append(extended));
  }
};

}  // namespace

ReaderPointer MakeDecimalReader(int32_t precision, int32_t scale) {
  return std::make_unique<DecimalReader>(precision, scale);
}
ReaderPointer MakeNumericTextReader() { return std::make_unique<NumericTextReader>(); }
ReaderPointer MakeNumericDoubleReader() { return std::make_unique<NumericDoubleReader>(); }
ReaderPointer MakeMoneyReader() { return std::make_unique<MoneyReader>(); }

}  // namespace arrowcdc
