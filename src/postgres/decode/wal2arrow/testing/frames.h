// For tests: frames of a session. Headers by format/frame_writer.h, payloads by Arrow's own IPC writer.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
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
  static std::shared_ptr<arrow::Buffer> Make(const std::string& frame, size_t offset = 25) {
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

  std::string Hello(uint16_t protocol_version = 1) {
    return Frame(format::FrameKind::kHello, "", [&](format::FrameWriter& frame) {
      format::HelloSection hello = {protocol_version, 0, 150020, 7300000000000000001};
      frame.AddSection(format::SectionTag::kHello, &hello, sizeof(hello));
      frame.AddSection(format::SectionTag::kOptions, "publication_names=p\n", 20);
      frame.AddSection(format::SectionTag::kPluginVersion, "0.1.0", 5);
    });
  }

  std::string Schema(const TestTable& table) { return Schema(table, table.payload()); }

  std::string Schema(const TestTable& table, const std::string& payload) {
    return Frame(format::FrameKind::kSchema, payload, [&](format::FrameWriter& frame) {
      format::TableSection section = {format::Fingerprint(payload.data(), payload.size()),
                                      table.oid,
                                      static_cast<uint8_t>(table.identity),
                                      {},
                                      static_cast<uint16_t>(table.schema_name.size()),
                                      static_cast<uint16_t>(table.table_name.size()),
                                      0};
      std::string names = table.schema_name + table.table_name;
      frame.BeginSection(format::SectionTag::kTable);
      format::AppendValue(buffer_, section);
      format::Append(buffer_, names.data(), names.size());
      frame.EndSection();
    });
  }

  std::string Batch(const TestTable& table, uint32_t rows, const std::string& payload,
                    const std::vector<format::TransactionEntry>& transactions,
                    const std::vector<format::CellEntry>& unchanged = {},
                    const std::vector<format::CellEntry>& unrepresentable = {}) {
    return Frame(format::FrameKind::kBatch, payload, [&](format::FrameWriter& frame) {
      format::BatchSection section = {table.fingerprint(), table.oid, rows};
      frame.AddSection(format::SectionTag::kBatch, &section, sizeof(section));
      Entries(frame, format::SectionTag::kTransactions, transactions);
      Entries(frame, format::SectionTag::kUnchanged, unchanged);
      Entries(frame, format::SectionTag::kUnrepresentable, unrepresentable);
    });
  }

  std::string Truncate(const std::vector<TestTable>& tables, format::TransactionEntry transaction) {
    return Frame(format::FrameKind::kTruncate, "", [&](format::FrameWriter& frame) {
      frame.BeginSection(format::SectionTag::kTruncate);
      format::AppendValue(buffer_,
                          format::TruncateSection{900, 1, 0, 0, static_cast<uint32_t>(tables.size())});
      for (size_t i = 0; i < tables.size(); ++i) {
        format::AppendValue(buffer_, format::TruncateEntry{tables[i].fingerprint(), tables[i].oid,
                                                           static_cast<uint16_t>(i), 0});
      }
      frame.EndSection();
      Entries(frame, format::SectionTag::kTransactions, std::vector{transaction});
    });
  }

  struct NoticeName {
    uint32_t oid;
    std::string schema;
    std::string table;
  };
  std::string Notice(const format::NoticeSection& section, const std::vector<NoticeName>& names) {
    return Frame(format::FrameKind::kNotice, "", [&](format::FrameWriter& frame) {
      frame.AddSection(format::SectionTag::kNotice, &section, sizeof(section));
      frame.BeginSection(format::SectionTag::kNames);
      for (const NoticeName& name : names) {
        const std::string both = name.schema + name.table;
        format::AppendValue(buffer_, format::NameEntry{name.oid, static_cast<uint16_t>(name.schema.size()),
                                                       static_cast<uint16_t>(name.table.size())});
        format::Append(buffer_, both.data(), both.size());
      }
      frame.EndSection();
    });
  }

  std::string Bare(format::FrameKind kind, const std::string& payload = "") {
    return Frame(kind, payload, [](format::FrameWriter&) {});
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
  template <typename AddSections>
  std::string Frame(format::FrameKind kind, const std::string& payload, AddSections add_sections) {
    format::TestBuffer out;
    buffer_ = out.get();
    format::FrameWriter frame(buffer_, kind, flags, sequence++, safe_lsn);
    add_sections(frame);
    bool is_arrow = kind == format::FrameKind::kSchema || kind == format::FrameKind::kBatch;
    frame.Finish(is_arrow ? MetadataBytes(payload) : 0, payload.size());
    format::Append(buffer_, payload.data(), payload.size());
    return std::string(out.view());
  }

  template <typename Entry>
  void Entries(format::FrameWriter& frame, format::SectionTag tag, const std::vector<Entry>& entries) {
    if (!entries.empty()) frame.AddSection(tag, entries.data(), sizeof(Entry) * entries.size());
  }

  format::ByteBuffer* buffer_ = nullptr;
};

}  // namespace arrowcdc::test
