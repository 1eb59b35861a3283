#include "tests/mysql/value_text.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iconv.h>
#include <map>
#include <string_view>

#include <arrow/array/array_decimal.h>
#include <arrow/array/array_nested.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>

namespace arrowcdc::mysql::test {
namespace {

constexpr int64_t kMicros = 1'000'000;

template <typename... Args>
std::string Format(const char* format, Args... args) {
  char text[160];
  const int size = std::snprintf(text, sizeof text, format, args...);
  return {text, static_cast<size_t>(size)};
}

// "TIME(3)" -> 3
int InParentheses(const std::string& type) {
  const size_t at = type.find('(');
  return at == std::string::npos ? 0 : std::atoi(type.c_str() + at + 1);
}

std::string Fraction(int64_t micros, int decimals) {
  if (decimals == 0) return "";
  return "." + Format("%06lld", static_cast<long long>(micros)).substr(0, static_cast<size_t>(decimals));
}

// Of days since 1970, by the algorithm of Howard Hinnant's "chrono-compatible date algorithms".
std::string DateText(int64_t days, char separator) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;
  const auto y = static_cast<int>(year_of_era + era * 400 + (month >= 10 ? 1 : 0));
  return Format("%04d%c%02d%c%02d", y, separator, static_cast<int>(month < 10 ? month + 3 : month - 9),
                separator, static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1));
}

std::string TimestampText(int64_t micros, int decimals) {
  constexpr int64_t kDay = 86'400 * kMicros;
  const int64_t days = micros >= 0 ? micros / kDay : -((-micros + kDay - 1) / kDay);
  const int64_t rest = micros - days * kDay;
  const auto seconds = static_cast<int>(rest / kMicros);
  return DateText(days, '-') + Format(" %02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60) +
         Fraction(rest % kMicros, decimals);
}

std::string TimeText(int64_t micros, int decimals) {
  const int64_t size = micros < 0 ? -micros : micros;
  const auto seconds = static_cast<int>(size / kMicros);
  return (micros < 0 ? "-" : "") + Format("%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60) +
         Fraction(size % kMicros, decimals);
}

std::string DecimalText(std::string digits, int scale) {
  const bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  const auto places = static_cast<size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  if (scale > 0) digits.insert(digits.size() - places, ".");
  return (negative ? "-" : "") + digits;
}

std::string Decimal(const arrow::Array& array, int64_t row) {
  const int scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
  if (array.type_id() == arrow::Type::DECIMAL128) {
    const auto& values = static_cast<const arrow::Decimal128Array&>(array);
    return DecimalText(arrow::Decimal128(values.GetValue(row)).ToIntegerString(), scale);
  }
  const auto& values = static_cast<const arrow::Decimal256Array&>(array);
  return DecimalText(arrow::Decimal256(values.GetValue(row)).ToIntegerString(), scale);
}

uint64_t Integer(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::INT8:
      return static_cast<uint64_t>(int64_t{static_cast<const arrow::Int8Array&>(array).Value(row)});
    case arrow::Type::INT16:
      return static_cast<uint64_t>(int64_t{static_cast<const arrow::Int16Array&>(array).Value(row)});
    case arrow::Type::INT32:
      return static_cast<uint64_t>(int64_t{static_cast<const arrow::Int32Array&>(array).Value(row)});
    case arrow::Type::INT64:
      return static_cast<uint64_t>(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::UINT8:
      return static_cast<const arrow::UInt8Array&>(array).Value(row);
    case arrow::Type::UINT16:
      return static_cast<const arrow::UInt16Array&>(array).Value(row);
    case arrow::Type::UINT32:
      return static_cast<const arrow::UInt32Array&>(array).Value(row);
    default:
      return static_cast<const arrow::UInt64Array&>(array).Value(row);
  }
}

std::string Bits(uint64_t value, int count) {
  std::string text = "b'";
  for (int bit = count - 1; bit >= 0; --bit) text += (value >> bit & 1) != 0 ? '1' : '0';
  return text + "'";
}

// mysqlbinlog takes all integers for signed, and adds what they are without a sign where that differs.
std::string PrintedInteger(uint64_t value, const std::string& type) {
  if (type == "YEAR") return Format("%04d", value == 0 ? 1900 : static_cast<int>(value));
  if (type.starts_with("BIT(")) return Bits(value, InParentheses(type));
  static const std::map<std::string, int> kBits = {
      {"TINYINT", 8}, {"SMALLINT", 16}, {"MEDIUMINT", 24}, {"INT", 32}, {"BIGINT", 64}};
  const auto found = kBits.find(type.substr(0, type.find(' ')));
  if (found == kBits.end()) return "an integer in a column of type " + type;
  const int shift = 64 - found->second;
  const auto as_signed = static_cast<long long>(static_cast<int64_t>(value << shift) >> shift);
  const unsigned long long as_unsigned = value << shift >> shift;
  if (as_signed >= 0) return Format("%lld", as_signed);
  return Format("%lld (%llu)", as_signed, as_unsigned);
}

// `text` in a character set of the server, by the C library.
std::string ToCharset(const std::string& text, const std::string& charset) {
  static const std::map<std::string, const char*> kNames = {
      {"latin1", "CP1252"}, {"ucs2", "UCS-2BE"}, {"utf16", "UTF-16BE"}, {"gbk", "GBK"}, {"cp1251", "CP1251"}};
  const auto name = kNames.find(charset);
  if (name == kNames.end()) return text;
  const iconv_t converter = iconv_open(name->second, "UTF-8");
  if (converter == reinterpret_cast<iconv_t>(-1)) return "no converter to " + charset;
  std::string in = text;
  std::string out(text.size() * 4 + 4, '\0');
  char* from = in.data();
  char* to = out.data();
  size_t left = in.size();
  size_t room = out.size();
  const size_t done = iconv(converter, &from, &left, &to, &room);
  iconv_close(converter);
  if (done == static_cast<size_t>(-1)) return "cannot be written in " + charset;
  out.resize(out.size() - room);
  return out;
}

std::string PrintedLabels(const std::string& text, const LoggedColumn& column) {
  const auto place = [&](const std::string& label) {
    return std::find(column.labels.begin(), column.labels.end(), label) - column.labels.begin();
  };
  const auto count = static_cast<long long>(column.labels.size());
  if (column.type == "ENUM") {
    if (text.empty()) return "0";
    const long long found = place(text);
    return found == count ? "no label " + text : Format("%lld", found + 1);
  }
  uint64_t bits = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const long long found = place(text.substr(at, end - at));
    if (found == count) return "no label in " + text;
    bits |= uint64_t{1} << found;
    at = end + 1;
  }
  // Byte by byte, the lowest first.
  std::string printed = "b'";
  for (long long byte = 0; byte < (count + 7) / 8; ++byte)
    printed += Bits(bits >> 8 * byte & 0xff, 8).substr(2, 8);
  return printed + "'";
}

// Of a document that is one string mysqlbinlog prints what the string says.
std::string WhatJsonStringSays(const std::string& text) {
  static const std::map<char, char> kEscapes = {
      {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'b', '\b'}, {'f', '\f'}};
  std::string said;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && text[i + 1] == 'u') {
      said +=
          static_cast<char>(std::strtol(text.substr(i + 2, 4).c_str(), nullptr, 16));  // a control character
      i += 5;
    } else if (text[i] == '\\') {
      const auto found = kEscapes.find(text[++i]);
      said += found == kEscapes.end() ? text[i] : found->second;
    } else {
      said += text[i];
    }
  }
  return said;
}

std::string PrintedText(const std::string& text, const LoggedColumn& column, Flavor flavor) {
  if (column.type == "JSON" && text.starts_with('"')) return PrintedBytes(WhatJsonStringSays(text), flavor);
  if (!column.labels.empty()) return PrintedLabels(text, column);
  return PrintedBytes(ToCharset(text, column.charset), flavor);
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += Format("%02X", static_cast<unsigned>(static_cast<uint8_t>(byte)));
  return text;
}

const arrow::Array& Storage(const arrow::Array& array) {
  if (array.type_id() != arrow::Type::EXTENSION) return array;
  return *static_cast<const arrow::ExtensionArray&>(array).storage();
}

std::string PrintedVector(const arrow::ListArray& lists, int64_t row) {
  const auto& items = static_cast<const arrow::FloatArray&>(*lists.values());
  std::string text = "[";
  for (int64_t i = lists.value_offset(row); i < lists.value_offset(row + 1); ++i)
    text += Format("%s%.5e", text.size() == 1 ? "" : ",", static_cast<double>(items.Value(i)));
  return text + "]";
}

}  // namespace

std::string PrintedBytes(const std::string& bytes, Flavor flavor) {
  static const std::map<char, const char*> kOfMysql = {{'\n', "\\n"}, {'\r', "\\r"},  {'\b', "\\b"},
                                                       {'\t', "\\t"}, {'\\', "\\\\"}, {'\'', "\\'"}};
  std::string text = "'";
  for (const char byte : bytes) {
    const auto found = kOfMysql.find(byte);
    if (flavor == Flavor::kMysql && found != kOfMysql.end()) {
      text += found->second;
    } else if (static_cast<uint8_t>(byte) > 0x1f) {
      text += byte;
    } else {
      text += Format("\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(byte)));
    }
  }
  return text + "'";
}

std::string PrintedText(const arrow::Array& given, int64_t row, const LoggedColumn& column, Flavor flavor) {
  const arrow::Array& array = Storage(given);
  const int decimals = InParentheses(column.type);
  switch (array.type_id()) {
    case arrow::Type::FLOAT:
      return Format("%g", static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row)));
    case arrow::Type::DOUBLE:
      return Format("%.20g", static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return Decimal(array, row);
    case arrow::Type::DATE32:
      return "'" + DateText(static_cast<const arrow::Date32Array&>(array).Value(row), ':') + "'";
    case arrow::Type::DURATION:
      return "'" + TimeText(static_cast<const arrow::DurationArray&>(array).Value(row), decimals) + "'";
    case arrow::Type::TIMESTAMP: {
      const int64_t micros = static_cast<const arrow::TimestampArray&>(array).Value(row);
      if (!static_cast<const arrow::TimestampType&>(*array.type()).timezone().empty())
        return Format("%lld", static_cast<long long>(micros / kMicros)) +
               Fraction(micros % kMicros, decimals);
      return "'" + TimestampText(micros, decimals) + "'";
    }
    case arrow::Type::STRING:
      return PrintedText(static_cast<const arrow::StringArray&>(array).GetString(row), column, flavor);
    case arrow::Type::BINARY: {
      std::string bytes(static_cast<const arrow::BinaryArray&>(array).GetView(row));
      // The log leaves the zeros at the end of a BINARY out.
      while (column.type.starts_with("BINARY(") && !bytes.empty() && bytes.back() == '\0') bytes.pop_back();
      return PrintedBytes(bytes, flavor);
    }
    case arrow::Type::LIST:
      return PrintedVector(static_cast<const arrow::ListArray&>(array), row);
    default:
      return PrintedInteger(Integer(array, row), column.type);
  }
}

std::string SelectedText(const arrow::Array& given, int64_t row, const std::string& mysql_type) {
  const arrow::Array& array = Storage(given);
  const int decimals = InParentheses(mysql_type);
  switch (array.type_id()) {
    case arrow::Type::FLOAT:
      return Format("%.17g", static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row)));
    case arrow::Type::DOUBLE:
      return Format("%.17g", static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return Decimal(array, row);
    case arrow::Type::DATE32:
      return DateText(static_cast<const arrow::Date32Array&>(array).Value(row), '-');
    case arrow::Type::DURATION:
      return TimeText(static_cast<const arrow::DurationArray&>(array).Value(row), decimals);
    case arrow::Type::TIMESTAMP:
      return TimestampText(static_cast<const arrow::TimestampArray&>(array).Value(row), decimals);
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case arrow::Type::BINARY:
      return Hex(static_cast<const arrow::BinaryArray&>(array).GetView(row));
    case arrow::Type::LIST: {
      const auto& lists = static_cast<const arrow::ListArray&>(array);
      const auto& items = static_cast<const arrow::FloatArray&>(*lists.values());
      const auto* const bytes = reinterpret_cast<const char*>(items.raw_values() + lists.value_offset(row));
      return Hex({bytes, static_cast<size_t>(lists.value_length(row)) * sizeof(float)});
    }
    default: {
      const uint64_t value = Integer(array, row);
      if (mysql_type == "year") return Format("%04d", static_cast<int>(value));
      const bool is_unsigned = arrow::is_unsigned_integer(array.type_id());
      return is_unsigned ? Format("%llu", static_cast<unsigned long long>(value))
                         : Format("%lld", static_cast<long long>(value));
    }
  }
}

std::string SelectExpression(const std::string& quoted_name, const std::string& data_type) {
  if (data_type == "float" || data_type == "double") return "CAST(" + quoted_name + " AS DOUBLE)";
  if (data_type == "bit") return quoted_name + " + 0";
  if (data_type.ends_with("blob") || data_type.ends_with("binary") || data_type == "vector")
    return "HEX(" + quoted_name + ")";
  return quoted_name;
}

bool SameSelected(const std::string& left, const std::string& right, const arrow::DataType& type) {
  if (left == right) return true;
  if (type.id() != arrow::Type::FLOAT && type.id() != arrow::Type::DOUBLE) return false;
  return std::strtod(left.c_str(), nullptr) == std::strtod(right.c_str(), nullptr);
}

bool IsCalendarDate(const std::string& text) {
  int year = 0;
  int month = 0;
  int day = 0;
  char a = 0;
  char b = 0;
  const char* const digits = text.c_str() + (text.starts_with("'") ? 1 : 0);
  // Seconds since 1970: the zero timestamp alone is none.
  if (std::sscanf(digits, "%d%c%d%c%d", &year, &a, &month, &b, &day) != 5 || (a != '-' && a != ':'))
    return std::strtod(digits, nullptr) != 0;
  static constexpr int kDays[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12) return false;
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return day >= 1 && day <= kDays[month] + (month == 2 && leap ? 1 : 0);
}

}  // namespace arrowcdc::mysql::test
