// Frame headers, field by field as frame.h lays them out.
#include "format/frame_writer.h"

namespace arrowcdc::format {

namespace {

size_t MeasureSection(const Section& section) {
  return RoundUp(sizeof(SectionHeader) + section.bytes, kSectionAlignment);
}

// See "Frame" in docs/wire.md.
size_t PadHeader(size_t content_bytes, size_t metadata_bytes) {
  if (metadata_bytes == 0) return RoundUp(content_bytes, kSectionAlignment);
  return RoundUp(kXLogDataHeaderBytes + content_bytes + metadata_bytes, kBodyAlignment) -
         kXLogDataHeaderBytes - metadata_bytes;
}

uint8_t* Put(uint8_t* to, const void* bytes, size_t count) {
  if (count > 0) memcpy(to, bytes, count);
  return to + count;
}

}  // namespace

uint32_t MeasureFrameHeader(const FrameDraft& frame) {
  size_t content_bytes = kFixedHeaderBytes;
  for (int32_t i = 0; i < frame.section_count; ++i) content_bytes += MeasureSection(frame.sections[i]);
  const auto header_bytes = static_cast<uint32_t>(PadHeader(content_bytes, frame.metadata_bytes));
  return header_bytes < frame.header_bytes_min ? frame.header_bytes_min : header_bytes;
}

void WriteFrameHeader(const FrameDraft& frame, uint8_t* out) {
  FrameHeader header{};
  header.magic[0] = kMagic0;
  header.magic[1] = kMagic1;
  header.layout_version = kLayoutVersion;
  header.kind = static_cast<uint8_t>(frame.kind);
  header.flags = frame.flags;
  header.fixed_bytes = kFixedHeaderBytes;
  header.header_bytes = MeasureFrameHeader(frame);
  header.sequence = frame.sequence;
  header.safe_lsn = frame.safe_lsn;
  header.payload_bytes = frame.payload_bytes;

  uint8_t* to = Put(out, &header, sizeof(header));
  for (int32_t i = 0; i < frame.section_count; ++i) {
    const Section& section = frame.sections[i];
    uint8_t* const end = to + MeasureSection(section);
    const SectionHeader section_header{static_cast<uint16_t>(section.tag), section.flags,
                                       static_cast<uint32_t>(section.bytes)};
    to = Put(to, &section_header, sizeof(section_header));
    to = Put(to, section.data, section.bytes);
    memset(to, 0, static_cast<size_t>(end - to));
    to = end;
  }
  memset(to, 0, header.header_bytes - static_cast<size_t>(to - out));
}

}  // namespace arrowcdc::format
