// A message as libpq allocated it, without a copy.
#pragma once

#include <cstdint>

#include <arrow/buffer.h>
#include <libpq-fe.h>

namespace arrowcdc::postgres {

class CopyBuffer : public arrow::Buffer {
 public:
  // Owns `data`. The buffer begins `skipped` bytes behind it.
  CopyBuffer(char* data, int64_t bytes, int64_t skipped = 0)
      : Buffer(reinterpret_cast<const uint8_t*>(data) + skipped, bytes - skipped), owned_(data) {}
  ~CopyBuffer() override { PQfreemem(owned_); }

 private:
  char* owned_;
};

}  // namespace arrowcdc::postgres
