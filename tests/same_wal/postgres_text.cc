#include "tests/same_wal/postgres_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>

namespace arrowcdc::test {
namespace {

using std::string;
using std::string_view;
using std::to_string;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;

string Format(const char* format, auto... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

// .5 of 500000 microseconds.
string Fraction(int64_t micros) {
  if (micros == 0) return "";
  string text = Format(".%06d", static_cast<int>(micros));
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

string TimeText(int64_t micros) {
  const int64_t seconds = micros / kSecond;
  return Format("%02ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60) +
         Fraction(micros % kSecond);
}

struct DateParts {
  string text;  // without the era
  bool before_christ = false;
};

// Days since 1970-01-01, by the proleptic Gregorian calendar in eras of 400 years from a first of March.
DateParts DateText(int64_t days) {
  const int64_t shifted = days + 719'468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const int64_t of_era = shifted - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * of_year + 2) / 153;
  const int64_t day = of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return {Format("%04ld-%02ld-%02ld", year > 0 ? year : 1 - year, month, day), year <= 0};
}

string DateOnly(int64_t days) {
  const DateParts date = DateText(days);
  return date.text + (date.before_christ ? " BC" : "");
}

string TimestampText(int64_t micros, bool utc) {
  const int64_t days = micros / kDay - (micros % kDay < 0 ? 1 : 0);
  const DateParts date = DateText(days);
  return date.text + " " + TimeText(micros - days * kDay) + (utc ? "+00" : "") +
         (date.before_christ ? " BC" : "");
}

string OffsetText(int32_t seconds) {
  const int32_t size = std::abs(seconds);
  string text = (seconds < 0 ? "-" : "+") + Format("%02d", size / 3600);
  if (size % 3600 != 0) text += Format(":%02d", size / 60 % 60);
  if (size % 60 != 0) text += Format(":%02d", size % 60);
  return text;
}

string IntervalText(const arrow::MonthDayNanoIntervalType::MonthDayNanos& value) {
  string text;
  bool before = false;
  const auto part = [&](int32_t number, const char* unit) {
    if (number == 0) return;
    text += (text.empty() ? "" : " ") + string(before && number > 0 ? "+" : "") + to_string(number) + " " +
            unit + (number != 1 ? "s" : "");
    before = number < 0;
  };
  part(value.months / 12, "year");
  part(value.months % 12, "mon");
  part(value.days, "day");
  const int64_t micros = value.nanoseconds / 1000;
  if (micros == 0 && !text.empty()) return text;
  return text + (text.empty() ? "" : " ") +
         (micros < 0 ? "-"
          : before   ? "+"
                     : "") +
         TimeText(std::abs(micros));
}

// Digits as the server has them, with an exponent outside of 1e-4 to 1e15 (1e6 in single precision).
template <typename T>
string FloatText(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                 std::chars_format::scientific);
  const string_view text(buffer.data(), static_cast<size_t>(end.ptr - buffer.data()));
  const size_t e = text.find('e');
  string digits(text.substr(0, e));
  std::erase(digits, '.');
  const int exponent = std::atoi(string(text.substr(e + 1)).c_str());
  const int count = static_cast<int>(digits.size());
  string shown;
  if (exponent < -4 || exponent >= (sizeof(T) == 4 ? 6 : 15)) {
    shown = digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "") +
            Format("e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    shown = "0." + string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else if (count <= exponent + 1) {
    shown = digits + string(static_cast<size_t>(exponent + 1 - count), '0');
  } else {
    shown = digits.substr(0, static_cast<size_t>(exponent + 1)) + "." +
            digits.substr(static_cast<size_t>(exponent + 1));
  }
  return (value < 0 ? "-" : "") + shown;
}

// An integer of so many decimal places.
string DecimalText(string digits, int32_t scale) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  if (scale < 0) {
    if (digits != "0") digits += string(static_cast<size_t>(-scale), '0');
  } else if (scale > 0) {
    const auto places = static_cast<size_t>(scale);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, ".");
  }
  return (negative ? "-" : "") + digits;
}

// In the C locale.
string MoneyText(string digits) {
  digits = DecimalText(std::move(digits), 2);
  const bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  for (size_t place = digits.size() - 3; place > 3; place -= 3) digits.insert(place - 3, ",");
  return (negative ? "-$" : "$") + digits;
}

string Hex(string_view bytes) {
  string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

string UuidText(string_view bytes) {
  string text = Hex(bytes);
  for (const size_t place : {20, 16, 12, 8}) text.insert(place, "-");
  return text;
}

string LsnText(uint64_t lsn) {
  return Format("%X/%X", static_cast<unsigned>(lsn >> 32), static_cast<unsigned>(lsn));
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool ContainsAny(const string& text, string_view specials) {
  return std::any_of(text.begin(), text.end(),
                     [&](char c) { return IsSpace(c) || specials.find(c) != string_view::npos; });
}

// In double quotes, with those and backslashes behind `escape` (0: doubled).
string InQuotes(const string& text, char escape) {
  string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += escape == 0 ? c : escape;
    quoted += c;
  }
  return quoted + '"';
}

string ArrayElement(const string& text) {
  string upper = text;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text.empty() || upper == "NULL" || ContainsAny(text, "\"\\{},") ? InQuotes(text, '\\') : text;
}

string Part(const string& text, string_view specials) {
  return text.empty() || ContainsAny(text, specials) ? InQuotes(text, 0) : text;
}

string_view ElementType(string_view type) {
  if (type.ends_with("[]")) return type.substr(0, type.size() - 2);
  return type.starts_with('_') ? type.substr(1) : type;
}

string ListText(const arrow::Array& values, bool multirange, string_view type) {
  string text = "{";
  for (int64_t i = 0; i < values.length(); ++i) {
    if (i != 0) text += ',';
    if (values.IsNull(i)) {
      text += "NULL";
    } else {
      const string element = PostgresText(values, i, type);
      text += multirange ? element : ArrayElement(element);
    }
  }
  return text + "}";
}

string RangeText(const arrow::StructArray& column, int64_t row) {
  const auto flag = [&](int field) {
    return static_cast<const arrow::BooleanArray&>(*column.field(field)).Value(row);
  };
  if (flag(4)) return "empty";
  const auto bound = [&](int field) {
    if (column.field(field)->IsNull(row)) return string();
    return Part(PostgresText(*column.field(field), row, ""), "\"\\()[],");
  };
  return (flag(2) ? "[" : "(") + bound(0) + "," + bound(1) + (flag(3) ? "]" : ")");
}

string StructText(const arrow::StructArray& column, int64_t row) {
  const auto& type = *column.struct_type();
  if (type.num_fields() == 2 && type.field(1)->name() == "offset_s") {
    const auto& time = static_cast<const arrow::Time64Array&>(*column.field(0));
    const auto& offset = static_cast<const arrow::Int32Array&>(*column.field(1));
    return TimeText(time.Value(row)) + OffsetText(offset.Value(row));
  }
  if (type.num_fields() == 5 && type.field(4)->name() == "empty") return RangeText(column, row);
  string text = "(";
  for (int i = 0; i < type.num_fields(); ++i) {
    if (i != 0) text += ',';
    if (!column.field(i)->IsNull(row)) text += Part(PostgresText(*column.field(i), row, ""), "\"\\(),");
  }
  return text + ")";
}

string HstoreText(const arrow::MapArray& column, int64_t row) {
  const auto& keys = static_cast<const arrow::StringArray&>(*column.keys());
  const auto& items = static_cast<const arrow::StringArray&>(*column.items());
  string text;
  for (int64_t i = column.value_offset(row); i < column.value_offset(row + 1); ++i) {
    text += (text.empty() ? "" : ", ") + InQuotes(string(keys.GetView(i)), '\\') + "=>" +
            (items.IsNull(i) ? "NULL" : InQuotes(string(items.GetView(i)), '\\'));
  }
  return text;
}

template <typename ArrayType>
auto At(const arrow::Array& column, int64_t row) {
  return static_cast<const ArrayType&>(column).Value(row);
}

template <typename Decimal, typename ArrayType>
string DecimalOf(const arrow::Array& column, int64_t row, string_view type) {
  const auto& array = static_cast<const ArrayType&>(column);
  string digits = Decimal(array.GetValue(row)).ToIntegerString();
  if (type == "money") return MoneyText(std::move(digits));
  return DecimalText(std::move(digits), static_cast<const arrow::DecimalType&>(*column.type()).scale());
}

bool Contains(string_view text, string_view part) { return text.find(part) != string_view::npos; }

// The last that fits is 2562047:47:16.854775.
bool IntervalFits(string_view text) {
  const size_t colon = text.find(':');
  if (colon == string_view::npos) return true;
  const size_t space = text.rfind(' ', colon);
  string time(text.substr(space == string_view::npos ? 0 : space + 1));
  if (time.starts_with('-') || time.starts_with('+')) time.erase(0, 1);
  const string_view last = "2562047:47:16.854775";
  const size_t hours = time.find(':');
  if (hours != 7) return hours < 7;
  return time <= last;
}

// What a part of that type never is in an Arrow column, anywhere in a text.
bool PartFits(const arrow::DataType& type, string_view text) {
  switch (type.id()) {
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return !Contains(text, "NaN") && !Contains(text, "Infinity");
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP:
      return !Contains(text, "infinity");
    default:
      return true;
  }
}

}  // namespace

string PostgresText(const arrow::Array& column, int64_t row, string_view type) {
  switch (column.type_id()) {
    case arrow::Type::EXTENSION:
      return PostgresText(*static_cast<const arrow::ExtensionArray&>(column).storage(), row, type);
    case arrow::Type::BOOL:
      return At<arrow::BooleanArray>(column, row) ? "t" : "f";
    case arrow::Type::UINT8:
      return {static_cast<char>(At<arrow::UInt8Array>(column, row))};
    case arrow::Type::INT16:
      return to_string(At<arrow::Int16Array>(column, row));
    case arrow::Type::INT32:
      return to_string(At<arrow::Int32Array>(column, row));
    case arrow::Type::INT64:
      return to_string(At<arrow::Int64Array>(column, row));
    case arrow::Type::UINT32:
      return to_string(At<arrow::UInt32Array>(column, row));
    case arrow::Type::UINT64: {
      const uint64_t value = At<arrow::UInt64Array>(column, row);
      return type == "pg_lsn" ? LsnText(value) : to_string(value);
    }
    case arrow::Type::FLOAT:
      return FloatText(At<arrow::FloatArray>(column, row));
    case arrow::Type::DOUBLE:
      return FloatText(At<arrow::DoubleArray>(column, row));
    case arrow::Type::DECIMAL128:
      return DecimalOf<arrow::Decimal128, arrow::Decimal128Array>(column, row, type);
    case arrow::Type::DECIMAL256:
      return DecimalOf<arrow::Decimal256, arrow::Decimal256Array>(column, row, type);
    case arrow::Type::STRING:
      return string(static_cast<const arrow::StringArray&>(column).GetView(row));
    case arrow::Type::BINARY:
      return "\\x" + Hex(static_cast<const arrow::BinaryArray&>(column).GetView(row));
    case arrow::Type::FIXED_SIZE_BINARY:
      return UuidText(static_cast<const arrow::FixedSizeBinaryArray&>(column).GetView(row));
    case arrow::Type::DATE32:
      return DateOnly(At<arrow::Date32Array>(column, row));
    case arrow::Type::TIME64:
      return TimeText(At<arrow::Time64Array>(column, row));
    case arrow::Type::TIMESTAMP:
      return TimestampText(At<arrow::TimestampArray>(column, row),
                           !static_cast<const arrow::TimestampType&>(*column.type()).timezone().empty());
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      return IntervalText(static_cast<const arrow::MonthDayNanoIntervalArray&>(column).GetValue(row));
    case arrow::Type::LIST: {
      const auto values = static_cast<const arrow::ListArray&>(column).value_slice(row);
      return ListText(*values, type.ends_with("multirange"), ElementType(type));
    }
    case arrow::Type::STRUCT:
      return StructText(static_cast<const arrow::StructArray&>(column), row);
    case arrow::Type::MAP:
      return HstoreText(static_cast<const arrow::MapArray&>(column), row);
    default:
      return "no text for " + column.type()->ToString();
  }
}

bool HasArrowForm(const arrow::DataType& arrow_type, string_view text) {
  switch (arrow_type.id()) {
    case arrow::Type::LIST:
      // Bounds of its own, or a dimension more. The elements here that are text are never like a number.
      if (text.starts_with('[') || text.starts_with("{{")) return false;
      return HasArrowForm(*arrow_type.field(0)->type(), text);
    case arrow::Type::STRUCT:
      if (arrow_type.field(arrow_type.num_fields() - 1)->name() == "offset_s")
        return !text.starts_with("24:");
      return std::all_of(arrow_type.fields().begin(), arrow_type.fields().end(),
                         [&](const auto& field) { return PartFits(*field->type(), text); });
    case arrow::Type::TIME64:
      return !text.starts_with("24:");
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      return IntervalFits(text);
    case arrow::Type::TIMESTAMP: {
      const size_t year_digits = text.find_first_not_of("0123456789");
      if (year_digits == 6 && !text.ends_with("BC") && text.substr(0, 28) > "294247-01-10 04:00:54.775807")
        return false;
      return PartFits(arrow_type, text);
    }
    default:
      return PartFits(arrow_type, text);
  }
}

}  // namespace arrowcdc::test
