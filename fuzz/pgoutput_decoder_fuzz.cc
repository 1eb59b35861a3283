// Fuzz target: messages of pgoutput -> PgoutputDecoder. What comes out must be an error or valid batches
// whose groups end outside of transactions.
//
// Input: for each message its length (4 bytes, little-endian), its place in the WAL (1 byte), then the
// message.
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/pgoutput/testing/session.h"
#include "src/postgres/decode/testing/memory_spool.h"

namespace {

using namespace arrowcdc;        // NOLINT
using namespace arrowcdc::test;  // NOLINT

void Require(bool condition) {
  if (!condition) abort();
}

arrow::Status CheckEvents(PgoutputDecoder* decoder) {
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto event, decoder->Next());
    if (!event.has_value() && !decoder->has_more()) return arrow::Status::OK();
    if (!event.has_value()) continue;
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
      Require(batch->rows->num_rows() > 0 && batch->rows->ValidateFull().ok());
      Require(!batch->group.group_end || (batch->group.safe.has_value() && !batch->group.txn_incomplete));
    } else if (const auto* truncate = std::get_if<TruncateEvent>(&*event)) {
      Require(!truncate->tables.empty() && TruncateRow(*truncate, 0).ok());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  TestRelationCatalog catalog;
  MemorySpool spool;
  PgoutputDecoder decoder(arrow::system_memory_pool(), 1, &catalog,
                          {.commit_bytes = 1, .batch_bytes_max = 9000}, {.spool = &spool});
  std::string_view input(reinterpret_cast<const char*>(data), bytes);
  while (input.size() > sizeof(uint32_t)) {
    uint32_t size;
    memcpy(&size, input.data(), sizeof(size));
    const auto lsn = static_cast<uint8_t>(input[sizeof(size)]);
    const std::string_view message = input.substr(sizeof(size) + 1, size);
    input.remove_prefix(sizeof(size) + 1 + message.size());
    arrow::Status status = decoder.Decode(message, lsn);
    if (status.ok()) status = CheckEvents(&decoder);
    if (!status.ok()) {
      Require(!status.message().empty());
      return 0;
    }
  }
  Require(decoder.Flush().ok());
  Require(CheckEvents(&decoder).ok());
  return 0;
}
