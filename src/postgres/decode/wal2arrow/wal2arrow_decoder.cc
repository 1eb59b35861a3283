// One session of wal2arrow: order of frames, tables announced, parts put together, events made.
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

#include <exception>
#include <unordered_map>
#include <utility>

#include <arrow/memory_pool.h>
#include <arrow/util/utf8.h>

#include "arrowcdc/error.h"
#include "format/frame_reader.h"
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
  arrow::util::InitializeUTF8();
  if (name.table.empty() || !arrow::util::ValidateUTF8(name.schema) || !arrow::util::ValidateUTF8(name.table))
    return FrameFault(frame.header, "a name that is empty or not UTF-8",
                      frame.section(SectionTag::kNames).offset);
  return std::pair(entry.oid, std::move(name));
}

}  // namespace

struct Wal2arrowDecoder::Impl {
  Impl(arrow::MemoryPool* memory_pool, uint32_t epoch_of_all, int64_t payload_bytes_max)
      : pool(memory_pool),
        epoch(epoch_of_all),
        bytes_max(payload_bytes_max),
        assembler(memory_pool, payload_bytes_max) {}

  MaybeEvent Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset);
  arrow::Status CheckOrder(const FrameHeader& header);
  MaybeEvent Dispatch(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);

  MaybeEvent Hello(const Frame& frame);
  MaybeEvent Schema(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);
  MaybeEvent Batch(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload);
  MaybeEvent Truncate(const Frame& frame);
  MaybeEvent Notice(const Frame& frame);

  GroupState GroupStateOf(const FrameHeader& header) const;
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
  bool failed = false;
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
  safe_lsn = header.safe_lsn;
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
  bool has_payload = kind == FrameKind::kSchema || kind == FrameKind::kBatch;
  bool known = has_payload || kind == FrameKind::kHello || kind == FrameKind::kTruncate ||
               kind == FrameKind::kProgress || kind == FrameKind::kNotice;
  if (!known) {
    if (frame.header.flags & format::kFlagOptional) return StateAlone(frame.header);
    return FrameFault(frame.header, {"kind of frame this client does not know", offsetof(FrameHeader, kind),
                                     frame.header.kind});
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
    case FrameKind::kNotice:
      return Notice(frame);
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
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        ReadWireBatch(frame, payload, *table, section.rows, bytes_max, &nulls, pool));
  return ChangeBatch{table->table, std::move(rows), GroupStateOf(frame.header)};
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
  TruncateEvent event;
  event.cascade = section.cascade == 1;
  event.restart_identity = section.restart_identity == 1;
  event.commit_lsn = transaction.commit_lsn;
  event.lsn = section.lsn;
  event.xid = transaction.xid;
  event.commit_ts = transaction.commit_ts;
  event.group = GroupStateOf(frame.header);
  for (uint32_t i = 0; i < section.tables; ++i) {
    auto entry = TruncateEntryAt(frame, i);
    uint64_t entry_at = at + sizeof(format::TruncateSection) + uint64_t{i} * sizeof(entry);
    ARROW_ASSIGN_OR_RAISE(auto table, Find(frame.header, entry.fingerprint, entry.relation_oid, entry_at));
    if (entry.ord != i) return FrameFault(frame.header, {"table out of place", entry_at, entry.ord});
    event.tables.push_back(table->table);
  }
  return event;
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
  event.position = {epoch, section.commit_lsn};
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

Wal2arrowDecoder::Wal2arrowDecoder(arrow::MemoryPool* memory_pool, uint32_t epoch, int64_t payload_bytes_max)
    : impl_(std::make_unique<Impl>(memory_pool, epoch, payload_bytes_max)) {}

Wal2arrowDecoder::~Wal2arrowDecoder() = default;

MaybeEvent Wal2arrowDecoder::Decode(const std::shared_ptr<arrow::Buffer>& message, int64_t offset) {
  if (impl_->failed) {
    return MakeError(ErrorKind::kInternal, "decoder used after an error", "stream of wal2arrow",
                     "make a new decoder after a reconnect");
  }
  impl_->failed = true;  // until this frame has proved good
  MaybeEvent event = std::optional<Event>();
  try {
    event = impl_->Decode(message, offset);
  } catch (const std::exception& exception) {  // allocations of the standard library
    event = MakeError(ErrorKind::kInternal, std::string("could not decode a frame: ") + exception.what(),
                      "stream of wal2arrow", "");
  }
  impl_->failed = !event.ok();
  return event;
}

}  // namespace arrowcdc
