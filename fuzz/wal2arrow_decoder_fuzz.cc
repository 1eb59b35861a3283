// Fuzz target: bytes -> frames of one session -> Wal2arrowDecoder. What comes out must be an error or a valid
// event.
//
// Input: one byte of choices, then frames, each behind its length (u32, little-endian). Bit 0 of the choices
// repairs what only luck would guess, the sequence numbers and fingerprints, so that damage reaches the code
// behind them; the upper four bits are the distance of the frame from an aligned address.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <arrow/memory_pool.h>

#include "arrowcdc/change_rows.h"
#include "format/frame_reader.h"
#include "src/postgres/decode/testing/memory_spool.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace {

using arrowcdc::format::Frame;
using arrowcdc::format::FrameError;
using arrowcdc::format::FrameHeader;
using arrowcdc::format::FrameKind;
using arrowcdc::format::SectionTag;

constexpr int64_t kPayloadBytesMax = 1 << 20;

void Require(bool condition) {
  if (!condition) abort();
}

class Session {
 public:
  explicit Session(uint8_t choices)
      : repairs_((choices & 1) != 0),
        offset_(choices >> 4),
        decoder_(arrow::default_memory_pool(), /*epoch=*/1, kPayloadBytesMax, {.spool = &spool_}) {}

  // False: the decoder has refused a frame.
  bool Feed(std::string frame) {
    if (repairs_) Repair(&frame);
    auto message = arrow::Buffer::FromString(std::string(offset_, 'w') + frame);
    auto event = decoder_.Decode(message, static_cast<int64_t>(offset_));
    while (event.ok()) {
      if (event->has_value()) Check(**event);
      if (!event->has_value() && !decoder_.has_more()) return true;
      event = decoder_.Next();
    }
    Require(!event.status().message().empty());
    return false;
  }

 private:
  void Repair(std::string* text) {
    if (text->size() < sizeof(FrameHeader)) return;
    memcpy(text->data() + offsetof(FrameHeader, sequence), &sequence_, sizeof(sequence_));
    ++sequence_;
    Frame frame;
    FrameError error;
    if (!ReadFrame(reinterpret_cast<const uint8_t*>(text->data()), text->size(), &frame, &error)) return;
    if (frame.header.kind == static_cast<uint8_t>(FrameKind::kSchema)) {
      fingerprint_ = arrowcdc::format::Fingerprint(frame.payload, frame.payload_bytes);
      SetFingerprint(frame, SectionTag::kTable, text);
    }
    if (frame.header.kind == static_cast<uint8_t>(FrameKind::kBatch))
      SetFingerprint(frame, SectionTag::kBatch, text);
  }

  void SetFingerprint(const Frame& frame, SectionTag tag, std::string* text) const {
    const auto& section = frame.section(tag);
    if (section.bytes >= sizeof(fingerprint_))
      memcpy(text->data() + section.offset, &fingerprint_, sizeof(fingerprint_));
  }

  static void Check(const arrowcdc::Event& event) {
    if (const auto* batch = std::get_if<arrowcdc::ChangeBatch>(&event)) {
      Require(batch->rows->num_rows() > 0);
      Require(batch->rows->schema() == batch->table->schema);
      Require(batch->rows->ValidateFull().ok());
      Require(arrowcdc::ChangeRows::Make(*batch->table, *batch->rows).ok());
    }
    if (const auto* truncate = std::get_if<arrowcdc::TruncateEvent>(&event)) {
      auto row = TruncateRow(*truncate, static_cast<int>(truncate->tables.size()) - 1);
      Require(!row.ok() || (*row)->ValidateFull().ok());
    }
  }

  bool repairs_;
  size_t offset_;
  arrowcdc::test::MemorySpool spool_;
  arrowcdc::Wal2arrowDecoder decoder_;
  uint32_t sequence_ = 0;
  uint64_t fingerprint_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  if (bytes == 0) return 0;
  Session session(data[0]);
  size_t at = 1;
  uint32_t frame_bytes;
  while (bytes - at >= sizeof(frame_bytes)) {
    memcpy(&frame_bytes, data + at, sizeof(frame_bytes));
    at += sizeof(frame_bytes);
    size_t taken = frame_bytes < bytes - at ? frame_bytes : bytes - at;
    if (!session.Feed(std::string(reinterpret_cast<const char*>(data) + at, taken))) break;
    at += taken;
  }
  return 0;
}
