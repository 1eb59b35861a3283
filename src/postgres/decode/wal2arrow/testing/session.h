// For tests: one session of three frames that has everything, and what decodes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <arrow/json/from_string.h>

#include "src/postgres/decode/wal2arrow/testing/frames.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace arrowcdc::test {

inline std::shared_ptr<arrow::Array> Json(const std::shared_ptr<arrow::DataType>& type,
                                          const std::string& text) {
  return arrow::json::ArrayFromJSONString(type, text).ValueOrDie();
}

inline TestTable Items() {
  TestTable table;
  table.columns = {
      arrow::field("id", arrow::int64(), true, arrow::key_value_metadata({"arrowcdc:key"}, {"1"})),
      arrow::field("name", arrow::utf8()),
      arrow::field("tags", arrow::list(arrow::field("item", arrow::utf8())))};
  return table;
}

// Four rows of Items: insert, update_after with an unchanged name, delete, insert with an unrepresentable tag
// list.
inline std::shared_ptr<arrow::RecordBatch> ItemRows(const TestTable& table) {
  return arrow::RecordBatch::Make(
      table.wire_schema(), 4,
      arrow::ArrayVector{
          Json(arrow::int64(), "[1, 2, 3, 4]"), Json(arrow::utf8(), R"(["one", null, null, "four"])"),
          Json(table.columns[2]->type(), R"([["a"], [], null, null])"), Json(arrow::int8(), "[0, 2, 3, 0]"),
          Json(arrow::uint64(), "[100, 110, 120, 130]"), Json(arrow::uint16(), "[0, 1, 0, 7]")});
}

inline const std::vector<format::TransactionEntry> kTwoTransactions = {{150, 1700000000000001, 41, 3},
                                                                       {200, -1, 42, 1}};
inline const std::vector<format::CellEntry> kUnchangedName = {{1, 1, 0}};
inline const std::vector<format::CellEntry> kUnrepresentableCells = {{2, 1, 0}, {2, 2, 0}, {3, 2, 0}};

// hello, schema, batch.
inline std::vector<std::string> Session(
    arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED) {
  FrameFactory make;
  TestTable table = Items();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
  make.flags = format::kFlagGroupEnd | format::kFlagDirty;
  make.safe_lsn = 250;
  frames.push_back(make.Batch(table, 4, BatchPayload(*ItemRows(table), compression), kTwoTransactions,
                              kUnchangedName, kUnrepresentableCells));
  return frames;
}

// hello, schema, batch: text that is not UTF-8, at several depths.
inline std::vector<std::string> BrokenText() {
  TestTable table;
  table.columns = {arrow::field("a", arrow::utf8()), arrow::field("b", arrow::list(arrow::utf8())),
                   arrow::field("c", arrow::struct_({arrow::field("d", arrow::utf8())}))};
  auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 3,
      {Json(arrow::utf8(), R"(["qqqq", null, "\u00e9"])"),
       Json(table.columns[1]->type(), R"([["qqqq", "a"], [], null])"),
       Json(table.columns[2]->type(), R"([["a"], ["qqqq"], null])"), Json(arrow::int8(), "[0, 0, 0]"),
       Json(arrow::uint64(), "[5, 6, 7]"), Json(arrow::uint16(), "[0, 0, 0]")});
  std::string payload = BatchPayload(*rows);
  for (const char* bytes : {"\xed\xa0\x80z", "\xc0\x80zz", "caf\xe9"}) {
    payload.replace(payload.find("qqqq"), 4, bytes);
  }
  FrameFactory make;
  return {make.Hello(), make.Schema(table),
          make.Batch(table, 3, payload, {{9, 9, 9, 3}}, {{1, 0, 0}}, {{2, 1, 0}})};
}

// hello, a logical message of a transaction, one of none.
inline std::vector<std::string> LogicalMessages() {
  FrameFactory make;
  std::vector<std::string> frames = {make.Hello()};
  make.flags = format::kFlagTxnIncomplete;
  frames.push_back(make.LogicalMessage({901, 1, 0, 6, 0}, "prefix", "content", {{950, 77, 5, 0}}));
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 1001;
  frames.push_back(make.LogicalMessage({1001, 0, 0, 5, 0}, "caf\xc3\xa9", ""));
  return frames;
}

// Decodes all; the last frame's event, or the first error.
inline arrow::Result<std::optional<Event>> DecodeAll(const std::vector<std::string>& frames,
                                                     Wal2arrowDecoder* decoder = nullptr) {
  Wal2arrowDecoder own(arrow::default_memory_pool(), kEpoch);
  if (decoder == nullptr) decoder = &own;
  std::optional<Event> last;
  for (const auto& frame : frames) {
    ARROW_ASSIGN_OR_RAISE(last, decoder->Decode(Message::Make(frame), format::kXLogDataHeaderBytes));
  }
  return last;
}

// A frame with one integer of its header or sections replaced.
inline std::string With(std::string frame, size_t at, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) frame[at + i] = static_cast<char>(value >> (8 * i));
  return frame;
}

}  // namespace arrowcdc::test
