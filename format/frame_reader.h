// Reads the header of one frame of docs/wire.md. The bytes are hostile: every length is checked before it is
// used. Nothing is copied or allocated; a Frame points into the bytes it was read from.
#pragma once

#include <cstddef>

#include "format/frame.h"

namespace arrowcdc::format {

// Data of one section; null data where the frame has none.
struct SectionData {
  const uint8_t* data;
  uint32_t bytes;
  uint32_t offset;  // of the data, from the frame's first byte
};

inline constexpr int kSectionTagCount = static_cast<int>(SectionTag::kMessage) + 1;

struct Frame {
  FrameHeader header;
  SectionData sections[kSectionTagCount];  // by SectionTag
  const uint8_t* payload;                  // of this frame alone
  uint64_t payload_bytes;

  const SectionData& section(SectionTag tag) const { return sections[static_cast<int>(tag)]; }
};

// Why a frame was refused.
struct FrameError {
  const char* what;  // a sentence without a full stop
  uint64_t offset;   // from the frame's first byte
  uint64_t value;    // the number that was found
};

// Name of a kind this protocol defines ("batch"), null for others.
const char* FrameKindName(uint8_t kind);

// Name of a section this protocol defines ("transactions"), null for others.
const char* SectionTagName(uint16_t tag);

// Reads header and sections of the frame that fills `data`. False: *error says why, and of *frame only the
// header counts (zeros where it was not whole). The sections of a frame whose kind is not known are left
// alone. The first of several parts holds less than header.payload_bytes; every other frame holds exactly as
// much.
bool ReadFrame(const uint8_t* data, size_t bytes, Frame* frame, FrameError* error);

// The fixed layouts. False where the section is missing, has another length, or is inconsistent.
bool ReadHello(const Frame& frame, HelloSection* hello, FrameError* error);
bool ReadBatch(const Frame& frame, BatchSection* batch, FrameError* error);
// names: schema_name_bytes and then table_name_bytes of them.
bool ReadTable(const Frame& frame, TableSection* table, const char** names, FrameError* error);
bool ReadTruncate(const Frame& frame, TruncateSection* truncate, FrameError* error);
bool ReadNotice(const Frame& frame, NoticeSection* notice, FrameError* error);
bool ReadStream(const Frame& frame, StreamSection* stream, FrameError* error);
// prefix: prefix_bytes of it.
bool ReadMessage(const Frame& frame, MessageSection* message, const char** prefix, FrameError* error);

// Goes through the names section: reads the entry at *at (0 at first, below the section's length) and moves
// *at behind it. names: both, one after the other.
bool ReadName(const Frame& frame, uint32_t* at, NameEntry* entry, const char** names, FrameError* error);

// Number of entries of a section that is nothing but entries; a missing section has none.
bool CountEntries(const Frame& frame, SectionTag tag, uint32_t entry_bytes, uint32_t* count,
                  FrameError* error);

// Entry `index` of kTransactions, kUnchanged, kUnrepresentable; index below CountEntries.
TransactionEntry TransactionAt(const Frame& frame, uint32_t index);
CellEntry CellAt(const Frame& frame, SectionTag tag, uint32_t index);
// Entry `index` of kTruncate; index below TruncateSection::tables as ReadTruncate returned it.
TruncateEntry TruncateEntryAt(const Frame& frame, uint32_t index);

}  // namespace arrowcdc::format
