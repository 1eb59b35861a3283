// Reads docs/wire.md: the bytes of its worked example are decoded and compared with the values that stand
// beside them.
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "format/frame_reader.h"
#include "src/postgres/decode/wal2arrow/testing/frames.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace arrowcdc {
namespace {

using Row = std::vector<std::string>;

struct Example {
  std::vector<std::string> messages;     // the ```hex blocks
  std::vector<std::vector<Row>> tables;  // Markdown tables behind the heading, their header rows included
  std::string prose;
};

// "0019  57 41    comment" -> "\x57\x41"; the offset must be that of the first byte.
void AppendHexLine(const std::string& line, std::string* bytes) {
  ASSERT_EQ(std::stoul(line.substr(0, 4), nullptr, 16), bytes->size()) << line;
  for (size_t at = 6; at + 2 <= line.size() && line[at] != ' '; at += 3) {
    bytes->push_back(static_cast<char>(std::stoul(line.substr(at, 2), nullptr, 16)));
  }
}

std::string TextOf(const format::Frame& frame, format::SectionTag tag) {
  const format::SectionData& section = frame.section(tag);
  return {reinterpret_cast<const char*>(section.data), section.bytes};
}

Row Cells(const std::string& line) {
  Row cells;
  std::stringstream text(line.substr(1));
  for (std::string cell; std::getline(text, cell, '|');) {
    size_t first = cell.find_first_not_of(' ');
    size_t last = cell.find_last_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

Example ReadExample() {
  Example example;
  std::ifstream file(ARROWCDC_WIRE_MD);
  std::string line;
  while (std::getline(file, line) && line != "## A whole session, byte by byte") continue;
  bool in_hex = false;
  bool in_table = false;
  while (std::getline(file, line)) {
    if (line == "```hex") {
      example.messages.emplace_back();
      in_hex = true;
    } else if (line == "```") {
      in_hex = false;
    } else if (in_hex) {
      AppendHexLine(line, &example.messages.back());
    } else if (line.starts_with("|")) {
      if (!in_table) example.tables.emplace_back();
      if (!line.starts_with("|---")) example.tables.back().push_back(Cells(line));
    } else {
      example.prose += line + "\n";
    }
    in_table = line.starts_with("|");
  }
  return example;
}

// A cell as the document writes it: LSNs as PostgreSQL does, timestamps in microseconds, lists in brackets.
std::string TextOf(const arrow::RecordBatch& rows, const std::string& name, int64_t row) {
  auto column = rows.GetColumnByName(name);
  if (column == nullptr) return "no such column";
  if (column->IsNull(row)) return "null";
  if (name == "_commit_lsn" || name == "_lsn") {
    return FormatLsn(static_cast<const arrow::UInt64Array&>(*column).Value(row));
  }
  switch (column->type_id()) {
    case arrow::Type::DICTIONARY: {
      const auto& codes = static_cast<const arrow::DictionaryArray&>(*column);
      return static_cast<const arrow::StringArray&>(*codes.dictionary()).GetString(codes.GetValueIndex(row));
    }
    case arrow::Type::TIMESTAMP:
      return std::to_string(static_cast<const arrow::TimestampArray&>(*column).Value(row));
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(*column);
      const auto& values = static_cast<const arrow::StringArray&>(*list.values());
      std::string text;
      for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
        text += (text.empty() ? "[" : ", ") + values.GetString(i);
      }
      return text + "]";
    }
    default:
      return column->GetScalar(row).ValueOrDie()->ToString();
  }
}

TEST(WireDocument, WorkedExample) {
  Example example = ReadExample();
  ASSERT_EQ(example.messages.size(), 3u);
  ASSERT_EQ(example.tables.size(), 2u);

  Wal2arrowDecoder decoder(arrow::default_memory_pool(), test::kEpoch);
  std::optional<Event> last;
  for (const auto& message : example.messages) {
    ASSERT_GT(message.size(), 25u);
    auto event = decoder.Decode(test::Message::Make(message, 0), 25);
    ASSERT_TRUE(event.ok()) << event.status();
    last = *event;
  }

  format::Frame frame;
  format::FrameError error;
  format::HelloSection hello;
  const std::string first = example.messages[0].substr(25);
  ASSERT_TRUE(
      format::ReadFrame(reinterpret_cast<const uint8_t*>(first.data()), first.size(), &frame, &error));
  ASSERT_TRUE(format::ReadHello(frame, &hello, &error));
  const std::string options = TextOf(frame, format::SectionTag::kOptions);
  std::map<std::string, std::string> fields = {
      {"protocol_version", std::to_string(hello.protocol_version)},
      {"server_version_num", std::to_string(hello.server_version_num)},
      {"system_identifier", std::to_string(hello.system_identifier)},
      {"options", options.substr(0, options.find('\n'))},
      {"plugin_version", TextOf(frame, format::SectionTag::kPluginVersion)}};
  const auto& hello_rows = example.tables[0];
  ASSERT_EQ(hello_rows.size(), fields.size() + 1);
  for (size_t i = 1; i < hello_rows.size(); ++i) EXPECT_EQ(fields[hello_rows[i][0]], hello_rows[i][1]);

  ASSERT_TRUE(last.has_value());
  const auto& batch = std::get<ChangeBatch>(*last);
  EXPECT_EQ(ToString(batch.table->name), "public.items");
  EXPECT_EQ(batch.table->key_fields, std::vector<int>{0});
  EXPECT_TRUE(batch.group.group_end);
  EXPECT_NE(example.prose.find("`safe_lsn` " + FormatLsn(batch.group.safe->order) + " "), std::string::npos);
  const auto& expected = example.tables[1];
  EXPECT_EQ(batch.rows->schema()->field_names(), expected[0]);
  ASSERT_EQ(batch.rows->num_rows(), static_cast<int64_t>(expected.size()) - 1);
  for (size_t row = 1; row < expected.size(); ++row) {
    for (size_t i = 0; i < expected[0].size(); ++i) {
      EXPECT_EQ(TextOf(*batch.rows, expected[0][i], static_cast<int64_t>(row) - 1), expected[row][i])
          << expected[0][i];
    }
  }
}

// The rule that makes values usable without a copy, checked on the document's own bytes.
TEST(WireDocument, BodiesAreAligned) {
  Example example = ReadExample();
  for (size_t i = 1; i < example.messages.size(); ++i) {
    const std::string& message = example.messages[i];
    uint32_t header_bytes, metadata_bytes;
    memcpy(&header_bytes, message.data() + 25 + 8, 4);
    memcpy(&metadata_bytes, message.data() + 25 + header_bytes + 4, 4);
    EXPECT_EQ((25 + header_bytes + 8 + metadata_bytes) % 64, 0u);
  }
}

}  // namespace
}  // namespace arrowcdc
