// For tests: frames of a session. Headers by format/frame_writer.h, payloads by Arrow's own IPC writer.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/ipc/api.h>
#include <arrow/util/compression.h>

#include "format/frame_writer.h"
#include "format/testing/buffer.h"

namespace arrowcdc::test {

inline constexpr uint32_t kEpoch = 3;  // of the sessions

// A CopyData message as libpq hands it over: 25 bytes, the frame; malloc'ed to its exact size, so that ASan
// sees what lies beyond it.
class Message : public arrow::Buffer {
 public:
  static std::shared_ptr<arrow::Buffer> Make(const std::string& frame,
                                             size_t offset = format::kXLogDataHeaderBytes) {
    size_t bytes = offset + frame.size();
    auto* block = static_cast<uint8_t*>(malloc(bytes > 0 ? bytes : 1));
    if (block == nullptr) abort();
    memset(block, 'w', offset);
    std::copy(frame.begin(), frame.end(), block + offset);
    return std::shared_ptr<arrow::Buffer>(new Message(block, bytes));
  }
  ~Message() override { free(const_cast<uint8_t*>(data())); }

 private:
  Message(const uint8_t* block, size_t bytes) : Buffer(block, static_cast<int64_t>(bytes)) {}
};

struct TestTable {
  std::string schema_name = "public";
  std::string table_name = "items";
  uint32_t oid = 16385;
  char identity = 'd';
  arrow::FieldVector columns;
  arrow::FieldVector role_columns = {
      arrow::field("_op", arrow::int8(), true, arrow::key_value_metadata({"arrowcdc:role"}, {"op"})),
      arrow::field("_lsn", arrow::uint64(), true, arrow::key_value_metadata({"arrowcdc:role"}, {"lsn"})),
      arrow::field("_ord", arrow::uint16(), true, arrow::key_value_metadata({"arrowcdc:role"}, {"ord"}))};

  std::shared_ptr<arrow::Schema> wire_schema() const {
    arrow::FieldVector fields = columns;
    fields.insert(fields.end(), role_columns.begin(), role_columns.end());
    return arrow::schema(
        fields, arrow::key_value_metadata(
                    {"arrowcdc:schema", "arrowcdc:table", "arrowcdc:oid", "arrowcdc:replica_identity"},
                    {schema_name, table_name, std::to_string(oid), std::string(1, identity)}));
  }
  std::string payload() const { return arrow::ipc::SerializeSchema(*wire_schema()).ValueOrDie()->ToString(); }
  uint64_t fingerprint() const { return format::Fingerprint(payload().data(), payload().size()); }
};

inline std::string BatchPayload(const arrow::RecordBatch& batch,
                                arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = 64;
  if (compression != arrow::Compression::UNCOMPRESSED) {
    options.codec = arrow::util::Codec::Create(compression).ValueOrDie();
  }
  return arrow::ipc::SerializeRecordBatch(batch, options).ValueOrDie()->ToString();
}

// The part of an encapsulated message in front of its body.
inline size_t MetadataBytes(const std::string& payload) {
  uint32_t length = 0;
  if (payload.size() >= 8) memcpy(&length, payload.data() + 4, 4);
  return payload.empty() ? 0 : 8 + length;
}

// Makes frames with ascending sequence numbers.
class FrameFactory {
 public:
  uint16_t flags = 0;
  uint64_t safe_lsn = 0;
  uint32_t sequence = 0;

  std::string Hello(uint16_t protocol_version = 1, const std::string& options = "publication_names=p\n") {
    const format::HelloSection hello = {protocol_version, 0, 150020, 7300000000000000001};
    return Frame(format::FrameKind::kHello, "",
                 {{format::SectionTag::kHello, BytesOf(hello)},
                  {format::SectionTag::kOptions, options},
                  {format::SectionTag::kPluginVersion, "0.1.0"}});
  }

  std::string Schema(const TestTable& table) { return Schema(table, table.payload()); }

  std::string Schema(const TestTable& table, const std::string& payload) {
    const format::TableSection section = {format::Fingerprint(payload.data(), payload.size()),
                                          table.oid,
                                          static_cast<uint8_t>(table.identity),
                                          {},
                                          static_cast<uint16_t>(table.schema_name.size()),
                                          static_cast<uint16_t>(table.table_name.size()),
                                          0};
    return Frame(format::FrameKind::kSchema, payload,
                 {{format::SectionTag::kTable, BytesOf(section) + table.schema_name + table.table_name}});
  }

  std::string Batch(const TestTable& table, uint32_t rows, const std::string& payload,
                    const std::vector<format::TransactionEntry>& transactions,
                    const std::vector<format::CellEntry>& unchanged = {},
                    const std::vector<format::CellEntry>& unrepresentable = {}) {
    const format::BatchSection section = {table.fingerprint(), table.oid, rows};
    Sections sections = {{format::SectionTag::kBatch, BytesOf(section)}};
    AddEntries(format::SectionTag::kTransactions, transactions, &sections);
    AddEntries(format::SectionTag::kUnchanged, unchanged, &sections);
    AddEntries(format::SectionTag::kUnrepresentable, unrepresentable, &sections);
    return Frame(format::FrameKind::kBatch, payload, sections);
  }

  std::string Truncate(const std::vector<TestTable>& tables, format::TransactionEntry transaction) {
    std::string list = BytesOf(format::TruncateSection{900, 1, 0, 0, static_cast<uint32_t>(tables.size())});
    for (size_t i = 0; i < tables.size(); ++i) {
      list +=
          BytesOf(format::TruncateEntry{tables[i].fingerprint(), tables[i].oid, static_cast<uint16_t>(i), 0});
    }
    return Frame(
        format::FrameKind::kTruncate, "",
        {{format::SectionTag::kTruncate, list}, {format::SectionTag::kTransactions, BytesOf(transaction)}});
  }

  // transactions: one, or none where the message is of none.
  std::string LogicalMessage(const format::MessageSection& section, const std::string& prefix,
                             const std::string& content,
                             const std::vector<format::TransactionEntry>& transactions = {}) {
    Sections sections = {{format::SectionTag::kMessage, BytesOf(section) + prefix}};
    AddEntries(format::SectionTag::kTransactions, transactions, &sections);
    return Frame(format::FrameKind::kMessage, content, sections);
  }

  struct NoticeName {
    uint32_t oid;
    std::string schema;
    std::string table;
  };
  std::string Notice(const format::NoticeSection& section, const std::vector<NoticeName>& names) {
    std::string list;
    for (const NoticeName& name : names) {
      list += BytesOf(format::NameEntry{name.oid, static_cast<uint16_t>(name.schema.size()),
                                        static_cast<uint16_t>(name.table.size())});
      list += name.schema + name.table;
    }
    return Frame(format::FrameKind::kNotice, "",
                 {{format::SectionTag::kNotice, BytesOf(section)}, {format::SectionTag::kNames, list}});
  }

  // Of a transaction in progress; of a stream stop all are 0.
  std::string Stream(format::FrameKind kind, const format::StreamSection& section) {
    return Frame(kind, "", {{format::SectionTag::kStream, BytesOf(section)}});
  }

  std::string Bare(format::FrameKind kind, const std::string& payload = "") {
    return Frame(kind, payload, {});
  }

  // The frame's payload in parts of `part_bytes`, the frame itself with the first of them.
  std::vector<std::string> Split(const std::string& frame, size_t part_bytes) {
    uint32_t header_bytes;
    memcpy(&header_bytes, frame.data() + 8, 4);
    std::vector<std::string> frames = {frame.substr(0, header_bytes + part_bytes)};
    frames[0][4] = static_cast<char>(frames[0][4] | format::kFlagMore);
    for (size_t at = header_bytes + part_bytes; at < frame.size(); at += part_bytes) {
      flags = at + part_bytes < frame.size() ? static_cast<uint16_t>(format::kFlagMore) : 0;
      frames.push_back(Bare(format::FrameKind::kContinuation, frame.substr(at, part_bytes)));
    }
    flags = 0;
    return frames;
  }

 private:
  using Sections = std::vector<std::pair<format::SectionTag, std::string>>;

  std::string Frame(format::FrameKind kind, const std::string& payload, const Sections& sections) {
    std::vector<format::Section> written;
    for (const auto& [tag, data] : sections) written.push_back({tag, data.data(), data.size()});
    const bool is_arrow = kind == format::FrameKind::kSchema || kind == format::FrameKind::kBatch;
    format::TestBuffer out;
    format::AppendFrameHeader({.kind = kind,
                               .flags = flags,
                               .sequence = sequence++,
                               .safe_lsn = safe_lsn,
                               .sections = written.data(),
                               .section_count = static_cast<int32_t>(written.size()),
                               .metadata_bytes = is_arrow ? MetadataBytes(payload) : 0,
                               .payload_bytes = payload.size()},
                              out.get());
    return std::string(out.view()) + payload;
  }

  template <typename Value>
  static std::string BytesOf(const Value& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <typename Entry>
  static void AddEntries(format::SectionTag tag, const std::vector<Entry>& entries, Sections* sections) {
    std::string list;
    for (const Entry& entry : entries) list += BytesOf(entry);
    if (!entries.empty()) sections->emplace_back(tag, list);
  }
};

}  // namespace arrowcdc::test
