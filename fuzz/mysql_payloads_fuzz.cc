// Fuzz target: MySQL's compressed transactions (zstd) and MariaDB's compressed statements and rows (zlib), to
// what is in them: whole events, or a typed error, and never without end.
//
// Input: the type of the event (1 byte), and its body.
#include <span>
#include <string>
#include <vector>

#include "fuzz/require.h"
#include "src/mysql/decode/event.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/rows_event.h"
#include "src/mysql/decode/transaction_payload.h"

namespace {

using namespace arrowcdc;         // NOLINT
using namespace arrowcdc::mysql;  // NOLINT

void TakePayload(std::span<const uint8_t> body) {
  auto reader = TransactionPayloadReader::Make(body);
  if (!reader.ok()) return CheckError(reader.status());
  while (true) {
    const auto bytes = reader->Next();
    if (!bytes.ok()) return CheckError(bytes.status());
    if (!bytes->has_value()) return;
    const auto event = EventReader::ReadInner(**bytes);
    if (!event.ok()) return CheckError(event.status());
    Require(event->header.size == (*bytes)->size());
    Require(event->body.size() + kEventHeaderBytes == (*bytes)->size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  if (bytes == 0) return 0;
  const std::vector<uint8_t> body(data + 1, data + bytes);
  const auto type = static_cast<EventType>(data[0]);
  if (type == EventType::kTransactionPayload) {
    TakePayload(body);
  } else if (type == EventType::kQueryCompressed) {
    const auto query = InflateQuery(body);
    if (!query.ok()) CheckError(query.status());
  } else if (const auto kind = RowsEventKindOf(data[0])) {
    const auto event = ReadRowsEvent(*kind, body);
    if (!event.ok()) return CheckError(event.status()), 0;
    if (!kind->is_compressed) return 0;
    const auto rows = Inflate(event->rows);
    if (!rows.ok()) CheckError(rows.status());
  }
  return 0;
}
