#include "src/mysql/stream/record_store.h"

#include <random>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::mysql {
namespace {

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(RecordStore, InOrderThroughMemoryAndDisk) {
  std::mt19937_64 random(arrowcdc::test::Seed());
  RecordStore store({.memory_bytes_max = 2 << 20});
  uint64_t appended = 0;
  uint64_t read = 0;
  bool was_on_disk = false;
  const auto make = [](uint64_t n) { return std::string((n * 7919) % 60'000, static_cast<char>(n)); };
  while (read < 2'000) {
    const int count = static_cast<int>(random() % 200);
    for (int i = 0; i < count && appended < 2'000; ++i) {
      const std::string record = make(appended++);
      const size_t cut = record.size() / 3;
      ARROWCDC_ASSERT_OK(store.Append({Bytes(record).first(cut), Bytes(record).subspan(cut)}));
    }
    was_on_disk |= store.disk_bytes() > 0;
    EXPECT_LE(store.memory_bytes(), (4 << 20) + 60'008);
    for (int chunks = static_cast<int>(random() % 4); chunks > 0 || appended == 2'000; --chunks) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(auto chunk, store.TakeChunk());
      if (!chunk.has_value()) break;
      std::span<const uint8_t> left(*chunk);
      while (const auto record = ReadRecord(&left)) {
        const std::string expected = make(read++);
        ASSERT_EQ(std::string(record->begin(), record->end()), expected);
      }
      store.GiveBack(*std::move(chunk));
    }
  }
  EXPECT_TRUE(was_on_disk);
  EXPECT_TRUE(store.empty());
  EXPECT_EQ(store.bytes(), 0);
}

TEST(RecordStore, NoPlace) {
  RecordStore store({.memory_bytes_max = 0, .directory = "/nonexistent"});
  const std::string record(2 << 20, 'x');
  const arrow::Status failed = store.Append({Bytes(record)});
  const ErrorDetail* const detail = GetErrorDetail(failed);
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kSink);
  EXPECT_TRUE(detail->retryable());
}

TEST(RecordStore, FullWhereTheDiskIsBounded) {
  RecordStore store({.memory_bytes_max = 1 << 20, .disk_bytes_max = 2 << 20});
  const std::string record(1 << 20, 'x');
  int appended = 0;
  for (; appended < 10 && store.has_room(); ++appended) ARROWCDC_ASSERT_OK(store.Append({Bytes(record)}));
  EXPECT_EQ(appended, 2);  // one on disk, where another does not fit, and one in memory
  EXPECT_LE(store.disk_bytes(), 2 << 20);
  store.Clear();
  EXPECT_TRUE(store.has_room());
}

}  // namespace
}  // namespace arrowcdc::mysql
