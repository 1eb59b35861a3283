// One session of wal2arrow: order of frames, tables announced, parts put together, events made.
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

#include <algorithm>
#include <climits>
#include <exception>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/memory_pool.h>

#include "arrowcdc/error.h"
#include "format/frame_reader.h"
#include "src/change/message_row.h"
#include "src/change/utf8_text.h"
#include "src/postgres/decode/streamed_transactions.h"
#include "src/postgres/decode/wal2arrow/frame_fault.h"
#include "src/postgres/decode/wal2arrow/payload_assembler.h"
#include "src/postgres/decode/wal2arrow/wire_table.h"

namespace arrowcdc {

using format::Frame;
using format::FrameError;
using format::FrameHeader;
using format::FrameKind;
using format::SectionTag;

namespace {

using MaybeEvent = arrow::Result<std::optional<Event>>;

NoticeEvent::Operations OperationsOf(uint8_t bits) {
  return {(bits & format::kOperationInsert) != 0, (bits & format::kOperationUpdate) != 0,
          (bits & format::kOperationDelete) != 0, (bits & format::kOperationTruncate) != 0};
}

// Oid and name of the next entry of the names section.
arrow::Result<std::pair<uint32_t, TableName>> NextName(const Frame& frame, uint32_t* at) {
  format::NameEntry entry;
  const char* names = nullptr;
  FrameError error;
  if (!ReadName(frame, at, &entry, &names, &error)) return FrameFault(frame.header, error);
  TableName name{std::string(names, entry.schema_name_bytes),
                 std::string(names + entry.schema_name_bytes, entry.table_name_bytes)};
  if (name.table.empty() || !IsUtf8(name.schema) || !IsUtf8(name.table))
    return FrameFault(frame.header, "a name that is empty or not UTF-8",
                      frame.section(SectionTag::kNames).offset);
  return std::pair(entry.oid, std::move(name));
}

// A line of hello's options.
bool HasOption(const Frame& frame, std::string_view line) {
  const format::SectionData& section = frame.section(SectionTag::kOptions);
  std::string_view options(reinterpret_cast<const char*>(section.data), section.bytes);
  while (!options.empty()) {
    const size_t end = std::min(options.find('\n'), options.size());
    if (options.substr(0, end) == line) return true;
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return false;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Select(std::shared_ptr<arrow::RecordBatch> rows,
                                                          const std::vector<RowRange>& ranges,
                                                          arrow::MemoryPool* pool) {
  if (ranges.size() == 1 && ranges[0].end - ranges[0].begin == rows->num_rows()) return rows;
  arrow::RecordBatchVector slices;
  for (const RowRange& range : ranges) slices.push_back(rows->Slice(range.begin, range.end - range.begin));
  if (slices.size() == 1) return slices[0];
  return arrow::ConcatenateRecordBatches(slices, pool);
}

}  // namespace

struct Wal2arrowDecoder::Impl {
  Impl(arrow::MemoryPool* memory_pool, uint32_t epoch_of_all, int64_t payload_bytes_max,
       InProgress in_progress)
      : pool(memory_pool),
        epoch(epoch_of_all),
        bytes_max(payload_bytes_max),
        assembler(memory_pool, payload_bytes_max),
        streamed(std::move(in_progress)) {}

  MaybeEvent Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset);
  arrow::Status CheckOrder(const FrameHeader& header);
  MaybeEvent Assemble(const Frame& frame, const std::shared_ptr<arrow::Buffer>& message, int64_t offset);
  MaybeEvent Dispatch(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);

  // Transactions in progress: as they come, and when they have committed.
  arrow::Status TakeInProgress(const Frame& frame);
  arrow::Status TakePart(const Frame& frame);
  arrow::Status TakeOfBlock(const Frame& frame);
  arrow::Result<bool> IsWanted(const Frame& frame);
  arrow::Status Keep(const Frame& frame);
  arrow::Status StreamAbort(const Frame& frame);
  MaybeEvent StreamCommit(const Frame& frame);
  MaybeEvent Next();
  MaybeEvent Replay(const std::shared_ptr<arrow::Buffer>& record);
  MaybeEvent EndReplay();
  const StreamedCommit* replayed() const { return streamed.replaying() ? &commit : nullptr; }

  MaybeEvent Hello(const Frame& frame);
  MaybeEvent Schema(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);
  MaybeEvent Batch(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);
  MaybeEvent Truncate(const Frame& frame);
  MaybeEvent Message(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);
  MaybeEvent Notice(const Frame& frame);

  GroupState GroupStateOf(const FrameHeader& header) const;
  GroupState GroupOfRows(const FrameHeader& header) const {
    return streamed.replaying() ? group_before : GroupStateOf(header);
  }
  std::optional<Event> StateAlone(const FrameHeader& header) const;

  // The announced table, or a fault at `offset`.
  arrow::Result<const WireTable*> Find(const FrameHeader& header, uint64_t fingerprint, uint32_t relation_oid,
                                       uint64_t offset) const;

  arrow::MemoryPool* pool;
  uint32_t epoch;
  int64_t bytes_max;  // of a payload, and of what a compressed one expands to
  PayloadAssembler assembler;
  bool greeted = false;                            // the first frame has come, which is hello
  std::unordered_map<uint64_t, WireTable> tables;  // by fingerprint
  NullLists nulls;
  uint32_t next_sequence = 0;
  uint64_t safe_lsn = 0;
  uint64_t safe_lsn_before = 0;  // of the frame before
  bool failed = false;

  StreamedTransactions streamed;
  bool streams = false;             // as hello says
  std::optional<bool> keeps_parts;  // parts of a frame of the open block are to come: they are kept, or not
  StreamedCommit commit;            // of the transaction that is read back
  GroupState group_before;          // while it is
  GroupState group_after;           // at its end
};

GroupState Wal2arrowDecoder::Impl::GroupStateOf(const FrameHeader& header) const {
  GroupState group;
  if (header.safe_lsn != 0) group.safe = Position{epoch, header.safe_lsn};
  group.group_end = (header.flags & format::kFlagGroupEnd) != 0;
  group.txn_incomplete = (header.flags & format::kFlagTxnIncomplete) != 0;
  group.dirty = (header.flags & format::kFlagDirty) != 0;
  return group;
}

// For frames without an event of their own: the group's state is not lost with them.
std::optional<Event> Wal2arrowDecoder::Impl::StateAlone(const FrameHeader& header) const {
  const GroupState group = GroupStateOf(header);
  if (!group.group_end && !group.dirty) return std::nullopt;
  return ProgressEvent{group};
}

MaybeEvent Wal2arrowDecoder::Impl::Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset) {
  if (streamed.replaying()) {
    return MakeError(ErrorKind::kInternal, "a message before all events of the one before were taken",
                     "stream of wal2arrow", "");
  }
  if (offset < 0 || offset > message->size()) {
    return FrameFault(FrameHeader{},
                      {"message shorter than its own header", 0, static_cast<uint64_t>(message->size())});
  }
  Frame frame;
  FrameError error;
  if (!ReadFrame(message->data() + offset, static_cast<size_t>(message->size() - offset), &frame, &error)) {
    return FrameFault(frame.header, error);
  }
  ARROW_RETURN_NOT_OK(CheckOrder(frame.header));
  const bool in_progress = keeps_parts.has_value() || (frame.header.flags & format::kFlagInProgress) != 0;
  if (!in_progress || assembler.active()) return Assemble(frame, message, offset);
  ARROW_RETURN_NOT_OK(keeps_parts.has_value() ? TakePart(frame) : TakeInProgress(frame));
  return std::nullopt;
}

// The frame, or with the last of its parts the whole.
MaybeEvent Wal2arrowDecoder::Impl::Assemble(const Frame& frame, const std::shared_ptr<arrow::Buffer>& message,
                                            int64_t offset) {
  bool continuation = frame.header.kind == static_cast<uint8_t>(FrameKind::kContinuation);
  if (assembler.active()) {
    ARROW_ASSIGN_OR_RAISE(bool whole, assembler.Add(frame));
    if (!whole) return std::nullopt;
    return Dispatch(assembler.frame(), assembler.TakePayload());
  }
  if (continuation) return FrameFault(frame.header, "nothing to continue", offsetof(FrameHeader, kind));
  if (frame.header.flags & format::kFlagMore) {
    ARROW_RETURN_NOT_OK(assembler.Start(frame));
    return std::nullopt;
  }
  return Dispatch(frame, arrow::SliceBuffer(message, offset + frame.header.header_bytes));
}

arrow::Status Wal2arrowDecoder::Impl::CheckOrder(const FrameHeader& header) {
  if (header.sequence != next_sequence) {
    return FrameFault(header, "gap in the stream, frame " + std::to_string(next_sequence) + " was due",
                      offsetof(FrameHeader, sequence));
  }
  bool is_hello = header.kind == static_cast<uint8_t>(FrameKind::kHello);
  if (is_hello == greeted) {
    return FrameFault(header, is_hello ? "hello in mid-session" : "the session does not begin with hello",
                      offsetof(FrameHeader, kind));
  }
  greeted = true;
  ++next_sequence;
  if (header.kind == static_cast<uint8_t>(FrameKind::kContinuation)) return arrow::Status::OK();
  if (header.safe_lsn < safe_lsn) {
    return FrameFault(header, "safe_lsn goes backwards", offsetof(FrameHeader, safe_lsn));
  }
  safe_lsn_before = std::exchange(safe_lsn, header.safe_lsn);
  constexpr uint16_t kContradiction = format::kFlagGroupEnd | format::kFlagTxnIncomplete;
  if ((header.flags & kContradiction) == kContradiction) {
    return FrameFault(header,
                      {"group that ends inside a transaction", offsetof(FrameHeader, flags), header.flags});
  }
  return arrow::Status::OK();
}

MaybeEvent Wal2arrowDecoder::Impl::Dispatch(const Frame& frame,
                                            const std::shared_ptr<arrow::Buffer>& payload) {
  auto kind = static_cast<FrameKind>(frame.header.kind);
  bool has_payload = kind == FrameKind::kSchema || kind == FrameKind::kBatch || kind == FrameKind::kMessage;
  bool known = has_payload || kind == FrameKind::kHello || kind == FrameKind::kTruncate ||
               kind == FrameKind::kProgress || kind == FrameKind::kNotice || kind == FrameKind::kStreamCommit;
  if (!known) {
    if (frame.header.flags & format::kFlagOptional) return StateAlone(frame.header);
    return FrameFault(frame.header, {"kind of frame this client does not know", offsetof(FrameHeader, kind),
                                     frame.header.kind});
  }
  const bool belongs_to_group =
      kind == FrameKind::kBatch || kind == FrameKind::kTruncate || kind == FrameKind::kStreamCommit;
  if (belongs_to_group && streamed.in_block()) {
    return FrameFault(frame.header, "committed rows within those of a transaction in progress",
                      offsetof(FrameHeader, kind));
  }
  if (!has_payload && payload->size() > 0) {
    return FrameFault(frame.header, "payload where none belongs", offsetof(FrameHeader, payload_bytes));
  }
  switch (kind) {
    case FrameKind::kHello:
      return Hello(frame);
    case FrameKind::kSchema:
      return Schema(frame, payload);
    case FrameKind::kBatch:
      return Batch(frame, payload);
    case FrameKind::kTruncate:
      return Truncate(frame);
    case FrameKind::kMessage:
      return Message(frame, payload);
    case FrameKind::kNotice:
      return Notice(frame);
    case FrameKind::kStreamCommit:
      return StreamCommit(frame);
    default:
      return ProgressEvent{GroupStateOf(frame.header)};
  }
}

MaybeEvent Wal2arrowDecoder::Impl::Hello(const Frame& frame) {
  format::HelloSection section;
  FrameError error;
  if (!ReadHello(frame, &section, &error)) return FrameFault(frame.header, error);
  if (section.protocol_version != format::kProtocolVersion) {
    return FrameFault(frame.header, {"protocol version this client does not know",
                                     frame.section(SectionTag::kHello).offset, section.protocol_version});
  }
  streams = HasOption(frame, "streaming=on");
  return StateAlone(frame.header);
}

MaybeEvent Wal2arrowDecoder::Impl::Schema(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload) {
  ARROW_ASSIGN_OR_RAISE(auto table, ReadWireTable(frame, payload, pool));
  // Announced again, the content is the same: batches go on sharing the object they have.
  tables.try_emplace(table.table->fingerprint, std::move(table));
  return StateAlone(frame.header);
}

MaybeEvent Wal2arrowDecoder::Impl::Batch(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload) {
  format::BatchSection section;
  FrameError error;
  if (!ReadBatch(frame, &section, &error)) return FrameFault(frame.header, error);
  uint64_t at = frame.section(SectionTag::kBatch).offset;
  ARROW_ASSIGN_OR_RAISE(auto table, Find(frame.header, section.fingerprint, section.relation_oid, at));
  if (section.rows == 0) return FrameFault(frame.header, "batch without rows", at);
  std::vector<RowRange> committed = {{0, section.rows}};
  if (streamed.replaying()) {
    ARROW_ASSIGN_OR_RAISE(committed, CommittedRows(frame, section.rows, [this](uint32_t subxid) {
                            return streamed.IsAborted(subxid);
                          }));
    if (committed.empty()) return std::nullopt;
  }
  ARROW_ASSIGN_OR_RAISE(
      auto rows, ReadWireBatch(frame, payload, *table, section.rows, replayed(), bytes_max, &nulls, pool));
  ARROW_ASSIGN_OR_RAISE(rows, Select(std::move(rows), committed, pool));
  return ChangeBatch{table->table, std::move(rows), GroupOfRows(frame.header)};
}

MaybeEvent Wal2arrowDecoder::Impl::Truncate(const Frame& frame) {
  format::TruncateSection section;
  FrameError error;
  uint32_t transactions = 0;
  if (!ReadTruncate(frame, &section, &error) ||
      !CountEntries(frame, SectionTag::kTransactions, sizeof(format::TransactionEntry), &transactions,
                    &error)) {
    return FrameFault(frame.header, error);
  }
  uint64_t at = frame.section(SectionTag::kTruncate).offset;
  if (transactions != 1 || section.tables == 0 || section.cascade > 1 || section.restart_identity > 1) {
    return FrameFault(frame.header, "not one transaction that truncates one table or more", at);
  }
  auto transaction = TransactionAt(frame, 0);
  if (streamed.replaying()) {
    if (streamed.IsAborted(transaction.xid)) return std::nullopt;
    transaction.commit_lsn = commit.commit_lsn;
    transaction.commit_ts = commit.commit_ts;
    transaction.xid = commit.xid;
  }
  TruncateEvent event;
  event.cascade = section.cascade == 1;
  event.restart_identity = section.restart_identity == 1;
  event.commit_lsn = transaction.commit_lsn;
  event.lsn = section.lsn;
  event.xid = transaction.xid;
  event.commit_ts = transaction.commit_ts;
  event.group = GroupOfRows(frame.header);
  for (uint32_t i = 0; i < section.tables; ++i) {
    auto entry = TruncateEntryAt(frame, i);
    uint64_t entry_at = at + sizeof(format::TruncateSection) + uint64_t{i} * sizeof(entry);
    ARROW_ASSIGN_OR_RAISE(auto table, Find(frame.header, entry.fingerprint, entry.relation_oid, entry_at));
    if (entry.ord != i) return FrameFault(frame.header, {"table out of place", entry_at, entry.ord});
    event.tables.push_back(table->table);
  }
  return event;
}

MaybeEvent Wal2arrowDecoder::Impl::Message(const Frame& frame,
                                           const std::shared_ptr<arrow::Buffer>& payload) {
  format::MessageSection section;
  const char* prefix = nullptr;
  FrameError error;
  uint32_t transactions = 0;
  if (!ReadMessage(frame, &section, &prefix, &error) ||
      !CountEntries(frame, SectionTag::kTransactions, sizeof(format::TransactionEntry), &transactions,
                    &error)) {
    return FrameFault(frame.header, error);
  }
  const uint64_t at = frame.section(SectionTag::kMessage).offset;
  const bool ends = (frame.header.flags & format::kFlagGroupEnd) != 0;
  if (section.transactional > 1 || transactions != section.transactional) {
    return FrameFault(frame.header, "message that is neither of one transaction nor of none", at);
  }
  if (section.transactional == 0 && (!ends || frame.header.safe_lsn != section.end_lsn)) {
    return FrameFault(frame.header, "message of no transaction that is no group of its own", at);
  }
  if (section.no_prefix > 1 || (section.no_prefix == 1 && section.prefix_bytes != 0)) {
    return FrameFault(frame.header, "message with a prefix and without", at);
  }
  const std::string_view text(prefix, section.prefix_bytes);
  if (!IsUtf8(text)) return FrameFault(frame.header, "prefix that is not UTF-8", at);
  if (section.end_lsn == 0) return FrameFault(frame.header, "message without a position", at);
  if (payload->size() > INT32_MAX) {
    return FrameFault(frame.header, {"message longer than a column holds",
                                     offsetof(FrameHeader, payload_bytes), frame.header.payload_bytes});
  }
  LogicalMessage message{section.end_lsn, std::nullopt, payload, std::nullopt};
  if (section.no_prefix == 0) message.prefix = text;
  if (section.transactional == 1) {
    const auto transaction = TransactionAt(frame, 0);
    message.transaction = {transaction.commit_lsn, transaction.xid, transaction.commit_ts};
    if (streamed.replaying()) {
      if (streamed.IsAborted(transaction.xid)) return std::nullopt;
      message.transaction = {commit.commit_lsn, commit.xid, commit.commit_ts};
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto row, MessageRow(message));
  return ChangeBatch{MessagesTable(), std::move(row), GroupOfRows(frame.header)};
}

MaybeEvent Wal2arrowDecoder::Impl::Notice(const Frame& frame) {
  format::NoticeSection section;
  FrameError error;
  if (!ReadNotice(frame, &section, &error)) return FrameFault(frame.header, error);
  if (frame.header.flags & format::kFlagGroupEnd)
    return FrameFault(frame.header, "notice that ends a group", offsetof(FrameHeader, flags));
  if (section.what < static_cast<uint8_t>(format::NoticeWhat::kPassedOver) ||
      section.what > static_cast<uint8_t>(format::NoticeWhat::kPublication))
    return std::nullopt;  // of a later version
  NoticeEvent event;
  event.what = static_cast<NoticeEvent::What>(section.what - 1);
  event.operation = OperationsOf(section.operation);
  event.published = OperationsOf(section.published);
  event.table_id = section.relation_oid;
  event.position = {epoch, streamed.replaying() ? commit.commit_lsn : section.commit_lsn};
  bool found = section.published_as == 0;
  uint32_t at = 0;
  do {
    ARROW_ASSIGN_OR_RAISE(const auto name, NextName(frame, &at));
    if (name.first == section.published_as && section.published_as != 0) {
      event.published_as = name.second;
      found = true;
    }
    if (event.table.table.empty()) {
      event.table = name.second;
    } else {
      event.ancestors.push_back(name.second);
    }
  } while (at < frame.section(SectionTag::kNames).bytes);
  if (!found) {
    return FrameFault(frame.header, {"rows come as a relation that is not named",
                                     frame.section(SectionTag::kNotice).offset, section.published_as});
  }
  return event;
}

arrow::Result<const WireTable*> Wal2arrowDecoder::Impl::Find(const FrameHeader& header, uint64_t fingerprint,
                                                             uint32_t relation_oid, uint64_t offset) const {
  auto found = tables.find(fingerprint);
  if (found == tables.end()) return FrameFault(header, "table whose schema was not announced", offset);
  if (found->second.table->table_id != relation_oid) {
    return FrameFault(header, {"relation that is not the schema's", offset, relation_oid});
  }
  return &found->second;
}

// --- transactions in progress ---

arrow::Status Wal2arrowDecoder::Impl::TakeInProgress(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if (!streamed.allowed() || !streams) {
    return FrameFault(header, "a transaction in progress, which was not asked for",
                      offsetof(FrameHeader, flags));
  }
  constexpr uint16_t kOfGroups = format::kFlagGroupEnd | format::kFlagTxnIncomplete;
  if ((header.flags & kOfGroups) != 0) {
    return FrameFault(header,
                      {"a transaction in progress in a group", offsetof(FrameHeader, flags), header.flags});
  }
  const auto kind = static_cast<FrameKind>(header.kind);
  const bool outside = kind == FrameKind::kStreamStart || kind == FrameKind::kStreamAbort;
  if (outside == streamed.in_block()) {
    return FrameFault(header, outside ? "within the rows of another transaction" : "outside of a transaction",
                      offsetof(FrameHeader, kind));
  }
  switch (kind) {
    case FrameKind::kStreamStart: {
      format::StreamSection section;
      FrameError error;
      if (!ReadStream(frame, &section, &error)) return FrameFault(header, error);
      streamed.BeginBlock(section.xid);
      return arrow::Status::OK();
    }
    case FrameKind::kStreamStop:
      streamed.EndBlock();
      return arrow::Status::OK();
    case FrameKind::kStreamAbort:
      return StreamAbort(frame);
    default:
      return TakeOfBlock(frame);
  }
}

arrow::Status Wal2arrowDecoder::Impl::TakeOfBlock(const Frame& frame) {
  switch (static_cast<FrameKind>(frame.header.kind)) {
    case FrameKind::kBatch:
    case FrameKind::kTruncate:
    case FrameKind::kMessage:
    case FrameKind::kNotice: {
      ARROW_ASSIGN_OR_RAISE(const bool wanted, IsWanted(frame));
      if ((frame.header.flags & format::kFlagMore) != 0) keeps_parts = wanted;
      return wanted ? Keep(frame) : arrow::Status::OK();
    }
    default:
      if ((frame.header.flags & format::kFlagOptional) != 0) return arrow::Status::OK();
      return FrameFault(frame.header, {"kind of frame this client does not know in a transaction in progress",
                                       offsetof(FrameHeader, kind), frame.header.kind});
  }
}

// Rows of tables that no pattern matches are only counted.
arrow::Result<bool> Wal2arrowDecoder::Impl::IsWanted(const Frame& frame) {
  if (static_cast<FrameKind>(frame.header.kind) != FrameKind::kBatch) return true;
  format::BatchSection section;
  FrameError error;
  if (!ReadBatch(frame, &section, &error)) return FrameFault(frame.header, error);
  ARROW_ASSIGN_OR_RAISE(auto table, Find(frame.header, section.fingerprint, section.relation_oid,
                                         frame.section(SectionTag::kBatch).offset));
  if (streamed.Matches(table->table->name)) return true;
  streamed.PassOver(table->table->name, section.rows);
  return false;
}

// A part of a frame that was kept, or was not.
arrow::Status Wal2arrowDecoder::Impl::TakePart(const Frame& frame) {
  if (frame.header.kind != static_cast<uint8_t>(FrameKind::kContinuation)) {
    return FrameFault(frame.header, "another frame between the parts of a payload",
                      offsetof(FrameHeader, kind));
  }
  if (*keeps_parts) ARROW_RETURN_NOT_OK(Keep(frame));
  if ((frame.header.flags & format::kFlagMore) == 0) keeps_parts = std::nullopt;
  return arrow::Status::OK();
}

// As a message, in which the body of the payload has its place.
arrow::Status Wal2arrowDecoder::Impl::Keep(const Frame& frame) {
  static constexpr char kHeader[format::kXLogDataHeaderBytes] = {'w'};
  const auto* const begin = reinterpret_cast<const char*>(frame.payload) - frame.header.header_bytes;
  return streamed.Keep(
      {{kHeader, sizeof(kHeader)}, {begin, frame.header.header_bytes + frame.payload_bytes}});
}

arrow::Status Wal2arrowDecoder::Impl::StreamAbort(const Frame& frame) {
  format::StreamSection section;
  FrameError error;
  if (!ReadStream(frame, &section, &error)) return FrameFault(frame.header, error);
  streamed.Abort(section.xid, section.subxid);
  return arrow::Status::OK();
}

MaybeEvent Wal2arrowDecoder::Impl::StreamCommit(const Frame& frame) {
  format::StreamSection section;
  FrameError error;
  if (!ReadStream(frame, &section, &error)) return FrameFault(frame.header, error);
  const uint64_t at = frame.section(SectionTag::kStream).offset;
  if ((frame.header.flags & format::kFlagGroupEnd) == 0)
    return FrameFault(frame.header, "commit that ends no group", offsetof(FrameHeader, flags));
  if (section.commit_lsn < safe_lsn_before || section.commit_lsn >= safe_lsn)
    return FrameFault(frame.header, {"transaction out of commit order", at, section.commit_lsn});
  if (!streamed.knows(section.xid))
    return FrameFault(frame.header, {"commit of a transaction of which nothing came", at, section.xid});
  ARROW_RETURN_NOT_OK(streamed.BeginReplay(section.xid));
  commit = {section.xid, section.commit_lsn, section.commit_ts};
  group_after = GroupStateOf(frame.header);
  group_before = {};
  if (safe_lsn_before != 0) group_before.safe = Position{epoch, safe_lsn_before};
  group_before.txn_incomplete = true;
  return std::nullopt;
}

MaybeEvent Wal2arrowDecoder::Impl::Next() {
  constexpr int kFramesATurn = 16;
  for (int frames = 0; streamed.replaying() && frames < kFramesATurn; ++frames) {
    ARROW_ASSIGN_OR_RAISE(const auto record, streamed.NextRecord());
    if (record == nullptr) return EndReplay();
    ARROW_ASSIGN_OR_RAISE(auto event, Replay(record));
    if (event.has_value()) return event;
  }
  return std::nullopt;
}

MaybeEvent Wal2arrowDecoder::Impl::Replay(const std::shared_ptr<arrow::Buffer>& record) {
  constexpr int64_t kOffset = format::kXLogDataHeaderBytes;
  Frame frame;
  FrameError error;
  if (!ReadFrame(record->data() + kOffset, static_cast<size_t>(record->size() - kOffset), &frame, &error)) {
    return FrameFault(frame.header, error);
  }
  return Assemble(frame, record, kOffset);
}

MaybeEvent Wal2arrowDecoder::Impl::EndReplay() {
  if (assembler.active())
    return FrameFault(assembler.frame().header, "a transaction that ends between the parts of a payload", 0);
  streamed.EndReplay();
  return ProgressEvent{group_after};
}

Wal2arrowDecoder::Wal2arrowDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch, int64_t payload_bytes_max,
                                   InProgress in_progress)
    : impl_(std::make_unique<Impl>(memory_pool, epoch, payload_bytes_max, std::move(in_progress))) {}

Wal2arrowDecoder::~Wal2arrowDecoder() = default;

// Runs `step` on a decoder that has not failed.
template <typename Step>
MaybeEvent Wal2arrowDecoder::Guard(Step step) {
  if (impl_->failed) {
    return MakeError(ErrorKind::kInternal, "decoder used after an error", "stream of wal2arrow",
                     "make a new decoder after a reconnect");
  }
  impl_->failed = true;  // until this frame has proved good
  MaybeEvent event = std::optional<Event>();
  try {
    event = step();
  } catch (const std::exception& exception) {  // allocations of the standard library
    event = MakeError(ErrorKind::kInternal, std::string("could not decode a frame: ") + exception.what(),
                      "stream of wal2arrow", "");
  }
  impl_->failed = !event.ok();
  return event;
}

MaybeEvent Wal2arrowDecoder::Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset) {
  return Guard([&] { return impl_->Decode(message, offset); });
}

MaybeEvent Wal2arrowDecoder::Next() {
  return Guard([this] { return impl_->Next(); });
}

bool Wal2arrowDecoder::has_more() const { return impl_->streamed.replaying(); }

bool Wal2arrowDecoder::streams() const { return impl_->streams; }

}  // namespace arrowcdc
