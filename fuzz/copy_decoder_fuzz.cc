// Fuzz target: the bytes of a COPY in chunks -> CopyDecoder. What comes out must be an error or valid
// batches, however the bytes are cut.
//
// Input: the size of the chunks (0: one), then the stream.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "src/postgres/decode/copy/testing/copy_stream.h"

namespace {

using namespace arrowcdc;        // NOLINT
using namespace arrowcdc::test;  // NOLINT

void Require(bool condition) {
  if (!condition) abort();
}

struct Outcome {
  bool ok = false;
  int64_t rows = 0;
};

Outcome Decode(std::string_view stream, size_t chunk_bytes) {
  CopyOptions options = kOptions;
  options.batch_bytes_max = 1000;
  CopyDecoder decoder = MakeDecoder(options);
  std::vector<ChangeBatch> batches;
  arrow::Status status;
  for (size_t at = 0; at < stream.size() && status.ok(); at += chunk_bytes) {
    status = decoder.Decode(stream.substr(at, chunk_bytes), &batches);
  }
  if (status.ok()) status = decoder.Finish(&batches);
  Outcome outcome{status.ok(), 0};
  for (const ChangeBatch& batch : batches) {
    Require(batch.rows->num_rows() > 0 && batch.rows->ValidateFull().ok());
    outcome.rows += batch.rows->num_rows();
  }
  Require(status.ok() || !status.message().empty());
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  if (bytes < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, bytes - 1);
  const Outcome whole = Decode(stream, std::max<size_t>(stream.size(), 1));
  const Outcome in_chunks = Decode(stream, data[0] == 0 ? std::max<size_t>(stream.size(), 1) : data[0]);
  Require(whole.ok == in_chunks.ok && whole.rows == in_chunks.rows);
  return 0;
}
