// Readers of numbers, and of bytes that have a width.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "src/postgres/decode/values/hex.h"
#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, T* value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end == text.data() + text.size();
}

template <typename T>
class IntegerReader : public ReaderBase<IntegerReader<T>> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != sizeof(T)) return context->Fault(value.data(), kWrongSize);
    return Appended(column->Append(LoadBigEndian<T>(value.data())));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    T number;
    if (!ParseNumber(value, &number)) return context->Fault(value.data(), kWrongText);
    return Appended(column->Append(number));
  }
};

class RegReader : public ReaderBase<RegReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    return IntegerReader<uint32_t>().Binary(value, column, context);
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext*) const {
    uint32_t number = 0;
    return Appended((value == "-" || ParseNumber(value, &number)) && column->Append(number));
  }
};

class LsnReader : public ReaderBase<LsnReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    return IntegerReader<uint64_t>().Binary(value, column, context);
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    const size_t slash = value.find('/');
    uint32_t high;
    uint32_t low;
    if (slash == std::string_view::npos || !ParseNumber(value.substr(0, slash), &high, 16) ||
        !ParseNumber(value.substr(slash + 1), &low, 16)) {
      return context->Fault(value.data(), kWrongText);
    }
    return Appended(column->Append(static_cast<uint64_t>(high) << 32 | low));
  }
};

template <typename T>
class FloatReader : public ReaderBase<FloatReader<T>> {
 public:
  // The bits as they are, whatever they mean.
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    if (value.size() != sizeof(T)) return context->Fault(value.data(), kWrongSize);
    return Appended(column->Append(LoadBigEndian<Bits>(value.data())));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    T number;
    if (value == "NaN") {
      number = std::numeric_limits<T>::quiet_NaN();
    } else if (value == "Infinity" || value == "-Infinity") {
      number = std::copysign(std::numeric_limits<T>::infinity(), value[0] == '-' ? T{-1} : T{1});
    } else {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number)) {
        return context->Fault(value.data(), kWrongText);
      }
    }
    return Appended(column->Append(number));
  }
};

class BoolReader : public ReaderBase<BoolReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != 1) return context->Fault(value.data(), kWrongSize);
    return Appended(column->AppendBool(value[0] != 0));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value != "t" && value != "f") return context->Fault(value.data(), kWrongText);
    return Appended(column->AppendBool(value == "t"));
  }
};

class CharReader : public ReaderBase<CharReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != 1) return context->Fault(value.data(), kWrongSize);
    return Appended(column->Append(static_cast<uint8_t>(value[0])));
  }
  // 0 is the empty text, what is not ASCII is written as \ooo.
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    uint8_t byte = 0;
    if (value.size() == 4 && value[0] == '\\') {
      if (!ParseNumber(value.substr(1), &byte, 8)) return context->Fault(value.data(), kWrongText);
    } else if (value.size() <= 1) {
      byte = value.empty() ? uint8_t{0} : static_cast<uint8_t>(value[0]);
    } else {
      return context->Fault(value.data(), kWrongText);
    }
    return Appended(column->Append(byte));
  }
};

class UuidReader : public ReaderBase<UuidReader> {
 public:
  static constexpr size_t kBytes = 16;

  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != kBytes) return context->Fault(value.data(), kWrongSize);
    return Appended(column->AppendFixed(value.data()));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    char bytes[kBytes];
    if (value.size() != 36) return context->Fault(value.data(), kWrongText);
    size_t at = 0;
    for (char& byte : bytes) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      if (dash && value[at++] != '-') return context->Fault(value.data(), kWrongText);
      if (!ParseHex(value.substr(at, 2), &byte)) return context->Fault(value.data(), kWrongText);
      at += 2;
    }
    return Appended(column->AppendFixed(bytes));
  }
};

class ByteaReader : public ReaderBase<ByteaReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext*) const {
    return Appended(column->AppendBytes(value.data(), static_cast<int64_t>(value.size())));
  }
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    const bool hex = value.starts_with("\\x");
    const std::string_view digits = hex ? value.substr(2) : value;
    char* const room = column->Room(static_cast<int64_t>(hex ? digits.size() / 2 : digits.size()));
    if (room == nullptr) return ReadOutcome::kNoForm;
    const int64_t size = !hex                     ? Unescape(digits, room)
                         : ParseHex(digits, room) ? static_cast<int64_t>(digits.size() / 2)
                                                  : -1;
    if (size < 0) return context->Fault(value.data(), kWrongText);
    return Appended(column->EndBytes(size));
  }

 private:
  // bytea_output = escape. Returns the number of bytes, -1 where it is not that.
  static int64_t Unescape(std::string_view text, char* out) {
    char* const begin = out;
    for (size_t i = 0; i < text.size(); ++i, ++out) {
      *out = text[i];
      if (text[i] != '\\') continue;
      uint8_t byte = 0;
      if (text.substr(i + 1).starts_with('\\')) {
        ++i;
      } else if (text.size() - i >= 4 && ParseNumber(text.substr(i + 1, 3), &byte, 8)) {
        *out = static_cast<char>(byte);
        i += 3;
      } else {
        return -1;
      }
    }
    return out - begin;
  }
};

}  // namespace

ReaderPointer MakeBoolReader() { return std::make_unique<BoolReader>(); }
ReaderPointer MakeCharReader() { return std::make_unique<CharReader>(); }
ReaderPointer MakeInt16Reader() { return std::make_unique<IntegerReader<int16_t>>(); }
ReaderPointer MakeInt32Reader() { return std::make_unique<IntegerReader<int32_t>>(); }
ReaderPointer MakeInt64Reader() { return std::make_unique<IntegerReader<int64_t>>(); }
ReaderPointer MakeUint32Reader() { return std::make_unique<IntegerReader<uint32_t>>(); }
ReaderPointer MakeUint64Reader() { return std::make_unique<IntegerReader<uint64_t>>(); }
ReaderPointer MakeRegReader() { return std::make_unique<RegReader>(); }
ReaderPointer MakeLsnReader() { return std::make_unique<LsnReader>(); }
ReaderPointer MakeFloat32Reader() { return std::make_unique<FloatReader<float>>(); }
ReaderPointer MakeFloat64Reader() { return std::make_unique<FloatReader<double>>(); }
ReaderPointer MakeUuidReader() { return std::make_unique<UuidReader>(); }
ReaderPointer MakeByteaReader() { return std::make_unique<ByteaReader>(); }

}  // namespace arrowcdc
