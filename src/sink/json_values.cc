// See json_values.h.
#include "src/sink/json_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <nlohmann/json.hpp>

#include "src/sink/decimal_text.h"

namespace arrowcdc {
namespace {

using arrow::Array;
using arrow::Type;

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

template <typename... Args>
void AppendFormatted(std::string* out, const char* format, Args... args) {
  char text[64];
  const int bytes = std::snprintf(text, sizeof(text), format, args...);
  out->append(text, static_cast<size_t>(bytes));
}

template <typename T>
void AppendNumber(T value, std::string* out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out->append(text, end);
}

template <typename T>
void AppendFloat(T value, std::string* out) {
  if (std::isfinite(value)) return AppendNumber(value, out);
  *out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
}

void AppendBase64(std::string_view bytes, std::string* out) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  *out += '"';
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = (bits << 8) | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) *out += k <= count ? kAlphabet[(bits >> (18 - 6 * k)) & 63] : '=';
  }
  *out += '"';
}

// Proleptic Gregorian date of a day counted from 1970-01-01, for any int64 that timestamps can hold. Method:
// eras of 400 years that begin on the first of March (Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms").
void AppendDate(int64_t days, std::string* out) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t day_of_era = days - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  // ISO 8601 wants a sign and six digits for years of other than four digits.
  if (year >= 0 && year <= 9999) {
    AppendFormatted(out, "%04d", static_cast<int>(year));
  } else {
    AppendFormatted(out, "%+07lld", static_cast<long long>(year));
  }
  AppendFormatted(out, "-%02d-%02d", static_cast<int>(month), static_cast<int>(day));
}

void AppendTimeOfDay(int64_t micros, std::string* out) {
  const int64_t seconds = micros / kMicrosPerSecond;
  AppendFormatted(out, "%02d:%02d:%02d.%06d", static_cast<int>(seconds / 3600),
                  static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60),
                  static_cast<int>(micros % kMicrosPerSecond));
}

void AppendTimestamp(const arrow::TimestampArray& array, int64_t i, std::string* out) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  const int64_t value = array.Value(i);
  *out += '"';
  if (type.unit() != arrow::TimeUnit::MICRO) {
    AppendNumber(value, out);
    *out += " " + type.ToString();
  } else {
    const int64_t days = value >= 0 ? value / kMicrosPerDay : (value + 1) / kMicrosPerDay - 1;
    AppendDate(days, out);
    *out += 'T';
    AppendTimeOfDay(value - days * kMicrosPerDay, out);
    if (!type.timezone().empty()) *out += 'Z';
  }
  *out += '"';
}

void AppendUuid(std::string_view bytes, std::string* out) {
  *out += '"';
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out += '-';
    AppendFormatted(out, "%02x", static_cast<unsigned>(static_cast<unsigned char>(bytes[i])));
  }
  *out += '"';
}

// A document stands in the object as it is, when it is one that JSON readers take; line breaks lie outside
// its strings.
void AppendDocument(std::string_view text, std::string* out) {
  if (!nlohmann::json::accept(text)) return AppendJsonString(text, out);
  for (const char c : text) *out += c == '\n' || c == '\r' ? ' ' : c;
}

void AppendList(const Array& values, int64_t begin, int64_t end, std::string* out) {
  *out += '[';
  for (int64_t i = begin; i < end; ++i) {
    if (i > begin) *out += ',';
    AppendJsonValue(values, i, out);
  }
  *out += ']';
}

void AppendStruct(const arrow::StructArray& array, int64_t i, std::string* out) {
  *out += '{';
  for (int field = 0; field < array.num_fields(); ++field) {
    if (field > 0) *out += ',';
    AppendJsonString(array.type()->field(field)->name(), out);
    *out += ':';
    AppendJsonValue(*array.field(field), i, out);
  }
  *out += '}';
}

// An object where the keys are text, otherwise a list of pairs.
void AppendMap(const arrow::MapArray& array, int64_t i, std::string* out) {
  const bool text_keys = array.keys()->type_id() == Type::STRING;
  *out += text_keys ? '{' : '[';
  for (int64_t k = array.value_offset(i); k < array.value_offset(i + 1); ++k) {
    if (k > array.value_offset(i)) *out += ',';
    if (!text_keys) *out += '[';
    AppendJsonValue(*array.keys(), k, out);
    *out += text_keys ? ':' : ',';
    AppendJsonValue(*array.items(), k, out);
    if (!text_keys) *out += ']';
  }
  *out += text_keys ? '}' : ']';
}

void AppendInterval(const arrow::MonthDayNanoIntervalArray& array, int64_t i, std::string* out) {
  const auto value = array.GetValue(i);
  AppendFormatted(out, "{\"months\":%d,\"days\":%d,\"nanoseconds\":%lld}", value.months, value.days,
                  static_cast<long long>(value.nanoseconds));
}

void AppendExtension(const arrow::ExtensionArray& array, int64_t i, std::string* out) {
  const auto& type = static_cast<const arrow::ExtensionType&>(*array.type());
  const Array& storage = *array.storage();
  if (type.extension_name() == "arrow.uuid") {
    return AppendUuid(static_cast<const arrow::FixedSizeBinaryArray&>(storage).GetView(i), out);
  }
  if (type.extension_name() == "arrow.json" && storage.type_id() == Type::STRING) {
    return AppendDocument(static_cast<const arrow::StringArray&>(storage).GetView(i), out);
  }
  AppendJsonValue(storage, i, out);
}

template <typename ArrayType>
auto ValueOf(const Array& array, int64_t i) {
  return static_cast<const ArrayType&>(array).Value(i);
}

// What is left: types that no source of ours makes.
void AppendOther(const Array& array, int64_t i, std::string* out) {
  const auto scalar = array.GetScalar(i);
  AppendJsonString(scalar.ok() ? (*scalar)->ToString() : scalar.status().message(), out);
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // C1 controls: U+0080 to U+009F are C2 80 to C2 9F in UTF-8.
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += static_cast<char>(c);
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      AppendFormatted(out, "\\u%04x", static_cast<unsigned>(c));
    } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
      AppendFormatted(out, "\\u%04x", static_cast<unsigned>(next));
      ++i;
    } else {
      *out += static_cast<char>(c);
    }
  }
  *out += '"';
}

// NOLINTNEXTLINE(readability-function-size): a case a type
void AppendJsonValue(const Array& array, int64_t i, std::string* out) {
  if (array.IsNull(i)) {
    *out += "null";
    return;
  }
  switch (array.type_id()) {
    case Type::BOOL:
      *out += ValueOf<arrow::BooleanArray>(array, i) ? "true" : "false";
      return;
    case Type::INT8:
      return AppendNumber(int{ValueOf<arrow::Int8Array>(array, i)}, out);
    case Type::UINT8:
      return AppendNumber(int{ValueOf<arrow::UInt8Array>(array, i)}, out);
    case Type::INT16:
      return AppendNumber(ValueOf<arrow::Int16Array>(array, i), out);
    case Type::UINT16:
      return AppendNumber(ValueOf<arrow::UInt16Array>(array, i), out);
    case Type::INT32:
      return AppendNumber(ValueOf<arrow::Int32Array>(array, i), out);
    case Type::UINT32:
      return AppendNumber(ValueOf<arrow::UInt32Array>(array, i), out);
    case Type::INT64:
      return AppendNumber(ValueOf<arrow::Int64Array>(array, i), out);
    case Type::UINT64:
      return AppendNumber(ValueOf<arrow::UInt64Array>(array, i), out);
    case Type::FLOAT:
      return AppendFloat(ValueOf<arrow::FloatArray>(array, i), out);
    case Type::DOUBLE:
      return AppendFloat(ValueOf<arrow::DoubleArray>(array, i), out);
    case Type::DECIMAL128:
    case Type::DECIMAL256: {
      const int32_t scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
      *out += '"' + DecimalText(DecimalAt(array, i), scale) + '"';
      return;
    }
    case Type::STRING:
      return AppendJsonString(static_cast<const arrow::StringArray&>(array).GetView(i), out);
    case Type::BINARY:
      return AppendBase64(static_cast<const arrow::BinaryArray&>(array).GetView(i), out);
    case Type::FIXED_SIZE_BINARY:
      return AppendBase64(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(i), out);
    case Type::DATE32:
      *out += '"';
      AppendDate(ValueOf<arrow::Date32Array>(array, i), out);
      *out += '"';
      return;
    case Type::TIME64: {
      const bool micros =
          static_cast<const arrow::Time64Type&>(*array.type()).unit() == arrow::TimeUnit::MICRO;
      *out += '"';
      AppendTimeOfDay(ValueOf<arrow::Time64Array>(array, i) / (micros ? 1 : 1000), out);
      *out += '"';
      return;
    }
    case Type::TIMESTAMP:
      return AppendTimestamp(static_cast<const arrow::TimestampArray&>(array), i, out);
    case Type::INTERVAL_MONTH_DAY_NANO:
      return AppendInterval(static_cast<const arrow::MonthDayNanoIntervalArray&>(array), i, out);
    case Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return AppendList(*list.values(), list.value_offset(i), list.value_offset(i + 1), out);
    }
    case Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::FixedSizeListArray&>(array);
      return AppendList(*list.values(), list.value_offset(i), list.value_offset(i + 1), out);
    }
    case Type::STRUCT:
      return AppendStruct(static_cast<const arrow::StructArray&>(array), i, out);
    case Type::MAP:
      return AppendMap(static_cast<const arrow::MapArray&>(array), i, out);
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return AppendJsonValue(*dictionary.dictionary(), dictionary.GetValueIndex(i), out);
    }
    case Type::EXTENSION:
      return AppendExtension(static_cast<const arrow::ExtensionArray&>(array), i, out);
    default:
      return AppendOther(array, i, out);
  }
}

}  // namespace arrowcdc
