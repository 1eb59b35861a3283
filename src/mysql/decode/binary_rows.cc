#include "src/mysql/decode/binary_rows.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include <arrow/util/decimal.h>

#include "arrowcdc/error.h"
#include "src/change/utf8_text.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/temporal.h"

namespace arrowcdc::mysql {
namespace {

// A value with a packed length in front; null: it is not all there.
const uint8_t* TakePacked(const uint8_t* at, const RowInput& input, std::span<const uint8_t>* value) {
  ByteCursor cursor({at, input.end});
  return cursor.ReadPackedBytes(value) ? cursor.at() : nullptr;
}

const uint8_t* ReadPackedUtf8(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                              ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr) return input->Fault(kCutOff);
  if (!IsUtf8(AsText(value))) return input->NoForm(next);
  column->AppendBytes(value.data(), static_cast<int64_t>(value.size()));
  return next;
}

const uint8_t* ReadPackedConverted(const ColumnStep& step, const uint8_t* at, RowInput* input,
                                   ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr) return input->Fault(kCutOff);
  if (!step.charset->ToUtf8(value, &input->scratch)) return input->NoForm(next);
  column->AppendBytes(input->scratch.data(), static_cast<int64_t>(input->scratch.size()));
  return next;
}

const uint8_t* ReadPackedBytes(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                               ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr) return input->Fault(kCutOff);
  column->AppendBytes(value.data(), static_cast<int64_t>(value.size()));
  return next;
}

// The same value as the binlog has it: with a length of four bytes in front.
template <ReadValue kRead>
const uint8_t* ReadAsLogged(const ColumnStep& step, const uint8_t* at, RowInput* input,
                            ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr || value.size() > UINT32_MAX) return input->Fault(kCutOff);
  const auto size = static_cast<uint32_t>(value.size());
  std::string logged(sizeof size + value.size(), '\0');
  memcpy(logged.data(), &size, sizeof size);
  if (!value.empty()) memcpy(logged.data() + sizeof size, value.data(), value.size());
  RowInput own;
  const auto* const begin = reinterpret_cast<const uint8_t*>(logged.data());
  own.end = begin + logged.size();
  if (kRead(step, begin, &own, column) != nullptr) return next;
  return own.behind == nullptr ? input->Fault(own.fault) : input->NoForm(next);
}

// As text, with as many digits behind the point as the column has.
template <typename Decimal>
const uint8_t* ReadPackedDecimal(const ColumnStep& step, const uint8_t* at, RowInput* input,
                                 ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr) return input->Fault(kCutOff);
  Decimal number;
  int32_t precision = 0;
  int32_t scale = 0;
  if (!Decimal::FromString(AsText(value), &number, &precision, &scale).ok())
    return input->Fault("a decimal is no number");
  if (scale != step.decimals) {
    const auto scaled = number.Rescale(scale, step.decimals);
    if (!scaled.ok()) return input->Fault("a decimal has more digits than its column");
    number = *scaled;
  }
  const auto bytes = number.ToBytes();
  column->AppendFixed(bytes.data());
  return next;
}

const uint8_t* ReadPackedBit(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                             ColumnBuilder* column) {
  std::span<const uint8_t> value;
  const uint8_t* const next = TakePacked(at, *input, &value);
  if (next == nullptr || value.size() > 8) return input->Fault(kCutOff);
  column->Append(LoadBig(value.data(), static_cast<int>(value.size())));
  return next;
}

// Dates and times are as long as they must be, a length of one byte in front.
bool TakeTemporal(const uint8_t* at, const RowInput& input, std::span<const uint8_t>* value) {
  if (!input.Has(at, 1) || !input.Has(at + 1, *at)) return false;
  *value = {at + 1, *at};
  return true;
}

// False: no such length.
bool ReadCivilTime(std::span<const uint8_t> value, CivilTime* time) {
  if (value.size() != 0 && value.size() != 4 && value.size() != 7 && value.size() != 11) return false;
  if (value.size() >= 4) {
    time->year = static_cast<int>(LoadLittle<2>(value.data()));
    time->month = value[2];
    time->day = value[3];
  }
  if (value.size() >= 7) {
    time->hour = value[4];
    time->minute = value[5];
    time->second = value[6];
  }
  if (value.size() == 11) time->microsecond = static_cast<int>(LoadLittle<4>(value.data() + 7));
  return true;
}

const uint8_t* AppendPlain(const std::string& text, const uint8_t* next, ColumnBuilder* column) {
  column->AppendBytes(text.data(), static_cast<int64_t>(text.size()));
  return next;
}

const uint8_t* ReadCivilDate(const ColumnStep& step, const uint8_t* at, RowInput* input,
                             ColumnBuilder* column) {
  std::span<const uint8_t> value;
  CivilTime time;
  if (!TakeTemporal(at, *input, &value) || !ReadCivilTime(value, &time)) return input->Fault(kCutOff);
  if (step.as_text) return AppendPlain(DateText(time), at + 1 + *at, column);
  const auto days = DaysOf(time.year, time.month, time.day);
  if (!days.has_value()) return input->NoForm(at + 1 + *at);
  column->Append(*days);
  return at + 1 + *at;
}

const uint8_t* ReadCivilDatetime(const ColumnStep& step, const uint8_t* at, RowInput* input,
                                 ColumnBuilder* column) {
  std::span<const uint8_t> value;
  CivilTime time;
  if (!TakeTemporal(at, *input, &value) || !ReadCivilTime(value, &time)) return input->Fault(kCutOff);
  if (step.as_text) return AppendPlain(DatetimeText(time, step.decimals), at + 1 + *at, column);
  const auto microseconds = MicrosecondsOf(time);
  if (!microseconds.has_value()) return input->NoForm(at + 1 + *at);
  column->Append(*microseconds);
  return at + 1 + *at;
}

const uint8_t* ReadDuration(const ColumnStep& /*step*/, const uint8_t* at, RowInput* input,
                            ColumnBuilder* column) {
  std::span<const uint8_t> value;
  if (!TakeTemporal(at, *input, &value)) return input->Fault(kCutOff);
  if (value.size() != 0 && value.size() != 8 && value.size() != 12) return input->Fault(kCutOff);
  int64_t microseconds = 0;
  if (value.size() >= 8) {
    const auto days = static_cast<int64_t>(LoadLittle<4>(value.data() + 1));
    const int64_t seconds = ((days * 24 + value[5]) * 60 + value[6]) * 60 + value[7];
    microseconds = seconds * 1'000'000;
    if (value.size() == 12) microseconds += static_cast<int64_t>(LoadLittle<4>(value.data() + 8));
    if (value[0] != 0) microseconds = -microseconds;
  }
  column->Append(microseconds);
  return at + 1 + *at;
}

ReadValue TextReader(const Charset* charset) {
  return charset == nullptr || charset->is_utf8() ? ReadPackedUtf8 : ReadPackedConverted;
}

// Null: there is none. `charset`: of the column; null: it has none.
ReadValue ReaderOf(const MapColumn& column, const Charset* charset) {
  constexpr int kDecimal128Max = 38;
  switch (column.type) {
    case FieldType::kTiny:
      return IntegerReader(1, column.is_unsigned);
    case FieldType::kShort:
      return IntegerReader(2, column.is_unsigned);
    case FieldType::kYear:
      return IntegerReader(2, true);
    case FieldType::kInt24:  // on the wire as an int
    case FieldType::kLong:
      return IntegerReader(4, column.is_unsigned);
    case FieldType::kLongLong:
      return IntegerReader(8, column.is_unsigned);
    case FieldType::kFloat:
      return ReadFloat;
    case FieldType::kDouble:
      return ReadDouble;
    case FieldType::kNewDecimal:
      return column.length <= kDecimal128Max ? ReadPackedDecimal<arrow::Decimal128>
                                             : ReadPackedDecimal<arrow::Decimal256>;
    case FieldType::kBit:
      return ReadPackedBit;
    case FieldType::kDate:
    case FieldType::kNewDate:
      return ReadCivilDate;
    case FieldType::kTime:
    case FieldType::kTime2:
      return ReadDuration;
    case FieldType::kDatetime:
    case FieldType::kDatetime2:
    case FieldType::kTimestamp:
    case FieldType::kTimestamp2:
      return ReadCivilDatetime;
    case FieldType::kString:
    case FieldType::kVarString:
    case FieldType::kVarchar:
    case FieldType::kBlob:
      return column.collation == kBinaryCollation ? ReadPackedBytes : TextReader(charset);
    case FieldType::kEnum:
    case FieldType::kSet:
      return TextReader(charset);
    case FieldType::kJson:
      return ReadPackedUtf8;
    case FieldType::kGeometry:
      return ReadAsLogged<ReadGeometry>;
    case FieldType::kVector:
      return ReadAsLogged<ReadVector>;
    default:
      return nullptr;
  }
}

}  // namespace

arrow::Result<BinaryRows> BinaryRows::Make(const TableMap& table, TypeChoices choices) {
  BinaryRows rows(table.name);
  for (const MapColumn& column : table.columns) {
    ColumnStep& step = rows.steps_.emplace_back();
    if (column.collation != kBinaryCollation) step.charset = FindCharset(column.collation, choices.flavor);
    step.read = ReaderOf(column, step.charset);
    step.as_text = choices.as_text;
    step.size = 4;  // of what ReadAsLogged makes
    step.decimals = column.decimals;
    if (step.read == nullptr) {
      return MakeError(ErrorKind::kUnsupported, "the column is of a type that is not read",
                       "column " + column.name + " of table " + ToString(table.name),
                       "leave the table out of the tables to capture");
    }
  }
  return rows;
}

arrow::Status BinaryRows::Damaged(const char* what) const {
  return MakeError(ErrorKind::kProtocol, std::string("a row that was selected is damaged: ") + what,
                   "table " + ToString(table_), "this is a defect in arrowcdc or of the network: report it");
}

arrow::Status BinaryRows::AppendValues(std::span<const uint8_t> packet, BatchBuilder* batch) {
  constexpr size_t kBitsBefore = 2;  // of the bitmap of nulls
  const size_t bitmap_bytes = (steps_.size() + kBitsBefore + 7) / 8;
  if (packet.size() < 1 + bitmap_bytes || packet[0] != 0) return Damaged("it has no values");
  const uint8_t* at = packet.data() + 1 + bitmap_bytes;
  input_.end = packet.data() + packet.size();
  for (size_t i = 0; i < steps_.size(); ++i) {
    const int field = static_cast<int>(i);
    const size_t bit = i + kBitsBefore;
    if ((packet[1 + bit / 8] >> bit % 8 & 1) != 0) {
      batch->AppendNull(field);
      continue;
    }
    const uint8_t* const next = steps_[i].read(steps_[i], at, &input_, batch->column(field));
    if (next != nullptr) {
      at = next;
      continue;
    }
    if (input_.behind == nullptr) return Damaged(input_.fault);
    batch->AppendUnrepresentable(field);
    at = input_.behind;
  }
  return at == input_.end ? arrow::Status::OK() : Damaged("there are bytes behind its values");
}

arrow::Status BinaryRows::Append(std::span<const uint8_t> packet, const RowMetadata& metadata,
                                 BatchBuilder* batch) {
  const arrow::Status appended = AppendValues(packet, batch);
  if (appended.ok()) return batch->EndRow(metadata);
  batch->CancelRow();
  return appended;
}

}  // namespace arrowcdc::mysql
