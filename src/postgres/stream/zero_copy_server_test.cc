// From the socket to the batch without a copy: every value buffer of a batch lies inside what libpq handed
// over.
#include <dlfcn.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "arrowcdc/postgres.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"

namespace {

struct Block {
  const uint8_t* begin;
  const uint8_t* end;
};

std::mutex mutex;
std::vector<Block> blocks;  // the newest last: memory that was given back may come again

}  // namespace

// Stands in front of libpq's.
extern "C" int PQgetCopyData(PGconn* connection, char** buffer, int async) {
  static const auto next = reinterpret_cast<int (*)(PGconn*, char**, int)>(dlsym(RTLD_NEXT, "PQgetCopyData"));
  const int bytes = next(connection, buffer, async);
  if (bytes > 0) {
    const std::lock_guard lock(mutex);
    const auto* begin = reinterpret_cast<const uint8_t*>(*buffer);
    blocks.push_back({begin, begin + bytes});
  }
  return bytes;
}

namespace arrowcdc::postgres {
namespace {

constexpr std::chrono::seconds kLimit(30);

std::optional<Block> BlockAround(const arrow::Buffer& buffer) {
  const std::lock_guard lock(mutex);
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (buffer.data() >= block->begin && buffer.data() + buffer.size() <= block->end) return *block;
  }
  return std::nullopt;
}

// The buffers' places in messages; one that is in none fails the test.
void CollectBlocks(const arrow::ArrayData& data, std::vector<const uint8_t*>* begins) {
  for (const auto& buffer : data.buffers) {
    if (buffer == nullptr || buffer->size() == 0) continue;
    const auto block = BlockAround(*buffer);
    EXPECT_TRUE(block.has_value()) << data.type->ToString() << ", " << buffer->size() << " bytes";
    if (block.has_value()) begins->push_back(block->begin);
  }
  for (const auto& child : data.child_data) CollectBlocks(*child, begins);
}

TEST(ZeroCopy, ValuesLieInWhatLibpqHandedOver) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, test::PrivateServer::Create());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE t (id bigint PRIMARY KEY, i int, b bool, n numeric(12,2), w numeric(50,2), t "
                "text, d date,"
                "j jsonb, u uuid, v interval, z timetz, a int[], s text[])"));
  PostgresOptions options;
  options.conninfo = server->conninfo();
  options.slot = "zero_copy";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(options, plan, nullptr));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakePostgresSource(options));
  ARROWCDC_ASSERT_OK(source->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source->Resume({}));
  ARROWCDC_ASSERT_OK(source->Start(start));
  ARROWCDC_ASSERT_OK(sql->Exec(
      "INSERT INTO t SELECT g, nullif(g % 7, 0), CASE WHEN g % 5 > 0 THEN g % 2 = 0 END, g / 4.0, g, 'text ' "
      "|| g,"
      "'2026-01-01', '{}', md5(g::text)::uuid, '1 day', '12:00+01', ARRAY[g, NULL], ARRAY['a', 'b' || g]"
      "FROM generate_series(1, 5000) g"));

  int64_t rows = 0;
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (rows < 5000 && std::chrono::steady_clock::now() < deadline) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto event, source->Next(std::chrono::milliseconds(100)));
    const auto* batch = event.has_value() ? std::get_if<ChangeBatch>(&*event) : nullptr;
    if (batch == nullptr) continue;
    rows += batch->rows->num_rows();
    const int columns = batch->table->column_count;
    std::vector<const uint8_t*> begins;
    for (int i = 0; i < columns; ++i) CollectBlocks(*batch->rows->column_data(i), &begins);
    for (const MetadataColumn column : {MetadataColumn::kOp, MetadataColumn::kLsn, MetadataColumn::kOrd}) {
      CollectBlocks(*batch->rows->column_data(batch->table->metadata_field(column)), &begins);
    }
    EXPECT_GE(begins.size(), 23u);
    EXPECT_EQ(std::set(begins.begin(), begins.end()).size(), 1u) << "one message holds the whole batch";
  }
  EXPECT_EQ(rows, 5000);
  ARROWCDC_ASSERT_OK(source->Stop());
}

}  // namespace
}  // namespace arrowcdc::postgres
