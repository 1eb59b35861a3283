// Frame headers, field by field as frame.h lays them out.
#include "format/frame_writer.h"

namespace arrowcdc::format {

FrameWriter::FrameWriter(ByteBuffer* out, FrameKind kind, uint16_t flags, uint32_t sequence,
                         uint64_t safe_lsn)
    : out_(out), frame_(out->size), section_(0) {
  FrameHeader header = {};
  header.magic[0] = kMagic0;
  header.magic[1] = kMagic1;
  header.layout_version = kLayoutVersion;
  header.kind = static_cast<uint8_t>(kind);
  header.flags = flags;
  header.fixed_bytes = kFixedHeaderBytes;
  header.sequence = sequence;
  header.safe_lsn = safe_lsn;
  AppendValue(out, header);
}

void FrameWriter::AddSection(SectionTag tag, const void* data, size_t bytes, uint16_t section_flags) {
  BeginSection(tag, section_flags);
  Append(out_, data, bytes);
  EndSection();
}

void FrameWriter::BeginSection(SectionTag tag, uint16_t section_flags) {
  section_ = out_->size - frame_;
  AppendValue(out_, SectionHeader{static_cast<uint16_t>(tag), section_flags, 0});
}

void FrameWriter::EndSection() {
  size_t end = out_->size - frame_;
  size_t bytes = end - section_ - sizeof(SectionHeader);
  Set(section_ + offsetof(SectionHeader, bytes), static_cast<uint32_t>(bytes));
  AppendZeros(out_, RoundUp(end, 8) - end);
}

void FrameWriter::Finish(size_t metadata_bytes, uint64_t payload_bytes) {
  size_t content_bytes = out_->size - frame_;
  size_t header_bytes = PaddedHeaderBytes(content_bytes, metadata_bytes);
  AppendZeros(out_, header_bytes - content_bytes);
  Set(offsetof(FrameHeader, header_bytes), static_cast<uint32_t>(header_bytes));
  Set(offsetof(FrameHeader, payload_bytes), payload_bytes);
}

}  // namespace arrowcdc::format
