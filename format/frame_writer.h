// Writes the header of one frame of docs/wire.md into a ByteBuffer: fixed part, sections, padding. The
// payload is appended by the caller. Used inside the server: same rules as byte_buffer.h.
//
//   FrameWriter frame(out, FrameKind::kBatch, kFlagGroupEnd, sequence++, safe_lsn);
//   frame.AddSection(SectionTag::kBatch, &batch, sizeof(batch));
//   const size_t metadata_bytes = RecordBatchMetadataBytes(nodes, buffers);
//   frame.Finish(metadata_bytes, metadata_bytes + body_bytes);
//   WriteRecordBatchMetadata(..., out);  // then the body
#pragma once

#include "format/byte_buffer.h"
#include "format/frame.h"

namespace arrowcdc::format {

class FrameWriter {
 public:
  // The frame begins at the end of what `out` holds.
  FrameWriter(ByteBuffer* out, FrameKind kind, uint16_t flags, uint32_t sequence, uint64_t safe_lsn);

  // A section whose data is at hand. Sections every reader of this protocol knows need no kSectionRequired.
  void AddSection(SectionTag tag, const void* data, size_t bytes, uint16_t section_flags = 0);

  // A section in parts: between these two calls its data is appended to the buffer, to nothing else.
  void BeginSection(SectionTag tag, uint16_t section_flags = 0);
  void EndSection();

  // Pads the header and fills in its lengths. metadata_bytes: the part of an Arrow message in front of its
  // body (for a schema message all of it), 0 where the payload is no Arrow message. payload_bytes: all of the
  // payload, parts that come in continuation frames included.
  void Finish(size_t metadata_bytes, uint64_t payload_bytes);

 private:
  template <typename T>
  void Set(size_t at, T value) {
    memcpy(out_->data + frame_ + at, &value, sizeof(T));
  }

  ByteBuffer* out_;
  size_t frame_;    // where the frame begins
  size_t section_;  // where the open section begins, counted from the frame
};

// header_bytes of a frame whose fixed part and sections take `content_bytes`, see "Frame" in docs/wire.md.
inline constexpr size_t PaddedHeaderBytes(size_t content_bytes, size_t metadata_bytes) {
  if (metadata_bytes == 0) return RoundUp(content_bytes, 8);
  return RoundUp(kXLogDataHeaderBytes + content_bytes + metadata_bytes, kBodyAlignment) -
         kXLogDataHeaderBytes - metadata_bytes;
}

}  // namespace arrowcdc::format
