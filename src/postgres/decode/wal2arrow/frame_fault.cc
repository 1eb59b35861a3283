// Texts of protocol errors.
#include "src/postgres/decode/wal2arrow/frame_fault.h"

#include "arrowcdc/error.h"

namespace arrowcdc {

arrow::Status FrameFault(const format::FrameHeader& header, const format::FrameError& error) {
  return FrameFault(header, std::string(error.what) + " (found " + std::to_string(error.value) + ")",
                    error.offset);
}

arrow::Status FrameFault(const format::FrameHeader& header, const std::string& what, uint64_t offset) {
  const char* kind = format::FrameKindName(header.kind);
  std::string message = "frame " + std::to_string(header.sequence) + " (" +
                        (kind != nullptr ? std::string(kind) : "kind " + std::to_string(header.kind)) +
                        "): " + what + ", at offset " + std::to_string(offset);
  return MakeError(
      ErrorKind::kProtocol, std::move(message), "stream of wal2arrow",
      "check that client and plugin are of versions that fit together; nothing of this frame was "
      "delivered or acknowledged");
}

}  // namespace arrowcdc
