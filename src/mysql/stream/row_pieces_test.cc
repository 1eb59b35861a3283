#include "src/mysql/stream/row_pieces.h"

#include <random>
#include <string>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

#ifdef __SANITIZE_ADDRESS__
// In sanitizer/allocator_interface.h, which not every package of the compiler has.
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using test::MapBytes;
using test::RowsBody;
using test::TableMapBody;

constexpr uint8_t kWrite = 30;

// n BIGINT, text VARBINARY(60000)
MapBytes Table(uint64_t id, const std::string& name) {
  return {.table_id = id,
          .table = name,
          .types = {8, 15},
          .numbers = {0x60, 0xea},
          .names = {"n", "text"},
          .signedness = {0x00},
          .collations = {63},
          .key = {0}};
}

Bytes Row(int64_t n, size_t bytes) {
  return EventBytes()
      .Byte(0)
      .Number(static_cast<uint64_t>(n), 8)
      .Number(bytes, 2)
      .Text(std::string(bytes, static_cast<char>('a' + n % 26)))
      .bytes();
}

// All that closed pieces have, a list a piece.
arrow::Status TakePiece(RowPieces* pieces, std::vector<ChangeBatch>* batches) {
  while (true) {
    ARROW_ASSIGN_OR_RAISE(auto taken, pieces->Take(/*wait=*/true));
    if (!taken.has_value()) return arrow::Status::Invalid("no piece is there");
    if (taken->batch.has_value()) batches->push_back(*std::move(taken->batch));
    if (taken->is_last) return arrow::Status::OK();
  }
}

void ExpectNumbers(const std::vector<ChangeBatch>& batches, const std::string& table,
                   const std::vector<int64_t>& expected) {
  std::vector<int64_t> numbers;
  for (const ChangeBatch& batch : batches) {
    ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    if (batch.table->name.table != table) continue;
    const auto& column = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    const auto& texts = static_cast<const arrow::BinaryArray&>(*batch.rows->column(1));
    for (int64_t i = 0; i < column.length(); ++i) {
      numbers.push_back(column.Value(i));
      const auto text = texts.GetView(i);
      ASSERT_TRUE(text.empty() || text.front() == static_cast<char>('a' + column.Value(i) % 26));
    }
  }
  EXPECT_EQ(numbers, expected) << table;
}

// Pieces of all sizes, by one thread and by several: each has the rows that were put into it, in their order,
// and pieces come out as they went in. Maps are said once, and again only after they were forgotten.
TEST(RowPieces, InOrderByAnyNumberOfThreads) {
  std::mt19937_64 random(arrowcdc::test::Seed());
  for (const size_t threads : {1, 2, 4}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto pieces, RowPieces::Make({}, threads));
    std::vector<std::vector<int64_t>> first;
    std::vector<std::vector<int64_t>> second;
    size_t taken = 0;
    const auto take = [&] {
      std::vector<ChangeBatch> batches;
      ARROWCDC_ASSERT_OK(TakePiece(pieces.get(), &batches));
      ExpectNumbers(batches, "first", first[taken]);
      ExpectNumbers(batches, "second", second[taken]);
      ++taken;
    };
    int64_t number = 0;
    uint64_t id = 1;
    for (int piece = 0; piece < 30; ++piece) {
      if (piece % 7 == 0) {
        pieces->ForgetTableMaps();
        id += 2;
        pieces->AddTableMap(TableMapBody(Table(id, "first")));
        pieces->AddTableMap(TableMapBody(Table(id + 1, "second")));
      }
      std::vector<int64_t> numbers[2];
      const size_t bytes = random() % 3 == 0 ? random() % 2'000 : 1'000 + random() % 200'000;
      while (pieces->open_bytes() <= bytes) {
        const size_t which = random() % 2;
        Bytes rows;
        for (uint64_t i = random() % 20; i < 20; ++i) {
          numbers[which].push_back(number);
          const Bytes row = Row(number++, random() % 3'000);
          rows.insert(rows.end(), row.begin(), row.end());
        }
        pieces->AddRows(kWrite, RowsBody(id + which, 2, 1, rows), {.commit_lsn = id});
      }
      pieces->Close();
      EXPECT_EQ(pieces->open_bytes(), 0u);
      first.push_back(std::move(numbers[0]));
      second.push_back(std::move(numbers[1]));
      while (pieces->crowded() && !HasFatalFailure()) take();
      if (HasFatalFailure()) return;
    }
    while (taken < first.size() && !HasFatalFailure()) take();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto none, pieces->Take(/*wait=*/true));
    EXPECT_FALSE(none.has_value());
  }
}

// Rows of many columns that are null but for one: the batches are many times the events, and are not all held
// at once.
TEST(RowPieces, RowsThatBecomeMuchMoreAreSeveralBatches) {
  constexpr size_t kColumns = 200;
  MapBytes map{.types = Bytes(kColumns, 8), .signedness = Bytes(kColumns / 8, 0), .key = {0}};
  for (size_t i = 0; i < kColumns; ++i) map.names.push_back("c" + std::to_string(i));
  // The names are longer than a byte can say.
  EventBytes names;
  for (const std::string& name : map.names) names.Packed(name);
  map.names.clear();
  map.more = EventBytes().Byte(4).Byte(0xfc).Number(names.bytes().size(), 2).Add(names.bytes()).bytes();
  const Bytes body = TableMapBody(map);
  arrow::ProxyMemoryPool pool(arrow::default_memory_pool());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto pieces, RowPieces::Make({.memory_pool = &pool}, 2));
  pieces->AddTableMap(body);
  Bytes nulls(kColumns / 8, 0xff);
  nulls[0] = 0xfe;
  EventBytes rows;
  for (uint64_t i = 0; i < 100; ++i) rows.Add(nulls).Number(i, 8);
  const Bytes event = RowsBody(7, kColumns, 1, rows.bytes());
  int64_t expected = 0;
  while (pieces->open_bytes() < 1 << 20) {
    pieces->AddRows(kWrite, event, {});
    expected += 100;
  }
  const int64_t whole = expected * static_cast<int64_t>(kColumns) * 8;
  ASSERT_GT(whole, 40 << 20);
  pieces->Close();
  int64_t counted = 0;
  int64_t batches = 0;
  while (true) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto taken, pieces->Take(/*wait=*/true));
    ASSERT_TRUE(taken.has_value());
    if (taken->batch.has_value()) {
      counted += taken->batch->rows->num_rows();
      ++batches;
      EXPECT_TRUE(taken->batch->rows->column(1)->IsNull(0));
    }
    EXPECT_LT(pool.bytes_allocated(), whole / 2);
    if (taken->is_last) break;
  }
  EXPECT_EQ(counted, expected);
  EXPECT_GT(batches, 5);
}

#ifdef __SANITIZE_ADDRESS__
// A large event is the exception, and what it took is given back.
TEST(RowPieces, TheMemoryOfLargeEventsIsNotKept) {
  constexpr size_t kLarge = size_t{20} << 20;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto pieces, RowPieces::Make({}, 2));
  pieces->AddTableMap(TableMapBody(Table(7, "first")));
  EventBytes rows;
  while (rows.bytes().size() < kLarge) rows.Add(Row(1, 60'000));
  const Bytes event = RowsBody(7, 2, 1, rows.bytes());
  const size_t before = __sanitizer_get_current_allocated_bytes();
  for (int round = 0; round < 2; ++round) {
    for (int piece = 0; piece < 3; ++piece) {
      pieces->AddRows(kWrite, event, {});
      pieces->Close();
    }
    for (int piece = 0; piece < 3; ++piece) {
      std::vector<ChangeBatch> batches;
      ARROWCDC_ASSERT_OK(TakePiece(pieces.get(), &batches));
      EXPECT_FALSE(batches.empty());
    }
  }
  EXPECT_LT(__sanitizer_get_current_allocated_bytes(), before + 2 * kLarge);
}
#endif

// What is wrong comes where it is, behind the pieces in front of it, whichever thread is first.
TEST(RowPieces, ErrorsComeInOrder) {
  for (const size_t bytes : {size_t{100}, size_t{500'000}}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto pieces, RowPieces::Make({}, 4));
    pieces->AddTableMap(TableMapBody(Table(7, "first")));
    for (int64_t piece = 0; piece < 4; ++piece) {
      while (pieces->open_bytes() < bytes) {
        Bytes row = Row(piece, 50);
        if (piece == 2) row.pop_back();
        pieces->AddRows(kWrite, RowsBody(7, 2, 1, row), {});
      }
      pieces->Close();
    }
    for (int piece = 0; piece < 2; ++piece) {
      std::vector<ChangeBatch> batches;
      ARROWCDC_ASSERT_OK(TakePiece(pieces.get(), &batches));
      EXPECT_FALSE(batches.empty());
    }
    for (int i = 0; i < 2; ++i) {
      const arrow::Status status = pieces->Take(/*wait=*/true).status();
      ASSERT_NE(GetErrorDetail(status), nullptr) << status;
      EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kProtocol);
      EXPECT_EQ(GetErrorDetail(status)->object(), "column text of table d.first");
    }
  }
}

// Nobody takes anything, and threads are in the middle of pieces.
TEST(RowPieces, EndsAtAnyTime) {
  std::mt19937_64 random(arrowcdc::test::Seed());
  for (int i = 0; i < 10; ++i) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto pieces, RowPieces::Make({}, 3));
    pieces->AddTableMap(TableMapBody(Table(7, "first")));
    for (uint64_t piece = random() % 5; piece < 6; ++piece) {
      while (pieces->open_bytes() < 300'000) pieces->AddRows(kWrite, RowsBody(7, 2, 1, Row(1, 900)), {});
      pieces->Close();
    }
    if (i % 2 == 0) ARROWCDC_ASSERT_OK(pieces->Take(/*wait=*/false).status());
  }
}

}  // namespace
}  // namespace arrowcdc::mysql
