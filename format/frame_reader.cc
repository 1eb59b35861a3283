// Frame headers from bytes nobody vouches for.
#include "format/frame_reader.h"

#include "format/byte_buffer.h"

namespace arrowcdc::format {
namespace {

template <typename T>
T Load(const uint8_t* from) {
  T value;
  memcpy(&value, from, sizeof(T));
  return value;
}

bool Fail(FrameError* error, const char* what, uint64_t offset, uint64_t value) {
  *error = {what, offset, value};
  return false;
}

bool IsKnownKind(uint8_t kind) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kHello:
    case FrameKind::kSchema:
    case FrameKind::kBatch:
    case FrameKind::kTruncate:
    case FrameKind::kMessage:
    case FrameKind::kProgress:
    case FrameKind::kContinuation:
    case FrameKind::kStreamStart:
    case FrameKind::kStreamStop:
    case FrameKind::kStreamAbort:
    case FrameKind::kStreamCommit:
    case FrameKind::kNotice:
      return true;
    default:  // unknown, or reserved by this protocol
      return false;
  }
}

bool CheckHeader(const FrameHeader& header, size_t bytes, FrameError* error) {
  if (header.magic[0] != kMagic0 || header.magic[1] != kMagic1) {
    return Fail(error, "not a wal2arrow frame, the magic is missing", 0, header.magic[0]);
  }
  if (header.layout_version != kLayoutVersion) {
    return Fail(error, "unknown layout version", offsetof(FrameHeader, layout_version),
                header.layout_version);
  }
  if (header.fixed_bytes < kFixedHeaderBytes) {
    return Fail(error, "fixed part too short", offsetof(FrameHeader, fixed_bytes), header.fixed_bytes);
  }
  if (header.header_bytes < header.fixed_bytes || header.header_bytes > bytes) {
    return Fail(error, "header length out of range", offsetof(FrameHeader, header_bytes),
                header.header_bytes);
  }
  uint64_t present = bytes - header.header_bytes;
  bool first_of_more =
      (header.flags & kFlagMore) && header.kind != static_cast<uint8_t>(FrameKind::kContinuation);
  if (first_of_more ? header.payload_bytes <= present : header.payload_bytes != present) {
    return Fail(error, "payload length does not fit the frame's length", offsetof(FrameHeader, payload_bytes),
                header.payload_bytes);
  }
  return true;
}

bool ReadSections(const uint8_t* data, Frame* frame, FrameError* error) {
  uint64_t end = frame->header.header_bytes;
  uint64_t at = frame->header.fixed_bytes;
  while (end - at >= sizeof(SectionHeader)) {
    auto section = Load<SectionHeader>(data + at);
    if (section.tag == static_cast<uint16_t>(SectionTag::kEnd)) return true;
    if (section.bytes > end - at - sizeof(SectionHeader)) {
      return Fail(error, "section longer than the header", at + offsetof(SectionHeader, bytes),
                  section.bytes);
    }
    uint64_t data_at = at + sizeof(SectionHeader);
    if (section.tag < kSectionTagCount) {
      SectionData& place = frame->sections[section.tag];
      if (place.data != nullptr) return Fail(error, "section given twice", at, section.tag);
      place = {data + data_at, section.bytes, static_cast<uint32_t>(data_at)};
    } else if (section.flags & kSectionRequired) {
      return Fail(error, "unknown section that must not be skipped", at, section.tag);
    }
    uint64_t next = RoundUp(data_at + section.bytes, 8);
    at = next < end ? next : end;  // the last section's padding may be cut off by the header's end
  }
  return true;
}

template <typename T>
bool ReadFixed(const Frame& frame, SectionTag tag, const char* missing, T* out, FrameError* error) {
  const SectionData& section = frame.section(tag);
  if (section.data == nullptr)
    return Fail(error, missing, frame.header.header_bytes, static_cast<uint16_t>(tag));
  if (section.bytes < sizeof(T)) return Fail(error, "section too short", section.offset, section.bytes);
  *out = Load<T>(section.data);
  return true;
}

}  // namespace

const char* FrameKindName(uint8_t kind) {
  constexpr const char* kNames[] = {
      "hello",         "schema",       "batch",           "truncate",          "message",
      "progress",      "continuation", "stream start",    "stream stop",       "stream abort",
      "stream commit", "prepare",      "commit prepared", "rollback prepared", "notice"};
  return kind >= 1 && kind <= sizeof(kNames) / sizeof(kNames[0]) ? kNames[kind - 1] : nullptr;
}

const char* SectionTagName(uint16_t tag) {
  constexpr const char* kNames[] = {"hello",        "options",   "plugin version",  "table",    "batch",
                                    "transactions", "unchanged", "unrepresentable", "truncate", "notice",
                                    "names",        "stream",    "message"};
  return tag >= 1 && tag <= sizeof(kNames) / sizeof(kNames[0]) ? kNames[tag - 1] : nullptr;
}

bool ReadFrame(const uint8_t* data, size_t bytes, Frame* frame, FrameError* error) {
  *frame = {};
  if (bytes < kFixedHeaderBytes) return Fail(error, "shorter than a frame's fixed part", 0, bytes);
  frame->header = Load<FrameHeader>(data);
  if (!CheckHeader(frame->header, bytes, error)) return false;
  frame->payload = data + frame->header.header_bytes;
  frame->payload_bytes = bytes - frame->header.header_bytes;
  return !IsKnownKind(frame->header.kind) || ReadSections(data, frame, error);
}

bool ReadHello(const Frame& frame, HelloSection* hello, FrameError* error) {
  return ReadFixed(frame, SectionTag::kHello, "no hello section", hello, error);
}

bool ReadBatch(const Frame& frame, BatchSection* batch, FrameError* error) {
  return ReadFixed(frame, SectionTag::kBatch, "no batch section", batch, error);
}

bool ReadTable(const Frame& frame, TableSection* table, const char** names, FrameError* error) {
  if (!ReadFixed(frame, SectionTag::kTable, "no table section", table, error)) return false;
  const SectionData& section = frame.section(SectionTag::kTable);
  uint32_t names_bytes = uint32_t{table->schema_name_bytes} + table->table_name_bytes;
  if (section.bytes - sizeof(TableSection) < names_bytes) {
    return Fail(error, "names longer than their section", section.offset, names_bytes);
  }
  *names = reinterpret_cast<const char*>(section.data) + sizeof(TableSection);
  return true;
}

bool ReadTruncate(const Frame& frame, TruncateSection* truncate, FrameError* error) {
  if (!ReadFixed(frame, SectionTag::kTruncate, "no truncate section", truncate, error)) return false;
  const SectionData& section = frame.section(SectionTag::kTruncate);
  if ((section.bytes - sizeof(TruncateSection)) / sizeof(TruncateEntry) < truncate->tables) {
    return Fail(error, "more tables than the section holds",
                section.offset + offsetof(TruncateSection, tables), truncate->tables);
  }
  return true;
}

bool ReadNotice(const Frame& frame, NoticeSection* notice, FrameError* error) {
  return ReadFixed(frame, SectionTag::kNotice, "no notice section", notice, error);
}

bool ReadStream(const Frame& frame, StreamSection* stream, FrameError* error) {
  return ReadFixed(frame, SectionTag::kStream, "no stream section", stream, error);
}

bool ReadMessage(const Frame& frame, MessageSection* message, const char** prefix, FrameError* error) {
  if (!ReadFixed(frame, SectionTag::kMessage, "no message section", message, error)) return false;
  const SectionData& section = frame.section(SectionTag::kMessage);
  if (section.bytes - sizeof(MessageSection) < message->prefix_bytes) {
    return Fail(error, "prefix longer than its section", section.offset, message->prefix_bytes);
  }
  *prefix = reinterpret_cast<const char*>(section.data) + sizeof(MessageSection);
  return true;
}

bool ReadName(const Frame& frame, uint32_t* at, NameEntry* entry, const char** names, FrameError* error) {
  const SectionData& section = frame.section(SectionTag::kNames);
  if (section.data == nullptr || *at > section.bytes || section.bytes - *at < sizeof(NameEntry)) {
    return Fail(error, "no whole name", section.offset, *at);
  }
  *entry = Load<NameEntry>(section.data + *at);
  const uint32_t names_bytes = uint32_t{entry->schema_name_bytes} + entry->table_name_bytes;
  const uint32_t left = section.bytes - *at - static_cast<uint32_t>(sizeof(NameEntry));
  if (left < names_bytes) {
    return Fail(error, "names longer than their section", section.offset + uint64_t{*at}, names_bytes);
  }
  *names = reinterpret_cast<const char*>(section.data) + *at + sizeof(NameEntry);
  *at += static_cast<uint32_t>(sizeof(NameEntry)) + names_bytes;
  return true;
}

bool CountEntries(const Frame& frame, SectionTag tag, uint32_t entry_bytes, uint32_t* count,
                  FrameError* error) {
  const SectionData& section = frame.section(tag);
  if (section.bytes % entry_bytes != 0) {
    return Fail(error, "section is not a whole number of entries", section.offset, section.bytes);
  }
  *count = section.bytes / entry_bytes;
  return true;
}

TransactionEntry TransactionAt(const Frame& frame, uint32_t index) {
  const SectionData& section = frame.section(SectionTag::kTransactions);
  return Load<TransactionEntry>(section.data + sizeof(TransactionEntry) * size_t{index});
}

CellEntry CellAt(const Frame& frame, SectionTag tag, uint32_t index) {
  return Load<CellEntry>(frame.section(tag).data + sizeof(CellEntry) * size_t{index});
}

TruncateEntry TruncateEntryAt(const Frame& frame, uint32_t index) {
  const SectionData& section = frame.section(SectionTag::kTruncate);
  return Load<TruncateEntry>(section.data + sizeof(TruncateSection) + sizeof(TruncateEntry) * size_t{index});
}

}  // namespace arrowcdc::format
