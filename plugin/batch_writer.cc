// Writing frames.
#include "plugin/batch_writer.h"

#include "format/frame_writer.h"
#include "plugin/compression.h"
#include "plugin/frame_stream.h"
#include "plugin/options.h"
#include "plugin/relation_cache.h"
#include "plugin/row_writer.h"
#include "plugin/text.h"
#include "plugin/version.h"

namespace arrowcdc::plugin {

namespace {

using format::FrameKind;
using format::FrameWriter;
using format::SectionTag;

// Memory that tables keep between batches, all together.
constexpr uint64_t kKeptBytesMax = 16 << 20;

FrameWriter BeginFrame(Session* session, FrameKind kind, uint16_t flags) {
  session->header.size = 0;
  if (session->group.marked && (flags & format::kFlagGroupEnd) == 0) flags |= format::kFlagDirty;
  return FrameWriter(&session->header, kind, flags, session->sequence++, session->safe_lsn);
}

// A frame without payload, or with one piece of it.
void SendFrame(Session* session, const void* payload, size_t payload_bytes) {
  FrameStream stream(session, payload_bytes);
  stream.Write(payload, payload_bytes);
  stream.End();
}

void SendHello(Session* session) {
  session->hello_sent = true;
  FrameWriter frame = BeginFrame(session, FrameKind::kHello, 0);
  const char* const version_num = GetConfigOption("server_version_num", false, false);
  const format::HelloSection hello{session->options.protocol, 0,
                                   static_cast<uint32_t>(strtoul(version_num, nullptr, 10)),
                                   GetSystemIdentifier()};
  frame.AddSection(SectionTag::kHello, &hello, sizeof(hello));
  const char* const options = DescribeOptions(session);
  frame.AddSection(SectionTag::kOptions, options, strlen(options));
  frame.AddSection(SectionTag::kPluginVersion, kPluginVersion, strlen(kPluginVersion));
  frame.Finish(0, 0);
  SendFrame(session, nullptr, 0);
}

void BeginFrames(Session* session) {
  if (!session->hello_sent) SendHello(session);
  session->group.sent = true;
}

void SendSchema(Session* session, PublishedTable* table) {
  if (table->schema_sent) return;
  table->schema_sent = true;
  const size_t schema_name_bytes = strlen(table->schema_name);
  const size_t table_name_bytes = strlen(table->table_name);
  format::TableSection section{};
  section.fingerprint = table->fingerprint;
  section.relation_oid = table->relid;
  section.replica_identity = static_cast<uint8_t>(table->replica_identity);
  section.schema_name_bytes = static_cast<uint16_t>(schema_name_bytes);
  section.table_name_bytes = static_cast<uint16_t>(table_name_bytes);

  FrameWriter frame = BeginFrame(session, FrameKind::kSchema, 0);
  frame.BeginSection(SectionTag::kTable);
  format::AppendValue(&session->header, section);
  format::Append(&session->header, table->schema_name, schema_name_bytes);
  format::Append(&session->header, table->table_name, table_name_bytes);
  frame.EndSection();
  frame.Finish(table->schema_bytes, table->schema_bytes);
  SendFrame(session, table->schema_message, table->schema_bytes);
}

format::TransactionEntry EntryOf(const Transaction& transaction, uint32_t rows) {
  return {transaction.commit_lsn, transaction.commit_ts, transaction.xid, rows};
}

// From the place of each transaction's first row to how many rows it has.
void CountTransactionRows(PublishedTable* table) {
  const size_t count = table->transactions.size / sizeof(format::TransactionEntry);
  uint32_t end = table->rows;
  for (size_t i = count; i-- > 0;) {
    uint8_t* const at = table->transactions.data + i * sizeof(format::TransactionEntry) +
                        offsetof(format::TransactionEntry, rows);
    uint32_t begin;
    memcpy(&begin, at, sizeof(begin));
    const uint32_t rows = end - begin;
    memcpy(at, &rows, sizeof(rows));
    end = begin;
  }
}

// Walks the columns depth first, as Arrow orders nodes and buffers.
struct BodyLayout {
  PublishedTable* table;
  int32_t nodes;
  int32_t buffers;
  int64_t bytes;

  void AddBuffer(const Buffer* buffer, size_t size) {
    table->buffers[buffers] = buffer;
    table->refs[buffers] = format::BufferRef{bytes, static_cast<int64_t>(size)};
    bytes += static_cast<int64_t>(format::RoundUp(size, format::kBufferAlignment));
    ++buffers;
  }

  void AddColumn(Column* column) {
    table->nodes[nodes++] = format::FieldNode{column->length, column->null_count};
    AddBuffer(&column->validity, column->validity.size);
    if (column->layout == Layout::kVariable || column->layout == Layout::kList) {
      AddBuffer(&column->offsets, column->offsets.size);
    }
    if (column->layout != Layout::kList && column->layout != Layout::kStruct) {
      AddBuffer(&column->data, column->data.size);
    }
    for (int32_t i = 0; i < column->children_count; ++i) AddColumn(&column->children[i]);
  }
};

void SendBatch(Session* session, PublishedTable* table, uint16_t flags) {
  SealRows(table);
  session->group.sent_bytes += table->bytes;
  BodyLayout body{table, 0, 0, 0};
  for (int32_t i = 0; i < table->column_count + kMetadataColumns; ++i) body.AddColumn(&table->columns[i]);
  const BodyPart* const parts =
      CompressBody(session->compressor, table->buffers, body.buffers, table->refs, &body.bytes);
  const format::BodyCodec codec = parts != nullptr ? session->options.compression : format::BodyCodec::kNone;

  FrameWriter frame = BeginFrame(session, FrameKind::kBatch, flags);
  const format::BatchSection section{table->fingerprint, table->relid, table->rows};
  frame.AddSection(SectionTag::kBatch, &section, sizeof(section));
  CountTransactionRows(table);
  frame.AddSection(SectionTag::kTransactions, table->transactions.data, table->transactions.size);
  if (table->unchanged.size > 0) {
    frame.AddSection(SectionTag::kUnchanged, table->unchanged.data, table->unchanged.size);
  }
  if (table->unrepresentable.size > 0) {
    frame.AddSection(SectionTag::kUnrepresentable, table->unrepresentable.data, table->unrepresentable.size);
  }
  const size_t metadata_bytes = format::RecordBatchMetadataBytes(body.nodes, body.buffers, codec);
  const uint64_t payload_bytes = metadata_bytes + static_cast<uint64_t>(body.bytes);
  frame.Finish(metadata_bytes, payload_bytes);

  session->metadata.size = 0;
  format::WriteRecordBatchMetadata(table->rows, table->nodes, body.nodes, table->refs, body.buffers,
                                   body.bytes, &session->metadata, codec);
  FrameStream stream(session, payload_bytes);
  stream.Write(session->metadata.data, session->metadata.size);
  for (int32_t i = 0; i < body.buffers; ++i) {
    const size_t size = static_cast<size_t>(table->refs[i].length);
    if (parts == nullptr) {
      stream.Write(table->buffers[i]->data, size);
    } else if (size > 0) {
      stream.Write(&parts[i].prefix, sizeof(parts[i].prefix));
      stream.Write(parts[i].data, parts[i].size);
    }
    stream.WriteZeros(format::RoundUp(size, format::kBufferAlignment) - size);
  }
  stream.End();
  TrimCompressor(session->compressor);
}

uint64_t TableCapacity(const PublishedTable* table) {
  uint64_t bytes = table->transactions.capacity + table->unchanged.capacity + table->unrepresentable.capacity;
  for (int32_t i = 0; i < table->column_count + kMetadataColumns; ++i)
    bytes += ColumnCapacity(&table->columns[i]);
  return bytes;
}

void ReleaseCells(Buffer* cells) {
  if (cells->data != nullptr) pfree(cells->data);
  *cells = Buffer{nullptr, 0, 0};
}

// Takes the table off the open ones; its memory stays with it while there is little of that.
void CloseBatch(Session* session, PublishedTable* table) {
  (table->open_previous != nullptr ? table->open_previous->open_next : session->open_first) =
      table->open_next;
  (table->open_next != nullptr ? table->open_next->open_previous : session->open_last) = table->open_previous;
  table->open_previous = table->open_next = nullptr;
  table->target->open = nullptr;
  session->open_bytes -= table->bytes;
  session->open_columns -= table->column_count + kMetadataColumns;
  table->rows = 0;
  table->bytes = 0;
  table->transaction = 0;
  table->transactions.size = table->unchanged.size = table->unrepresentable.size = 0;

  const uint64_t capacity = TableCapacity(table);
  const bool keep =
      capacity <= 4 * session->options.batch_bytes && session->kept_bytes + capacity <= kKeptBytesMax;
  for (int32_t i = 0; i < table->column_count + kMetadataColumns; ++i) {
    keep ? ResetColumn(&table->columns[i]) : ReleaseColumn(&table->columns[i]);
  }
  if (keep) {
    session->kept_bytes += capacity;
    table->kept_bytes = capacity;
  } else {
    ReleaseCells(&table->transactions);
    ReleaseCells(&table->unchanged);
    ReleaseCells(&table->unrepresentable);
  }
}

void FlushTable(Session* session, PublishedTable* table, uint16_t flags) {
  BeginFrames(session);
  SendSchema(session, table);
  SendBatch(session, table, flags);
  CloseBatch(session, table);
}

void SendProgress(Session* session, uint16_t flags) {
  FrameWriter frame = BeginFrame(session, FrameKind::kProgress, flags);
  frame.Finish(0, 0);
  SendFrame(session, nullptr, 0);
}

void SendOpenSchemas(Session* session) {
  BeginFrames(session);
  for (PublishedTable* table = session->open_first; table != nullptr; table = table->open_next) {
    SendSchema(session, table);
  }
}

}  // namespace

void OpenBatchSlow(Session* session, PublishedTable* table) {
  const bool opened = table->rows == 0;
  if (opened && table->target->open != nullptr) FlushOpenBatches(session);
  const format::TransactionEntry entry = EntryOf(session->transaction, table->rows);
  Append(table->context, &table->transactions, &entry, sizeof(entry));
  table->transaction = session->transaction.number;
  session->transaction.touched = true;
  table->bytes += sizeof(entry);
  session->open_bytes += sizeof(entry);
  if (!opened) return;
  session->kept_bytes -= table->kept_bytes;
  table->kept_bytes = 0;
  table->target->open = table;
  table->open_previous = session->open_last;
  table->open_next = nullptr;
  (session->open_last != nullptr ? session->open_last->open_next : session->open_first) = table;
  session->open_last = table;
  session->open_columns += table->column_count + kMetadataColumns;
}

void FlushIfFull(Session* session, PublishedTable* table) {
  if (table->bytes >= session->options.batch_bytes) {
    FlushTable(session, table, format::kFlagTxnIncomplete);
  } else if (session->open_bytes >= kOpenBatches * session->options.batch_bytes ||
             session->open_columns >= kOpenColumns) {
    FlushOpenBatches(session);
  }
}

void FlushOpenBatches(Session* session) {
  if (session->open_first == nullptr) return;
  SendOpenSchemas(session);
  while (session->open_first != nullptr) FlushTable(session, session->open_first, format::kFlagTxnIncomplete);
}

void FlushNamesakes(Session* session, const PublishedTable* table) {
  for (const PublishedTable* open = session->open_first; open != nullptr; open = open->open_next) {
    if (open->relid == table->relid || strcmp(open->table_name, table->table_name) != 0 ||
        strcmp(open->schema_name, table->schema_name) != 0) {
      continue;
    }
    FlushOpenBatches(session);
    return;
  }
}

void SendGroup(Session* session) {
  if (session->open_first != nullptr) {
    session->more_follows = true;
    SendOpenSchemas(session);
    while (session->open_first != session->open_last) {
      FlushTable(session, session->open_first, format::kFlagTxnIncomplete);
    }
    session->more_follows = false;
    session->safe_lsn = session->group.whole_lsn;
    FlushTable(session, session->open_first, format::kFlagGroupEnd);
  } else {
    session->safe_lsn = session->group.whole_lsn;
    SendProgress(session, format::kFlagGroupEnd);
  }
}

bool WriteDirtyMark(Session* session) {
  if (!session->hello_sent) return false;
  session->group.marked = session->group.sent = true;
  FrameWriter frame = BeginFrame(session, FrameKind::kProgress, format::kFlagTxnIncomplete);
  frame.Finish(0, 0);
  return true;
}

void SendNotice(Session* session, const format::NoticeSection& notice, const format::ByteBuffer& names) {
  if (!session->hello_sent) SendHello(session);
  FrameWriter frame = BeginFrame(session, FrameKind::kNotice, format::kFlagOptional);
  frame.AddSection(SectionTag::kNotice, &notice, sizeof(notice));
  frame.AddSection(SectionTag::kNames, names.data, names.size);
  frame.Finish(0, 0);
  SendFrame(session, nullptr, 0);
}

void WriteTruncate(Session* session, PublishedTable* const* tables, uint32_t count, uint64_t lsn,
                   bool cascade, bool restart_identity) {
  session->transaction.touched = true;
  FlushOpenBatches(session);
  BeginFrames(session);
  for (uint32_t i = 0; i < count; ++i) SendSchema(session, tables[i]);

  FrameWriter frame = BeginFrame(session, FrameKind::kTruncate, format::kFlagTxnIncomplete);
  format::TruncateSection section{};
  section.lsn = lsn;
  section.cascade = cascade;
  section.restart_identity = restart_identity;
  section.tables = count;
  frame.BeginSection(SectionTag::kTruncate);
  format::AppendValue(&session->header, section);
  for (uint32_t i = 0; i < count; ++i) {
    format::TruncateEntry entry{};
    entry.fingerprint = tables[i]->fingerprint;
    entry.relation_oid = tables[i]->relid;
    entry.ord = static_cast<uint16_t>(i);
    format::AppendValue(&session->header, entry);
  }
  frame.EndSection();
  const format::TransactionEntry transaction = EntryOf(session->transaction, 0);
  frame.AddSection(SectionTag::kTransactions, &transaction, sizeof(transaction));
  frame.Finish(0, 0);
  SendFrame(session, nullptr, 0);
}

}  // namespace arrowcdc::plugin
