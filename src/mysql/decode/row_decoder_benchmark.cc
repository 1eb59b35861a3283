// How many rows a second of processor time the decoder takes: row_decoder_benchmark [ROWS]. Rows of eight
// columns as an order would have them, in events of 7 KB, much as MySQL writes them, in batches of 64 K rows.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/testing/event_bytes.h"

namespace {

using namespace arrowcdc;         // NOLINT
using namespace arrowcdc::mysql;  // NOLINT
using test::Bytes;
using test::EventBytes;

constexpr int kRowsAnEvent = 100;
constexpr int64_t kRowsABatch = 1 << 16;

Bytes Map() {
  return test::TableMapBody(
      {.types = {8, 3, 15, 246, 18, 15, 1,
                 5},  // bigint, int, varchar, decimal, datetime, varchar, tinyint, double
       .numbers = {40, 0, 12, 2, 6, 80, 0, 8},
       .names = {"id", "customer", "status", "amount", "made", "note", "flag", "weight"},
       .signedness = {0x80},
       .collations = {45, 45},
       .key = {0}});
}

Bytes RowsFrom(uint64_t first) {
  EventBytes rows;
  for (uint64_t i = first; i < first + kRowsAnEvent; ++i) {
    rows.Byte(0).Number(i, 8).Number(i * 7919 % 100'000, 4).Packed("shipped");
    rows.Add({0x80, 0x00, 0x00, 0x30, 0x39, static_cast<uint8_t>(i % 100)});
    rows.Add({0x99, 0xb2, 0xba, 0xc8, 0xb8, 0x0c, 0x0a, 0x14}).Packed("a note of 24 characters.").Byte(i % 3);
    rows.Add({0, 0, 0, 0, 0, 0, 0xf8, 0x3f});
  }
  return test::RowsBody(7, 8, 1, rows.bytes());
}

arrow::Result<int64_t> Decode(const std::vector<Bytes>& events, int64_t rows_wanted) {
  ARROW_ASSIGN_OR_RAISE(auto decoder, RowDecoder::Make({}));
  const Bytes map = Map();
  RowContext context;
  int64_t rows = 0;
  while (rows < rows_wanted) {
    for (const Bytes& event : events) {
      ARROW_RETURN_NOT_OK(decoder->AddTableMap(map));
      ARROW_RETURN_NOT_OK(decoder->AddRows(30, event, context));
      ++context.event;
      if (decoder->open_rows() < kRowsABatch) continue;
      ARROW_ASSIGN_OR_RAISE(const auto batches, decoder->Flush());
      for (const ChangeBatch& batch : batches) rows += batch.rows->num_rows();
    }
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t rows_wanted = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10'000'000;
  std::vector<Bytes> events;
  size_t bytes = 0;
  for (uint64_t i = 0; i < 100; ++i) bytes += events.emplace_back(RowsFrom(i * kRowsAnEvent)).size();
  const std::clock_t begin = std::clock();  // of the processor: others may be at work
  const auto rows = Decode(events, rows_wanted);
  const double taken = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (!rows.ok()) {
    std::cerr << rows.status().ToString() << "\n";
    return 1;
  }
  const auto rows_a_second = static_cast<double>(*rows) / taken;
  printf("%.2f M rows/s, %.0f MB/s of events\n", rows_a_second / 1e6,
         rows_a_second * static_cast<double>(bytes) / (100 * kRowsAnEvent) / 1e6);
  return 0;
}
