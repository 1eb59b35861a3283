// Writes the corpus of every fuzz target anew: build/fuzz/make_corpus fuzz/corpus
#include <fstream>
#include <functional>
#include <iostream>

#include "src/mysql/decode/event.h"
#include "src/mysql/decode/rows_event.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/testing/binlog_file.h"
#include "src/postgres/decode/copy/testing/copy_stream.h"
#include "src/postgres/decode/pgoutput/testing/session.h"
#include "src/postgres/decode/values/testing/sample_values.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace {

using namespace arrowcdc;        // NOLINT
using namespace arrowcdc::test;  // NOLINT

void Write(const std::string& path, uint8_t choices, const std::vector<std::string>& frames) {
  std::ofstream file(path, std::ios::binary);
  file.put(static_cast<char>(choices));
  for (const auto& frame : frames) {
    auto bytes = static_cast<uint32_t>(frame.size());
    file.write(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
    file << frame;
  }
}

// One row of every type the decoder meets from the plugin.
std::vector<std::string> AllTypes(arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED) {
  auto extension = [](const char* name) {
    return arrow::key_value_metadata({"ARROW:extension:name", "ARROW:extension:metadata"}, {name, ""});
  };
  TestTable table;
  table.identity = 'f';
  arrow::ArrayVector values;
  auto add = [&](const std::shared_ptr<arrow::DataType>& type, const std::string& value,
                 const std::shared_ptr<arrow::KeyValueMetadata>& metadata = nullptr) {
    table.columns.push_back(arrow::field("c" + std::to_string(values.size()), type, true, metadata));
    values.push_back(Json(type, "[" + value + ", null]"));
  };
  add(arrow::boolean(), "true");
  add(arrow::int16(), "-1");
  add(arrow::int32(), "2");
  add(arrow::float32(), "1.5");
  add(arrow::float64(), "-0.5");
  add(arrow::uint8(), "65");
  add(arrow::uint32(), "4294967295");
  add(arrow::binary(), "\"bytes\"");
  add(arrow::decimal128(10, 2), "\"12.34\"");
  add(arrow::decimal256(60, 5), "\"1.23456\"");
  add(arrow::date32(), "1");
  add(arrow::time64(arrow::TimeUnit::MICRO), "1");
  add(arrow::timestamp(arrow::TimeUnit::MICRO), "1");
  add(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "1");
  add(arrow::month_day_nano_interval(), "[1, 2, 3]");
  add(arrow::fixed_size_binary(16), "\"0123456789abcdef\"", extension("arrow.uuid"));
  add(arrow::utf8(), "\"{}\"", extension("arrow.json"));
  add(arrow::list(arrow::field("item", arrow::int32())), "[1, null]");
  add(arrow::struct_({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())}), "[1, \"x\"]");
  values.push_back(Json(arrow::int8(), "[1, 2]"));
  values.push_back(Json(arrow::uint64(), "[5, 5]"));
  values.push_back(Json(arrow::uint16(), "[0, 1]"));
  auto rows = arrow::RecordBatch::Make(table.wire_schema(), 2, values);
  FrameFactory make;
  return {make.Hello(), make.Schema(table),
          make.Batch(table, 2, BatchPayload(*rows, compression), {{9, 9, 9, 2}}, {{1, 3, 0}}, {{1, 4, 0}})};
}

std::vector<std::string> TruncateAndProgress() {
  FrameFactory make;
  TestTable table = Items();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table),
                                     make.Truncate({table}, {950, 77, 5, 0})};
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 1000;
  frames.push_back(make.Bare(format::FrameKind::kProgress));
  make.flags = format::kFlagOptional;
  frames.push_back(make.Bare(static_cast<format::FrameKind>(99), "unknown"));
  return frames;
}

std::vector<std::string> InParts() {
  FrameFactory make;
  TestTable table = Items();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
  auto parts =
      make.Split(make.Batch(table, 4, BatchPayload(*ItemRows(table)), kTwoTransactions, kUnchangedName), 250);
  frames.insert(frames.end(), parts.begin(), parts.end());
  return frames;
}

// A transaction in two blocks, of which a part is rolled back; one that is; and one that comes whole.
std::vector<std::string> InProgressFrames() {
  FrameFactory make;
  const TestTable table = Items();
  std::vector<std::string> frames = {make.Hello(1, "publication_names=p\nstreaming=on\n"),
                                     make.Schema(table)};
  make.flags = format::kFlagInProgress;
  const auto rows = [&](const std::vector<format::TransactionEntry>& parts) {
    frames.push_back(
        make.Batch(table, 4, BatchPayload(*ItemRows(table)), parts, kUnchangedName, kUnrepresentableCells));
  };
  const auto mark = [&](format::FrameKind kind, const format::StreamSection& section) {
    frames.push_back(make.Stream(kind, section));
  };
  mark(format::FrameKind::kStreamStart, {70, 0, 0, 0});
  rows({{0, 0, 70, 1}, {0, 0, 71, 3}});
  mark(format::FrameKind::kStreamStop, {});
  mark(format::FrameKind::kStreamStart, {80, 0, 0, 0});
  rows({{0, 0, 80, 4}});
  mark(format::FrameKind::kStreamStop, {});
  mark(format::FrameKind::kStreamAbort, {80, 80, 0, 0});
  mark(format::FrameKind::kStreamStart, {70, 0, 0, 0});
  rows({{0, 0, 72, 2}, {0, 0, 70, 2}});
  mark(format::FrameKind::kStreamStop, {});
  mark(format::FrameKind::kStreamAbort, {70, 71, 0, 0});
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 250;
  mark(format::FrameKind::kStreamCommit, {70, 0, 240, 1700000000000009});
  make.safe_lsn = 350;
  frames.push_back(make.Batch(table, 4, BatchPayload(*ItemRows(table)), {{300, 9, 90, 4}}, kUnchangedName,
                              kUnrepresentableCells));
  return frames;
}

// `value` in words of 16 bits, as the server keeps a NUMERIC.
void WriteNumeric(const std::string& path, uint8_t precision, int8_t scale,
                  const std::vector<uint16_t>& value) {
  std::ofstream file(path, std::ios::binary);
  file.put(static_cast<char>(precision - 1));
  file.put(static_cast<char>(scale + 128));
  for (const uint16_t word : value)
    file.put(static_cast<char>(word & 0xff)).put(static_cast<char>(word >> 8));
}

void WriteNumerics(const std::string& directory) {
  WriteNumeric(directory + "zero", 10, 2, {0x8100});
  WriteNumeric(directory + "short", 12, 2, {0x8100, 12, 3400});
  WriteNumeric(directory + "short_negative", 12, 2, {0xA200, 12, 3456});
  WriteNumeric(directory + "short_fraction", 38, 38, {0x827F, 1});
  WriteNumeric(directory + "negative_scale", 3, -2, {0x8001, 1, 2300});
  WriteNumeric(directory + "nines18", 18, 0, {0x8004, 99, 9999, 9999, 9999, 9999});
  WriteNumeric(directory + "nines38", 38, 0,
               {0x8009, 99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999});
  WriteNumeric(directory + "long", 76, 10, {0x0002, 4, 7, 0, 0, 0, 1, 500});
  WriteNumeric(directory + "long_negative", 76, 0, {0x4000, 18, 9999, 0, 1});
  WriteNumeric(directory + "long_fraction", 76, 76, {0x0050, 0xFFEE, 9999});
  WriteNumeric(directory + "large", 76, 0, {0x0000, 0x7FFF, 1});
  WriteNumeric(directory + "small", 76, 0, {0x3FFF, 0x8000, 1});
  WriteNumeric(directory + "nan", 38, 0, {0xC000});
  WriteNumeric(directory + "infinity", 38, 0, {0xD000});
  WriteNumeric(directory + "minus_infinity", 38, 0, {0xF000});
  WriteNumeric(directory + "no_weight", 38, 0, {0x0000});
  WriteNumeric(directory + "no_digit_of_four", 38, 0, {0x8000, 10000});
}

void WriteFrames(const std::string& directory) {
  Write(directory + "session", 0x90, Session());
  Write(directory + "session_repaired", 0x91, Session());
  Write(directory + "session_misaligned", 0x31, Session());
  Write(directory + "all_types", 0x91, AllTypes());
  Write(directory + "session_lz4", 0x91, Session(arrow::Compression::LZ4_FRAME));
  Write(directory + "session_zstd", 0x91, Session(arrow::Compression::ZSTD));
  Write(directory + "all_types_lz4", 0x91, AllTypes(arrow::Compression::LZ4_FRAME));
  Write(directory + "all_types_zstd", 0x91, AllTypes(arrow::Compression::ZSTD));
  Write(directory + "truncate", 0x91, TruncateAndProgress());
  Write(directory + "parts", 0x91, InParts());
  Write(directory + "messages", 0x91, LogicalMessages());
  Write(directory + "broken_text", 0x91, BrokenText());
  Write(directory + "in_progress", 0x91, InProgressFrames());
}

// Each message behind its length and its place in the WAL.
void WriteMessages(const std::string& path, const std::vector<SentMessage>& messages) {
  std::ofstream file(path, std::ios::binary);
  for (const SentMessage& message : messages) {
    const auto bytes = static_cast<uint32_t>(message.bytes.size());
    file.write(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
    file.put(static_cast<char>(message.lsn & 0xff)) << message.bytes;
  }
}

// The same in pgoutput's messages.
std::vector<SentMessage> InProgressMessages() {
  constexpr uint32_t kTable = 5000;
  const std::string table = RelationBytes(kTable, "items", 'd', {{"id", kInt4, true}, {"name", kText}});
  const auto row = [](uint32_t xid, const std::string& id) {
    return InBlock(xid, InsertBytes(kTable, TextTuple({id, "x"})));
  };
  return {
      {0, StreamStartBytes(70)},
      {0, InBlock(70, table)},
      {100, row(70, "1")},
      {110, row(71, "2")},
      {120, InBlock(71, UpdateBytes(kTable, 'K', TextTuple({"2", std::nullopt}), TextTuple({"3", "y"})))},
      {130, InBlock(70, DeleteBytes(kTable, 'K', TextTuple({"3", std::nullopt})))},
      {0, "E"},
      {0, StreamStartBytes(80)},
      {0, InBlock(80, table)},
      {140, row(80, "4")},
      {0, "E"},
      {0, StreamAbortBytes(80, 80)},
      {0, StreamStartBytes(70, false)},
      {150, InBlock(70, TruncateBytes({kTable}, 2))},
      {155, InBlock(70, MessageBytes(true, 155, "prefix", "content"))},
      {160, row(72, "5")},
      {0, "E"},
      {0, StreamAbortBytes(70, 72)},
      {210, StreamCommitBytes(70, 200, 210, 5)},
      {220, BeginBytes(250, 90)},
      {230, InsertBytes(kTable, TextTuple({"6", "whole"}))},
      {255, CommitBytes(250, 255)},
  };
}

// A row of all samples, as the server sends it where it is asked for the binary form, or is not.
std::vector<SentMessage> AllValues(bool binary) {
  constexpr uint32_t kTable = 5000;
  const std::vector<SampleValue> samples = SampleValues();
  std::vector<SentColumn> columns;
  std::vector<std::string> cells;
  for (const SampleValue& sample : samples) {
    columns.push_back({"c" + std::to_string(columns.size()), sample.type, true, sample.typmod});
    cells.push_back(binary ? BinaryCell(sample.binary) : TextCell(sample.text));
  }
  const std::vector<std::string> nulls(cells.size(), TextCell(std::nullopt));
  return {{0, BeginBytes(200, 70, 5)},
          {0, RelationBytes(kTable, "values", 'f', columns)},
          {100, InsertBytes(kTable, TupleOf(cells))},
          {110, UpdateBytes(kTable, 'O', TupleOf(cells), TupleOf(nulls))},
          {120, DeleteBytes(kTable, 'O', TupleOf(nulls))},
          {210, CommitBytes(200, 210, 5)}};
}

// Each sample in both forms, in front of it what the targets take.
void WriteValues(const std::string& directory) {
  const std::vector<SampleValue> samples = SampleValues();
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::string name = directory + std::to_string(samples[i].type) + "_" + std::to_string(i);
    std::ofstream(name + "_binary", std::ios::binary) << static_cast<char>(i) << '\1' << samples[i].binary;
    std::ofstream(name + "_text", std::ios::binary) << static_cast<char>(i) << '\0' << samples[i].text;
  }
}

void WriteCopies(const std::string& directory) {
  std::ofstream(directory + "whole", std::ios::binary) << '\0' << CopyStream();
  std::ofstream(directory + "bytes", std::ios::binary) << '\1' << CopyStream();
  std::ofstream(directory + "chunks", std::ios::binary)
      << '\17' << Signature() << Be32(0) << Be32(0) << Tuple(1, "x") << Tuple(2, std::string(2000, 'y'))
      << Be16(-1);
}

void WritePatterns(const std::string& directory) {
  const struct {
    const char* file;
    const char* pattern;
    const char* table;
  } kPatterns[] = {{"plain", "public.users", "users"},
                   {"wildcards", "public.user_?*", "user_1"},
                   {"class", "public.user_[0-9a-z^-]{2,4}", "user_2024"},
                   {"group", "p(ublic|rivate)+.(\"a.b\"|[!c]*)?x", "a.bx"},
                   {"quoted", "\"public\".\"a\"\"*b\"", "a\"*b"},
                   {"excluded", "!*.audit_*", "audit_1"},
                   {"letters", "public.[\u00e4-\u00fc]{2}", "\u00f6\u00e4"},
                   {"large", "a.((([a]{0,1000}){0,1000}){0,1000})", "a"},
                   {"fault", "public.[z-a]", "users"}};
  for (const auto& one : kPatterns) {
    std::ofstream(directory + one.file, std::ios::binary)
        << one.pattern << '\0' << "public" << '\0' << one.table;
  }
}

// What concerns rows in the recorded binlogs; of events that are large none, since damage would miss what
// matters in them.
constexpr size_t kBodyBytesMax = 4000;
constexpr const char* kRecorded[] = {"mysql_types",   "mysql_changes",   "mysql_statements",
                                     "mariadb_types", "mariadb_changes", "mariadb_statements"};

bool IsCompressed(uint8_t type) {
  const auto kind = mysql::RowsEventKindOf(type);
  return type == mysql::test::kTransactionPayloadEvent || type == 165 ||
         (kind.has_value() && kind->is_compressed);
}

void WriteEvents(const std::string& path, bool is_mysql,
                 const std::vector<mysql::test::RecordedEvent>& events,
                 const std::function<bool(uint8_t)>& concerns) {
  std::ofstream file(path, std::ios::binary);
  file.put(is_mysql ? 0 : 1);
  for (const auto& event : events) {
    if (!concerns(event.type) || event.body.size() > kBodyBytesMax) continue;
    const auto bytes = static_cast<uint32_t>(event.body.size());
    file.put(static_cast<char>(event.type));
    file.write(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
    file.write(reinterpret_cast<const char*>(event.body.data()), bytes);
  }
}

void WriteStatements(const std::string& path, const std::vector<mysql::test::RecordedEvent>& events) {
  int number = 0;
  for (const auto& recorded : events) {
    mysql::BinlogEvent event;
    event.header.type = static_cast<mysql::EventType>(recorded.type);
    event.body = recorded.body;
    if (event.header.type != mysql::EventType::kQuery) continue;
    const auto query = mysql::ReadQuery(event).ValueOrDie();
    if (query.text == "BEGIN" || query.text == "COMMIT") continue;
    std::ofstream(path + "_" + std::to_string(number++), std::ios::binary)
        << static_cast<char>((query.ansi_quotes ? 1 : 0) | (query.no_backslash_escapes ? 2 : 0))
        << static_cast<char>(query.schema.size()) << query.schema << query.text;
  }
}

void WritePayloads(const std::string& path, const std::vector<mysql::test::RecordedEvent>& events) {
  int number = 0;
  for (const auto& event : events) {
    if (!IsCompressed(event.type) || event.body.size() > kBodyBytesMax) continue;
    std::ofstream(path + "_" + std::to_string(number++), std::ios::binary)
        << static_cast<char>(event.type) << mysql::AsText(event.body);
  }
}

// The table "json" has one column: the nulls, a byte, and behind its length of four bytes the document. A
// change by differences has them behind the old document, options, a bit for the column, and again nulls.
void WriteJson(const std::string& path, const std::vector<mysql::test::RecordedEvent>& events) {
  int number = 0;
  std::string table;
  for (const auto& event : events) {
    if (event.type == mysql::test::kTableMapEvent)
      table = mysql::ReadTableMapHead(event.body).ValueOrDie().name.table;
    const auto kind = mysql::RowsEventKindOf(event.type);
    if (!kind.has_value() || table != "json" || kind->change == mysql::RowsEventKind::Change::kDelete)
      continue;
    mysql::ByteCursor cursor(mysql::ReadRowsEvent(*kind, event.body).ValueOrDie().rows);
    uint32_t size;
    std::span<const uint8_t> document;
    std::span<const uint8_t> diffs;
    if (!cursor.Skip(1) || !cursor.Read<4>(&size) || !cursor.ReadBytes(size, &document)) continue;
    if (kind->is_partial && (!cursor.Skip(3) || !cursor.Read<4>(&size) || !cursor.ReadBytes(size, &diffs)))
      continue;
    std::ofstream(path + std::to_string(number++), std::ios::binary)
        << static_cast<char>(document.size() & 0xff) << static_cast<char>(document.size() >> 8)
        << mysql::AsText(document) << mysql::AsText(diffs);
  }
}

void WriteBinlogs(const std::string& directory) {
  for (const std::string name : kRecorded) {
    const bool is_mysql = name.starts_with("mysql");
    const auto events = mysql::test::ReadRecorded(name);
    const auto unpacked = mysql::test::Unpack(events).ValueOrDie();
    WriteEvents(directory + "/mysql_rows/" + name, is_mysql, events, [](uint8_t type) {
      return type == mysql::test::kTableMapEvent || IsCompressed(type) ||
             mysql::RowDecoder::IsRowsEvent(type);
    });
    WriteEvents(directory + "/mysql_events/" + name, is_mysql, unpacked,
                [](uint8_t type) { return !IsCompressed(type) && !mysql::RowDecoder::IsRowsEvent(type); });
    WritePayloads(directory + "/mysql_payloads/" + name, events);
    if (name.ends_with("_statements")) WriteStatements(directory + "/mysql_statements/" + name, unpacked);
  }
  WriteJson(directory + "/mysql_json/document_",
            mysql::test::Unpack(mysql::test::ReadRecorded("mysql_statements")).ValueOrDie());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_corpus DIRECTORY\n";
    return 2;
  }
  const std::string directory = argv[1];
  WriteFrames(directory + "/wal2arrow_decoder/");
  WriteNumerics(directory + "/numeric/");
  WriteValues(directory + "/values/");
  WriteCopies(directory + "/copy_decoder/");
  WritePatterns(directory + "/table_patterns/");
  WriteBinlogs(directory);
  WriteMessages(directory + "/pgoutput_decoder/session", WholeSession());
  WriteMessages(directory + "/pgoutput_decoder/in_progress", InProgressMessages());
  WriteMessages(directory + "/pgoutput_decoder/binary", AllValues(/*binary=*/true));
  WriteMessages(directory + "/pgoutput_decoder/text", AllValues(/*binary=*/false));
  return 0;
}
