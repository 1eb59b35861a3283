// The events inside a TRANSACTION_PAYLOAD_EVENT (40), which MySQL writes where binlog_transaction_compression
// is on. They are unpacked one after another, never all at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <arrow/result.h>

namespace arrowcdc::mysql {

// One thread. The body outlives the reader.
class TransactionPayloadReader {
 public:
  // `body`: of event 40, behind its common header, without its checksum. Errors: kProtocol; kUnsupported for
  // a compression that is not known.
  static arrow::Result<TransactionPayloadReader> Make(std::span<const uint8_t> body);
  TransactionPayloadReader(TransactionPayloadReader&&) noexcept;
  ~TransactionPayloadReader();

  // The next event: its common header of 19 bytes and its body; events in a payload have no checksum. It
  // lasts until the next call. nullopt: that was the last one. Errors: kProtocol.
  arrow::Result<std::optional<std::span<const uint8_t>>> Next();

 private:
  class Impl;
  explicit TransactionPayloadReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace arrowcdc::mysql
