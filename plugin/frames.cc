// Writing frames.
#include "plugin/frames.h"

#include "plugin/open_batches.h"
#include "plugin/options.h"
#include "plugin/version.h"

namespace arrowcdc::plugin {

namespace {

using format::FrameDraft;
using format::FrameKind;
using format::Section;
using format::SectionTag;

void SetSections(FrameDraft* frame, const Section* sections, int32_t count) {
  frame->sections = sections;
  frame->section_count = count;
}

void SendHello(Frames* frames) {
  FrameStream* const stream = &frames->stream;
  if (stream->begun) return;
  PrepareHello(frames);
  FrameDraft frame = BeginFrame(stream, FrameKind::kHello, 0);
  const char* const version_num = GetConfigOption("server_version_num", false, false);
  const format::HelloSection hello{frames->options->protocol, 0,
                                   static_cast<uint32_t>(strtoul(version_num, nullptr, 10)),
                                   GetSystemIdentifier()};
  const char* const options = frames->options_in_force;
  const Section sections[] = {{SectionTag::kHello, &hello, sizeof(hello)},
                              {SectionTag::kOptions, options, strlen(options)},
                              {SectionTag::kPluginVersion, kPluginVersion, strlen(kPluginVersion)}};
  SetSections(&frame, sections, lengthof(sections));
  SendFrame(stream, frame);
  stream->begun = true;
}

void SendStream(Frames* frames, FrameKind kind, uint16_t flags, const format::StreamSection& said) {
  FrameDraft frame = BeginFrame(&frames->stream, kind, flags);
  const Section section{SectionTag::kStream, &said, sizeof(said)};
  SetSections(&frame, &section, 1);
  SendFrame(&frames->stream, frame);
}

// What goes before any frame of rows or about them.
void SendBeginnings(Frames* frames) {
  SendHello(frames);
  if (!TransactionIdIsValid(frames->block_xid) || frames->block_begun) return;
  SendStream(frames, FrameKind::kStreamStart, format::kFlagInProgress, {frames->block_xid, 0, 0, 0});
  frames->block_begun = true;
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
    if (column->layout == Layout::kFixed || column->layout == Layout::kBits ||
        column->layout == Layout::kVariable) {
      AddBuffer(&column->data, column->data.size);
    }
    for (int32_t i = 0; i < column->children_count; ++i) AddColumn(&column->children[i]);
  }
};

void WriteBody(PayloadWriter* writer, const PublishedTable* table, int32_t buffers, const BodyPart* parts) {
  for (int32_t i = 0; i < buffers; ++i) {
    const size_t size = static_cast<size_t>(table->refs[i].length);
    if (parts == nullptr) {
      writer->Write(table->buffers[i]->data, size);
    } else if (size > 0) {
      writer->Write(&parts[i].prefix, sizeof(parts[i].prefix));
      writer->Write(parts[i].data, parts[i].size);
    }
    writer->WriteZeros(format::RoundUp(size, format::kBufferAlignment) - size);
  }
}

}  // namespace

void PrepareHello(Frames* frames) {
  if (frames->options_in_force != nullptr) return;
  frames->options_in_force =
      MemoryContextStrdup(frames->text->context, DescribeOptions(*frames->options, frames->text));
}

void SendSchema(Frames* frames, PublishedTable* table) {
  if (table->schema_sent) return;
  SendHello(frames);
  const size_t schema_name_bytes = strlen(table->schema_name);
  const size_t table_name_bytes = strlen(table->table_name);
  format::TableSection said{};
  said.fingerprint = table->fingerprint;
  said.relation_oid = table->relid;
  said.replica_identity = static_cast<uint8_t>(table->replica_identity);
  said.schema_name_bytes = static_cast<uint16_t>(schema_name_bytes);
  said.table_name_bytes = static_cast<uint16_t>(table_name_bytes);
  format::ByteBuffer* const data = &frames->section;
  data->size = 0;
  format::AppendValue(data, said);
  format::Append(data, table->schema_name, schema_name_bytes);
  format::Append(data, table->table_name, table_name_bytes);

  FrameDraft frame = BeginFrame(&frames->stream, FrameKind::kSchema, 0);
  const Section section{SectionTag::kTable, data->data, data->size};
  SetSections(&frame, &section, 1);
  frame.metadata_bytes = frame.payload_bytes = table->schema_bytes;
  SendFrame(&frames->stream, frame, table->schema_message);
  table->schema_sent = true;
}

void SendBatch(Frames* frames, PublishedTable* table, uint16_t flags) {
  SendBeginnings(frames);
  const Batch& batch = table->batch;
  BodyLayout body{table, 0, 0, 0};
  for (int32_t i = 0; i < CountColumns(table); ++i) body.AddColumn(&table->columns[i]);
  const BodyPart* const parts =
      CompressBody(frames->compressor, table->buffers, body.buffers, table->refs, &body.bytes);
  const format::BodyCodec codec = parts != nullptr ? frames->options->compression : format::BodyCodec::kNone;

  FrameDraft frame = BeginFrame(&frames->stream, FrameKind::kBatch, flags);
  const format::BatchSection said{table->fingerprint, table->relid, batch.rows};
  Section sections[4] = {{SectionTag::kBatch, &said, sizeof(said)},
                         {SectionTag::kTransactions, batch.transactions.data, batch.transactions.size}};
  int32_t count = 2;
  if (batch.unchanged.size > 0) {
    sections[count++] = {SectionTag::kUnchanged, batch.unchanged.data, batch.unchanged.size};
  }
  if (batch.unrepresentable.size > 0) {
    sections[count++] = {SectionTag::kUnrepresentable, batch.unrepresentable.data,
                         batch.unrepresentable.size};
  }
  SetSections(&frame, sections, count);
  frame.metadata_bytes = format::RecordBatchMetadataBytes(body.nodes, body.buffers, codec);
  frame.payload_bytes = frame.metadata_bytes + static_cast<uint64_t>(body.bytes);

  format::ByteBuffer* const metadata = &frames->metadata;
  metadata->size = 0;
  format::WriteRecordBatchMetadata(batch.rows, table->nodes, body.nodes, table->refs, body.buffers,
                                   body.bytes, metadata, codec);
  PayloadWriter writer(&frames->stream, frame);
  writer.Write(metadata->data, metadata->size);
  WriteBody(&writer, table, body.buffers, parts);
  writer.End();
  TrimCompressor(frames->compressor);
}

void SendProgress(Frames* frames, uint16_t flags) {
  SendFrame(&frames->stream, BeginFrame(&frames->stream, FrameKind::kProgress, flags));
}

void SendStreamStop(Frames* frames) {
  if (!frames->block_begun) return;
  SendStream(frames, FrameKind::kStreamStop, format::kFlagInProgress, {frames->block_xid, 0, 0, 0});
}

void SendStreamAbort(Frames* frames, TransactionId xid, TransactionId subxid) {
  SendStream(frames, FrameKind::kStreamAbort, format::kFlagInProgress, {xid, subxid, 0, 0});
}

void SendStreamCommit(Frames* frames, TransactionId xid, uint64_t commit_lsn, int64_t commit_ts) {
  SendStream(frames, FrameKind::kStreamCommit, format::kFlagGroupEnd, {xid, 0, commit_lsn, commit_ts});
}

void SendNotice(Frames* frames, const format::NoticeSection& notice, const format::ByteBuffer& names) {
  SendBeginnings(frames);
  const uint16_t in_progress = MiddleFlag(*frames) & format::kFlagInProgress;
  FrameDraft frame = BeginFrame(&frames->stream, FrameKind::kNotice, format::kFlagOptional | in_progress);
  const Section sections[] = {{SectionTag::kNotice, &notice, sizeof(notice)},
                              {SectionTag::kNames, names.data, names.size}};
  SetSections(&frame, sections, lengthof(sections));
  SendFrame(&frames->stream, frame);
}

void SendTruncate(Frames* frames, const Truncate& truncate, const Transaction& transaction) {
  SendBeginnings(frames);
  format::TruncateSection said{};
  said.lsn = truncate.lsn;
  said.cascade = truncate.cascade;
  said.restart_identity = truncate.restart_identity;
  said.tables = truncate.count;
  format::ByteBuffer* const data = &frames->section;
  data->size = 0;
  format::AppendValue(data, said);
  for (uint32_t i = 0; i < truncate.count; ++i) {
    format::TruncateEntry entry{};
    entry.fingerprint = truncate.tables[i]->fingerprint;
    entry.relation_oid = truncate.tables[i]->relid;
    entry.ord = static_cast<uint16_t>(i);
    format::AppendValue(data, entry);
  }

  FrameDraft frame = BeginFrame(&frames->stream, FrameKind::kTruncate, MiddleFlag(*frames));
  const format::TransactionEntry entry = MakeEntry(transaction, 0);
  const Section sections[] = {{SectionTag::kTruncate, data->data, data->size},
                              {SectionTag::kTransactions, &entry, sizeof(entry)}};
  SetSections(&frame, sections, lengthof(sections));
  SendFrame(&frames->stream, frame);
}

void SendMessage(Frames* frames, const Message& message, const Transaction* transaction, uint16_t flags) {
  SendBeginnings(frames);
  const char* const prefix = ConvertPrefix(frames->text, message.prefix);
  const size_t prefix_bytes = prefix == nullptr ? 0 : strlen(prefix);
  format::MessageSection said{};
  said.end_lsn = message.end_lsn;
  said.transactional = message.transactional;
  said.no_prefix = prefix == nullptr;
  said.prefix_bytes = static_cast<uint16_t>(prefix_bytes);
  format::ByteBuffer* const data = &frames->section;
  data->size = 0;
  format::AppendValue(data, said);
  format::Append(data, prefix, prefix_bytes);

  FrameDraft frame = BeginFrame(&frames->stream, FrameKind::kMessage, flags);
  format::TransactionEntry entry{};
  Section sections[2] = {{SectionTag::kMessage, data->data, data->size}};
  int32_t count = 1;
  if (transaction != nullptr) {
    entry = MakeEntry(*transaction, 0);
    sections[count++] = {SectionTag::kTransactions, &entry, sizeof(entry)};
  }
  SetSections(&frame, sections, count);
  frame.payload_bytes = message.content_bytes;
  SendFrame(&frames->stream, frame, message.content);
}

}  // namespace arrowcdc::plugin
