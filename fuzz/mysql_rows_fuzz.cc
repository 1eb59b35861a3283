// Fuzz target: events of a binlog -> RowDecoder, compressed transactions and statements unpacked on the way.
// What comes out must be a typed error that leaves nothing of its event, or valid batches.
//
// Input: the flavor (1 byte), then for each event its type (1 byte), the length of its body (4 bytes,
// little-endian), and the body.
#include <algorithm>
#include <span>
#include <vector>

#include "fuzz/require.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/transaction_payload.h"

namespace {

using namespace arrowcdc;         // NOLINT
using namespace arrowcdc::mysql;  // NOLINT

constexpr uint8_t kTableMapEvent = 19;
constexpr uint8_t kTransactionPayloadEvent = 40;
constexpr uint8_t kCompressedQueryEvent = 165;
constexpr size_t kHeaderBytes = 19;

void Take(uint8_t type, std::span<const uint8_t> bytes, RowDecoder* decoder);

void TakePayload(std::span<const uint8_t> body, RowDecoder* decoder) {
  auto reader = TransactionPayloadReader::Make(body);
  if (!reader.ok()) return CheckError(reader.status());
  while (true) {
    const auto event = reader->Next();
    if (!event.ok()) return CheckError(event.status());
    if (!event->has_value()) return;
    Require((*event)->size() >= kHeaderBytes);
    const uint8_t type = (**event)[4];
    if (type != kTransactionPayloadEvent) Take(type, (*event)->subspan(kHeaderBytes), decoder);
  }
}

void Take(uint8_t type, std::span<const uint8_t> bytes, RowDecoder* decoder) {
  // On the heap at its exact size, so that a read beyond it is seen.
  const std::vector<uint8_t> body(bytes.begin(), bytes.end());
  const int64_t rows = decoder->open_rows();
  if (type == kTableMapEvent) {
    const arrow::Status status = decoder->AddTableMap(body);
    if (!status.ok()) CheckError(status);
    Require(decoder->open_rows() == rows);
  } else if (RowDecoder::IsRowsEvent(type)) {
    const auto table = decoder->TableOf(type, body);
    if (!table.ok()) CheckError(table.status());
    const arrow::Status status = decoder->AddRows(type, body, {});
    Require(table.ok() || !status.ok());
    if (status.ok()) return;
    CheckError(status);
    Require(decoder->open_rows() == rows);
  } else if (type == kTransactionPayloadEvent) {
    TakePayload(body, decoder);
  } else if (type == kCompressedQueryEvent) {
    const auto query = InflateQuery(body);
    if (!query.ok()) CheckError(query.status());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ByteCursor cursor({data, bytes});
  uint8_t flavor;
  if (!cursor.Read<1>(&flavor)) return 0;
  auto decoder = RowDecoder::Make({.flavor = (flavor & 1) == 0 ? Flavor::kMysql : Flavor::kMariadb});
  Require(decoder.ok());
  uint8_t type;
  uint32_t size;
  while (cursor.Read<1>(&type) && cursor.Read<4>(&size)) {
    std::span<const uint8_t> body;
    cursor.ReadBytes(std::min<uint64_t>(size, cursor.left()), &body);
    Take(type, body, decoder->get());
  }
  const auto batches = (*decoder)->Flush();
  if (!batches.ok()) {
    CheckError(batches.status());
    return 0;
  }
  Require((*decoder)->open_rows() == 0);
  for (const ChangeBatch& batch : *batches)
    Require(batch.rows->num_rows() > 0 && batch.rows->ValidateFull().ok());
  return 0;
}
