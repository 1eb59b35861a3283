// Bytes and text of row images: each has its length in front. Text is looked at one value after the other, as
// it passes: most is ASCII, and a value that is not UTF-8 then has no Arrow form and harms no other.
#include <cstring>

#include <arrow/util/utf8.h>

#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/json_text.h"

namespace arrowcdc::mysql {
namespace {

// The last word overlaps the one before it, rather than going byte by byte.
bool IsAscii(const uint8_t* bytes, size_t size) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  uint64_t all = 0;
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) all |= LoadLittle<8>(bytes + at);
    all |= LoadLittle<8>(bytes + size - 8);
  } else if (size >= 4) {
    all = LoadLittle<4>(bytes) | LoadLittle<4>(bytes + size - 4);
  } else {
    for (size_t at = 0; at < size; ++at) all |= bytes[at];
  }
  return (all & kHighBits) == 0;
}

bool IsUtf8(std::span<const uint8_t> text) {
  if (IsAscii(text.data(), text.size())) return true;
  arrow::util::InitializeUTF8();
  return arrow::util::ValidateUTF8(text.data(), static_cast<int64_t>(text.size()));
}

const uint8_t* End(std::span<const uint8_t> value) { return value.data() + value.size(); }

void AppendSpan(std::span<const uint8_t> value, ColumnBuilder* column) {
  column->AppendBytes(value.data(), static_cast<int64_t>(value.size()));
}

void AppendText(std::string_view text, ColumnBuilder* column) {
  column->AppendBytes(text.data(), static_cast<int64_t>(text.size()));
}

}  // namespace

const uint8_t* ReadUtf8(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  if (!IsUtf8(value)) return input->NoForm(End(value));
  AppendSpan(value, column);
  return End(value);
}

const uint8_t* ReadConverted(const ColumnStep& step, const uint8_t* at, RowInput* input,
                             ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  if (!step.charset->ToUtf8(value, &input->scratch)) return input->NoForm(End(value));
  AppendText(input->scratch, column);
  return End(value);
}

const uint8_t* ReadBytes(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  AppendSpan(value, column);
  return End(value);
}

// The zeros that BINARY(n) ends with are not in the binlog.
const uint8_t* ReadPaddedBytes(const ColumnStep& step, const uint8_t* at, RowInput* input,
                               ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  if (value.size() > step.width) return input->Fault("a value is longer than its column");
  char* const room = column->Room(step.width);
  if (room == nullptr) return End(value);
  if (!value.empty()) memcpy(room, value.data(), value.size());
  memset(room + value.size(), 0, step.width - value.size());
  column->EndBytes(step.width);
  return End(value);
}

// The number of the label, from 1; 0 is the empty text that stands for what was no label.
const uint8_t* ReadEnum(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  if (!input->Has(at, step.size)) return input->Fault(kCutOff);
  const uint64_t number = LoadLittle(at, step.size);
  if (number > step.labels.size()) return input->Fault("an enum has a number without a label");
  AppendText(number == 0 ? std::string_view() : std::string_view(step.labels[number - 1]), column);
  return at + step.size;
}

const uint8_t* ReadSet(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  if (!input->Has(at, step.size)) return input->Fault(kCutOff);
  const uint64_t bits = LoadLittle(at, step.size);
  const size_t count = step.labels.size();
  if (count < 64 && bits >> count != 0) return input->Fault("a set has a bit without a label");
  std::string& text = input->scratch;
  text.clear();
  for (size_t i = 0; i < count && i < 64; ++i) {
    if ((bits >> i & 1) == 0) continue;
    if (!text.empty()) text += ',';
    text += step.labels[i];
  }
  AppendText(text, column);
  return at + step.size;
}

const uint8_t* ReadJson(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  std::string& text = input->scratch;
  text.clear();
  if (!AppendJsonText(JsonDocument(value), 0, JsonTextBytesMax(value.size()), &text))
    return input->Fault("a JSON document is unsound");
  if (!IsUtf8({reinterpret_cast<const uint8_t*>(text.data()), text.size()})) return input->NoForm(End(value));
  AppendText(text, column);
  return End(value);
}

// The reference system's number, then WKB, always little-endian. A number other than 0 stays in the value, as
// EWKB has it: behind the type, which says so by a bit.
const uint8_t* ReadGeometry(const ColumnStep& step, const uint8_t* at, RowInput* input,
                            ColumnBuilder* column) {
  constexpr size_t kSridBytes = 4;
  constexpr size_t kHeadBytes = 5;
  constexpr uint8_t kHasSrid = 0x20;
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  if (value.size() < kSridBytes + kHeadBytes || value[kSridBytes] != 1) return input->NoForm(End(value));
  const auto wkb = value.subspan(kSridBytes);
  if (LoadLittle<kSridBytes>(value.data()) == 0) {
    AppendSpan(wkb, column);
    return End(value);
  }
  char* const room = column->Room(static_cast<int64_t>(value.size()));
  if (room == nullptr) return End(value);
  memcpy(room, wkb.data(), kHeadBytes);
  room[kHeadBytes - 1] = static_cast<char>(room[kHeadBytes - 1] | kHasSrid);
  memcpy(room + kHeadBytes, value.data(), kSridBytes);
  memcpy(room + kHeadBytes + kSridBytes, wkb.data() + kHeadBytes, wkb.size() - kHeadBytes);
  column->EndBytes(static_cast<int64_t>(value.size()));
  return End(value);
}

const uint8_t* ReadVector(const ColumnStep& step, const uint8_t* at, RowInput* input, ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakePrefixed(step, at, *input, &value)) return input->Fault(kCutOff);
  const auto count = static_cast<int64_t>(value.size() / sizeof(float));
  if (value.size() % sizeof(float) != 0) return input->Fault("a vector has part of a number");
  ColumnBuilder* const elements = column->child(0);
  if (!elements->Reserve(count)) return End(value);
  for (int64_t i = 0; i < count; ++i)
    elements->AppendFixed(value.data() + i * static_cast<int64_t>(sizeof(float)));
  column->EndList();
  return End(value);
}

}  // namespace arrowcdc::mysql
