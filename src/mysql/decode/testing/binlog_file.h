// Recorded binlogs for tests, and a decoder fed with one.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/transaction_payload.h"

namespace arrowcdc::mysql::test {

inline constexpr uint8_t kTableMapEvent = 19;
inline constexpr uint8_t kTransactionPayloadEvent = 40;
inline constexpr size_t kHeaderBytes = 19;

struct RecordedEvent {
  uint8_t type = 0;
  std::vector<uint8_t> body = {};
};

// The events of testing/recorded/NAME.binlog, all of which have a checksum.
inline std::vector<RecordedEvent> ReadRecorded(const std::string& name) {
  constexpr size_t kMagicBytes = 4;
  constexpr size_t kChecksumBytes = 4;
  std::ifstream file(ARROWCDC_RECORDED "/" + name + ".binlog", std::ios::binary);
  const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
  std::vector<RecordedEvent> events;
  for (size_t at = kMagicBytes; at + kHeaderBytes <= bytes.size();) {
    const auto size = static_cast<size_t>(LoadLittle<4>(bytes.data() + at + 9));
    const auto body = bytes.begin() + static_cast<ptrdiff_t>(at + kHeaderBytes);
    events.push_back(
        {bytes[at + 4], {body, body + static_cast<ptrdiff_t>(size - kHeaderBytes - kChecksumBytes)}});
    at += size;
  }
  return events;
}

// The same with what is in compressed transactions in their place.
inline arrow::Result<std::vector<RecordedEvent>> Unpack(const std::vector<RecordedEvent>& events) {
  std::vector<RecordedEvent> unpacked;
  for (const RecordedEvent& event : events) {
    if (event.type != kTransactionPayloadEvent) {
      unpacked.push_back(event);
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(auto reader, TransactionPayloadReader::Make(event.body));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto inner, reader.Next());
      if (!inner.has_value()) break;
      const auto body = inner->subspan(kHeaderBytes);
      unpacked.push_back({(*inner)[4], {body.begin(), body.end()}});
    }
  }
  return unpacked;
}

// Feeds what concerns rows; the events of rows are numbered through, from 0.
inline arrow::Status Feed(const std::vector<RecordedEvent>& events, RowDecoder* decoder) {
  RowContext context;
  context.commit_lsn = 1000;
  context.commit_ts = 1'700'000'000'000'000;
  for (const RecordedEvent& event : events) {
    if (event.type == kTableMapEvent) {
      ARROW_RETURN_NOT_OK(decoder->AddTableMap(event.body));
    } else if (RowDecoder::IsRowsEvent(event.type)) {
      ARROW_ASSIGN_OR_RAISE(const RowsTable table, decoder->TableOf(event.type, event.body));
      ARROW_RETURN_NOT_OK(decoder->AddRows(event.type, event.body, context));
      ++context.event;
      if (table.statement_end) decoder->ForgetTableMaps();
    }
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc::mysql::test
