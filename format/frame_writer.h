// Writes the header of one frame of docs/wire.md: fixed part, sections, padding. The header is a value until
// all of it is known, then it is written once, and nothing is changed in the bytes afterwards. The payload is
// the caller's. Used inside the server: no memory of its own, no error.
//
//   const Section sections[] = {{SectionTag::kBatch, &batch, sizeof(batch)}};
//   FrameDraft frame{FrameKind::kBatch};
//   frame.sections = sections;
//   frame.section_count = 1;
//   frame.metadata_bytes = RecordBatchMetadataBytes(nodes, buffers);
//   frame.payload_bytes = frame.metadata_bytes + body_bytes;
//   AppendFrameHeader(frame, out);
//   WriteRecordBatchMetadata(..., out);  // then the body
#pragma once

#include "format/byte_buffer.h"
#include "format/frame.h"

namespace arrowcdc::format {

// The data is the caller's, and stays where it is until the header has been written.
struct Section {
  SectionTag tag;
  const void* data;
  size_t bytes;
  uint16_t flags = 0;  // what every reader of this protocol knows needs no kSectionRequired
};

struct FrameDraft {
  FrameKind kind;
  uint16_t flags = 0;  // FrameFlags
  uint32_t sequence = 0;
  uint64_t safe_lsn = 0;
  const Section* sections = nullptr;
  int32_t section_count = 0;
  size_t metadata_bytes = 0;   // the part of an Arrow message in front of its body (for a schema message all
                               // of it), 0 where the payload is no Arrow message
  uint64_t payload_bytes = 0;  // all of the payload, parts that come in continuation frames included
  uint32_t header_bytes_min = 0;  // where the header is to be longer than it must be
};

// How long the header is: from the frame's first byte to the payload.
uint32_t MeasureFrameHeader(const FrameDraft& frame);

// Writes that many bytes.
void WriteFrameHeader(const FrameDraft& frame, uint8_t* out);

inline void AppendFrameHeader(const FrameDraft& frame, ByteBuffer* out) {
  WriteFrameHeader(frame, Extend(out, MeasureFrameHeader(frame)));
}

}  // namespace arrowcdc::format
