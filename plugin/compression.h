// Compression of a batch's body, buffer by buffer, as Arrow IPC has it (docs/wire.md, "Compression"). What
// the libraries need lives in one memory context: an ERROR leaves nothing behind.
#pragma once

#include "plugin/column.h"
#include "plugin/options.h"

namespace arrowcdc::plugin {

struct Compressor;

// What stands in the body for one buffer: the prefix, then the bytes.
struct BodyPart {
  int64_t prefix;  // length before compression, or format::kLeftUncompressed
  const uint8_t* data;
  size_t size;
};

// Null where the options want no compression.
Compressor* NewCompressor(MemoryContext parent, const Options& options);

// Compresses what becomes smaller. Where the body does, refs[i].offset, refs[i].length and *body_bytes are
// those of the compressed body, and the parts are given, valid until TrimCompressor; a buffer whose
// refs[i].length is 0 has neither prefix nor bytes. Otherwise null, and everything is as it was. `compressor`
// may be null.
const BodyPart* CompressBody(Compressor* compressor, const Buffer* const* buffers, int32_t count,
                             format::BufferRef* refs, int64_t* body_bytes);

// After a batch has been sent: gives back what an unusually large one needed. The parts are gone then.
void TrimCompressor(Compressor* compressor);

}  // namespace arrowcdc::plugin
