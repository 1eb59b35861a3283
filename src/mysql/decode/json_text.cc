// Numbers, dates and what else JSON has no type for are written as JSON_UNQUOTE and CAST(... AS CHAR) would.
#include "src/mysql/decode/json_text.h"

#include <bit>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <arrow/util/base64.h>

#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/decimal_digits.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/temporal.h"

namespace arrowcdc::mysql {
namespace {

enum Type : uint8_t {
  kSmallObject = 0,
  kLargeObject = 1,
  kSmallArray = 2,
  kLargeArray = 3,
  kLiteral = 4,
  kInt16 = 5,
  kUint16 = 6,
  kInt32 = 7,
  kUint32 = 8,
  kInt64 = 9,
  kUint64 = 10,
  kDouble = 11,
  kText = 12,
  kOpaque = 15,
};

constexpr uint8_t kNullDocument[] = {0};  // the literal null

template <typename... Arguments>
void AppendFormat(std::string* text, const char* format, Arguments... arguments) {
  char buffer[64];
  const int size = snprintf(buffer, sizeof(buffer), format, arguments...);
  text->append(buffer, static_cast<size_t>(size));
}

template <typename T>
void AppendInteger(T value, std::string* text) {
  char buffer[24];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  text->append(buffer, result.ptr);
}

// The shortest digits that give the value again: with an exponent where more than 14 zeros would follow the
// point, or where the first of more than 15 digits has none behind the point; else plain (MySQL's my_gcvt).
void AppendDouble(double value, std::string* text) {
  constexpr int kPlainMax = 15;
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string_view all(buffer, static_cast<size_t>(result.ptr - buffer));
  if (all.front() == '-') {
    *text += '-';
    all.remove_prefix(1);
  }
  const size_t e = all.find('e');
  if (e == all.npos) {  // MySQL stores no infinity and no NaN
    *text += "null";
    return;
  }
  std::string digits(1, all[0]);
  if (e > 2) digits += all.substr(2, e - 2);
  int exponent = 0;
  const char* const sign = all.data() + e + 1;
  std::from_chars(*sign == '+' ? sign + 1 : sign, all.data() + all.size(), exponent);
  const int point = exponent + 1;  // digits in front of it
  const auto count = static_cast<int>(digits.size());
  if ((point > kPlainMax && count <= point) || point < 1 - kPlainMax) {
    *text += digits[0];
    if (count > 1) *text += "." + digits.substr(1);
    *text += "e" + std::to_string(exponent);
  } else if (point <= 0) {
    *text += "0." + std::string(static_cast<size_t>(-point), '0') + digits;
    if (digits == "0") text->back() = '0';
  } else if (count <= point) {
    *text += digits + std::string(static_cast<size_t>(point - count), '0') + ".0";
  } else {
    *text += digits.substr(0, static_cast<size_t>(point)) + "." + digits.substr(static_cast<size_t>(point));
  }
}

// Of seven bits a byte, the lowest first.
bool ReadLength(ByteCursor* cursor, uint64_t* length) {
  *length = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    uint8_t byte;
    if (!cursor->Read<1>(&byte)) return false;
    *length |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return *length <= UINT32_MAX;
  }
  return false;
}

// Precision, scale, and the digits as in a row.
bool AppendDecimal(std::span<const uint8_t> bytes, std::string* text) {
  if (bytes.size() < 2) return false;
  const int precision = bytes[0];
  const int scale = bytes[1];
  if (precision < 1 || precision > 65 || scale > 30 || scale > precision) return false;
  const uint8_t* at = bytes.data() + 2;
  size_t left = bytes.size() - 2;
  if (left == 0) return false;
  const bool is_negative = IsNegativeDecimal(at);
  bool is_first = true;
  std::string digits;
  const auto add = [&](int count) {
    const int size = kGroupBytes[count];
    if (count == 0) return true;
    if (left < static_cast<size_t>(size)) return false;
    const uint32_t value = LoadDecimalGroup(at, size, is_first, is_negative);
    if (value >= kPowersOfTen[count]) return false;
    AppendFormat(&digits, "%0*u", count, value);
    is_first = false;
    at += size;
    left -= static_cast<size_t>(size);
    return true;
  };
  const int whole = precision - scale;
  bool sound = add(whole % kGroupDigits);
  for (int i = 0; i < whole / kGroupDigits; ++i) sound = sound && add(kGroupDigits);
  for (int i = 0; i < scale / kGroupDigits; ++i) sound = sound && add(kGroupDigits);
  if (!sound || !add(scale % kGroupDigits) || left != 0) return false;
  std::string before = digits.substr(0, static_cast<size_t>(whole));
  before.erase(0, std::min(before.find_first_not_of('0'), before.size()));
  if (is_negative) *text += '-';
  *text += before.empty() ? "0" : before;
  if (scale > 0) *text += "." + digits.substr(static_cast<size_t>(whole));
  return true;
}

bool AppendTemporal(FieldType type, std::span<const uint8_t> bytes, std::string* text) {
  if (bytes.size() != 8) return false;
  const auto packed = static_cast<int64_t>(LoadLittle<8>(bytes.data()));
  if (type == FieldType::kTime) {
    const int64_t value = UnpackTime(packed);
    const int64_t size = value < 0 ? -value : value;
    const int64_t seconds = size / 1'000'000;
    AppendFormat(text, "\"%s%02d:%02d:%02d.%06d\"", value < 0 ? "-" : "", static_cast<int>(seconds / 3600),
                 static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60),
                 static_cast<int>(size % 1'000'000));
    return true;
  }
  const CivilTime time = UnpackDatetime(packed);
  if (packed < 0 || time.year > 9999 || time.microsecond > 999'999) return false;
  AppendFormat(text, "\"%04d-%02d-%02d", time.year, time.month, time.day);
  if (type != FieldType::kDate)
    AppendFormat(text, " %02d:%02d:%02d.%06d", time.hour, time.minute, time.second, time.microsecond);
  *text += '"';
  return true;
}

bool AppendOpaque(std::span<const uint8_t> bytes, std::string* text) {
  ByteCursor cursor(bytes);
  uint8_t type;
  uint64_t length;
  std::span<const uint8_t> value;
  if (!cursor.Read<1>(&type) || !ReadLength(&cursor, &length) || !cursor.ReadBytes(length, &value))
    return false;
  switch (static_cast<FieldType>(type)) {
    case FieldType::kNewDecimal:
      return AppendDecimal(value, text);
    case FieldType::kDate:
    case FieldType::kTime:
    case FieldType::kDatetime:
    case FieldType::kTimestamp:
      return AppendTemporal(static_cast<FieldType>(type), value, text);
    default:
      *text +=
          "\"base64:type" + std::to_string(type) + ":" + arrow::util::base64_encode(AsText(value)) + "\"";
      return true;
  }
}

bool AppendScalar(const JsonValue& value, std::string* text) {
  static constexpr uint8_t kWidths[] = {2, 2, 4, 4, 8, 8, 8};  // from kInt16 to kDouble
  const auto bytes = value.bytes;
  if (value.type >= kInt16 && value.type <= kDouble && bytes.size() < kWidths[value.type - kInt16])
    return false;
  switch (value.type) {
    case kLiteral:
      if (bytes.empty() || bytes[0] > 2) return false;
      *text += bytes[0] == 0 ? "null" : bytes[0] == 1 ? "true" : "false";
      return true;
    case kInt16:
      AppendInteger(static_cast<int16_t>(LoadLittle<2>(bytes.data())), text);
      return true;
    case kUint16:
      AppendInteger(LoadLittle<2>(bytes.data()), text);
      return true;
    case kInt32:
      AppendInteger(static_cast<int32_t>(LoadLittle<4>(bytes.data())), text);
      return true;
    case kUint32:
      AppendInteger(LoadLittle<4>(bytes.data()), text);
      return true;
    case kInt64:
      AppendInteger(static_cast<int64_t>(LoadLittle<8>(bytes.data())), text);
      return true;
    case kUint64:
      AppendInteger(LoadLittle<8>(bytes.data()), text);
      return true;
    case kDouble:
      AppendDouble(std::bit_cast<double>(LoadLittle<8>(bytes.data())), text);
      return true;
    case kText: {
      ByteCursor cursor(bytes);
      uint64_t length;
      std::span<const uint8_t> string;
      if (!ReadLength(&cursor, &length) || !cursor.ReadBytes(length, &string)) return false;
      AppendJsonString(string, text);
      return true;
    }
    case kOpaque:
      return AppendOpaque(bytes, text);
    default:
      return false;
  }
}

// Small enough to stand in the container's header.
bool IsInlined(uint8_t type, bool is_large) {
  return type == kLiteral || type == kInt16 || type == kUint16 ||
         (is_large && (type == kInt32 || type == kUint32));
}

}  // namespace

JsonValue JsonDocument(std::span<const uint8_t> document) {
  if (document.empty()) return {kLiteral, kNullDocument};
  return {document[0], document.subspan(1)};
}

bool OpenJsonContainer(const JsonValue& value, JsonContainer* container) {
  container->is_object = value.type == kSmallObject || value.type == kLargeObject;
  container->is_large = value.type == kLargeObject || value.type == kLargeArray;
  const int width = container->is_large ? 4 : 2;
  const uint64_t header = container->is_large ? 8 : 4;
  if (value.bytes.size() < header) return false;
  container->count = static_cast<uint32_t>(LoadLittle(value.bytes.data(), width));
  const uint64_t size = LoadLittle(value.bytes.data() + width, width);
  const uint64_t entry = static_cast<uint64_t>(1 + width) + (container->is_object ? width + 2 : 0);
  if (size > value.bytes.size() || header + container->count * entry > size) return false;
  container->bytes = value.bytes.subspan(0, size);
  return true;
}

bool ReadJsonEntry(const JsonContainer& container, uint32_t index, JsonEntry* entry) {
  const int width = container.is_large ? 4 : 2;
  // SAFETY: OpenJsonContainer has seen that the header is there.
  const uint8_t* at = container.bytes.data() + 2 * width;
  if (container.is_object) {
    const uint8_t* const key = at + static_cast<size_t>(index) * static_cast<size_t>(width + 2);
    const uint64_t offset = LoadLittle(key, width);
    const uint64_t size = LoadLittle<2>(key + width);
    if (offset > container.bytes.size() || size > container.bytes.size() - offset) return false;
    entry->key = container.bytes.subspan(offset, size);
    at += static_cast<size_t>(container.count) * static_cast<size_t>(width + 2);
  }
  at += static_cast<size_t>(index) * static_cast<size_t>(1 + width);
  entry->value.type = *at;
  if (IsInlined(*at, container.is_large)) {
    entry->value.bytes = {at + 1, static_cast<size_t>(width)};
    return true;
  }
  const uint64_t offset = LoadLittle(at + 1, width);
  if (offset >= container.bytes.size()) return false;
  entry->value.bytes = container.bytes.subspan(offset);
  return true;
}

void AppendJsonString(std::span<const uint8_t> string, std::string* text) {
  *text += '"';
  for (const uint8_t byte : string) {
    static constexpr char kEscaped[] = "\b\t\n\f\r\"\\";
    static constexpr char kLetters[] = "btnfr\"\\";
    const char* const escaped =
        byte == 0 ? nullptr : static_cast<const char*>(memchr(kEscaped, byte, sizeof(kEscaped) - 1));
    if (escaped != nullptr) {
      *text += '\\';
      *text += kLetters[escaped - kEscaped];
    } else if (byte < 0x20) {
      AppendFormat(text, "\\u%04x", byte);
    } else {
      *text += static_cast<char>(byte);
    }
  }
  *text += '"';
}

bool AppendJsonText(const JsonValue& value, int depth, size_t text_bytes_max, std::string* text) {
  if (text->size() > text_bytes_max) return false;
  if (!IsJsonContainer(value)) return AppendScalar(value, text);
  JsonContainer container;
  if (depth >= kJsonDepthMax || !OpenJsonContainer(value, &container)) return false;
  *text += container.is_object ? '{' : '[';
  for (uint32_t i = 0; i < container.count; ++i) {
    JsonEntry entry;
    if (!ReadJsonEntry(container, i, &entry)) return false;
    if (i > 0) *text += ", ";
    if (container.is_object) {
      AppendJsonString(entry.key, text);
      *text += ": ";
    }
    if (!AppendJsonText(entry.value, depth + 1, text_bytes_max, text)) return false;
  }
  *text += container.is_object ? '}' : ']';
  return true;
}

}  // namespace arrowcdc::mysql
