// The short way of reading a batch against Arrow's reader: on good messages, and on such as are damaged.
#include "src/postgres/decode/wal2arrow/batch_reader.h"

#include <cstring>
#include <random>

#include <arrow/api.h>
#include <arrow/extension/uuid.h>
#include <arrow/ipc/writer.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/postgres/decode/wal2arrow/ipc_message.h"

namespace arrowcdc {
namespace {

constexpr int64_t kRows = 3;

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type, const char* json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

// A column of every form that the plugin writes.
std::shared_ptr<arrow::RecordBatch> Batch() {
  const auto ids =
      FromJson(arrow::fixed_size_binary(16), R"(["0123456789abcdef", null, "fedcba9876543210"])");
  const arrow::ArrayVector columns = {
      FromJson(arrow::int64(), "[1, null, 3]"),
      FromJson(arrow::boolean(), "[true, false, null]"),
      FromJson(arrow::utf8(), R"(["one", null, ""])"),
      FromJson(arrow::binary(), R"(["", "", "x"])"),
      FromJson(arrow::decimal128(20, 2), R"(["1.25", null, "-3.50"])"),
      FromJson(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[1, 2, 3]"),
      FromJson(arrow::month_day_nano_interval(), "[[1, 2, 3], null, [4, 5, 6]]"),
      FromJson(arrow::list(arrow::int32()), "[[1, null], null, []]"),
      FromJson(arrow::fixed_size_list(arrow::float32(), 2), "[[1, 2], null, [3, 4]]"),
      FromJson(
          arrow::struct_({arrow::field("a", arrow::int16()), arrow::field("b", arrow::list(arrow::utf8()))}),
          R"([{"a": 1, "b": ["x"]}, null, {"a": null, "b": null}])"),
      FromJson(arrow::map(arrow::utf8(), arrow::utf8()), R"([[["k", "v"], ["n", null]], null, []])"),
      arrow::ExtensionType::WrapArray(arrow::extension::uuid(), ids),
      FromJson(arrow::uint16(), "[0, 1, 2]"),
  };
  arrow::FieldVector fields;
  for (const auto& column : columns) fields.push_back(arrow::field("c", column->type()));
  return arrow::RecordBatch::Make(arrow::schema(fields), kRows, columns);
}

std::shared_ptr<arrow::Buffer> Payload(const arrow::RecordBatch& batch,
                                       const arrow::ipc::IpcWriteOptions& options = {}) {
  return arrow::ipc::SerializeRecordBatch(batch, options).ValueOrDie();
}

arrow::Result<arrow::ArrayVector> ByArrow(const std::shared_ptr<arrow::Buffer>& payload,
                                          const std::shared_ptr<arrow::Schema>& schema) {
  return ReadBatchPayload(payload, schema, kRows, int64_t{1} << 20, arrow::default_memory_pool());
}

bool SameBytes(const arrow::ArrayData& one, const arrow::ArrayData& other) {
  const auto same = [](const auto& a, const auto& b) {
    const int64_t size_a = a == nullptr ? 0 : a->size();
    const int64_t size_b = b == nullptr ? 0 : b->size();
    return size_a == size_b &&
           (size_a == 0 || memcmp(a->data(), b->data(), static_cast<size_t>(size_a)) == 0);
  };
  bool equal = one.type->Equals(other.type) && one.length == other.length && one.offset == other.offset &&
               one.null_count == other.null_count && one.buffers.size() == other.buffers.size() &&
               one.child_data.size() == other.child_data.size();
  for (size_t i = 0; equal && i < one.buffers.size(); ++i) equal = same(one.buffers[i], other.buffers[i]);
  for (size_t i = 0; equal && i < one.child_data.size(); ++i)
    equal = SameBytes(*one.child_data[i], *other.child_data[i]);
  return equal;
}

// True where the short way took the message. Then it gives what Arrow gives, which may refuse bytes of the
// flatbuffer that nobody needs; whatever it gives can be asked whether it is valid.
bool Compare(const BatchReader& reader, const std::shared_ptr<arrow::Buffer>& payload) {
  const auto plain = reader.ReadPlain(payload, kRows);
  if (!plain.has_value()) return false;
  for (const auto& column : *plain) static_cast<void>(column->ValidateFull());
  const auto arrow = ByArrow(payload, reader.schema());
  if (!arrow.ok()) {
    EXPECT_EQ(arrow.status().message(), "Invalid flatbuffers message.");
    return true;
  }
  EXPECT_EQ(plain->size(), arrow->size());
  for (size_t i = 0; i < plain->size(); ++i)
    EXPECT_TRUE(SameBytes(*(*plain)[i]->data(), *(*arrow)[i]->data())) << "column " << i;
  return true;
}

std::shared_ptr<arrow::Buffer> With(const arrow::Buffer& payload, int64_t at, uint64_t value, int64_t bytes) {
  auto damaged = arrow::AllocateBuffer(payload.size()).ValueOrDie();
  memcpy(damaged->mutable_data(), payload.data(), static_cast<size_t>(payload.size()));
  memcpy(damaged->mutable_data() + at, &value, static_cast<size_t>(bytes));
  return damaged;
}

TEST(BatchReader, AGoodMessageIsReadTheShortWay) {
  const auto batch = Batch();
  const BatchReader reader(batch->schema());
  const auto payload = Payload(*batch);
  ASSERT_TRUE(Compare(reader, payload));
  const auto read = reader.Read(payload, kRows, 0, arrow::default_memory_pool());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(arrow::RecordBatch::Make(batch->schema(), kRows, read->columns)->Equals(*batch));
  EXPECT_TRUE(read->repaired.empty());
  // Nothing was copied, and the payload is kept while a column is.
  const auto& values = read->columns[0]->data()->buffers[1];
  EXPECT_GE(values->data(), payload->data());
  EXPECT_LE(values->data() + values->size(), payload->data() + payload->size());
}

TEST(BatchReader, ArrowReadsWhatIsNotOfTheUsualForm) {
  const auto batch = Batch();
  const BatchReader reader(batch->schema());
  const auto read = [&](const std::shared_ptr<arrow::Buffer>& payload) {
    EXPECT_FALSE(reader.ReadPlain(payload, kRows).has_value());
    const auto columns = reader.Read(payload, kRows, int64_t{1} << 20, arrow::default_memory_pool());
    ASSERT_TRUE(columns.ok()) << columns.status();
    EXPECT_TRUE(arrow::RecordBatch::Make(batch->schema(), kRows, columns->columns)->Equals(*batch));
  };
  arrow::ipc::IpcWriteOptions compressed;
  compressed.codec = arrow::util::Codec::Create(arrow::Compression::LZ4_FRAME).ValueOrDie();
  read(Payload(*batch, compressed));
  const auto payload = Payload(*batch);
  const auto shifted = arrow::AllocateBuffer(payload->size() + 1).ValueOrDie();
  memcpy(shifted->mutable_data() + 1, payload->data(), static_cast<size_t>(payload->size()));
  read(std::make_shared<arrow::Buffer>(shifted->data() + 1, payload->size()));
}

TEST(BatchReader, EveryByteDamaged) {
  const auto batch = Batch();
  const BatchReader reader(batch->schema());
  const auto payload = Payload(*batch);
  int taken = 0;
  int refused = 0;
  for (int64_t at = 0; at < payload->size(); ++at) {
    for (const uint64_t value : {0x00, 0x01, 0x02, 0x04, 0x08, 0x7f, 0x80, 0xff}) {
      SCOPED_TRACE("byte " + std::to_string(at));
      ++(Compare(reader, With(*payload, at, value, 1)) ? taken : refused);
    }
    for (const uint64_t value :
         {uint64_t{0x7fffffff}, uint64_t{1} << 62, uint64_t{0xfffffffffffffff8}, ~uint64_t{0}}) {
      if (at % 4 != 0 || at + 8 > payload->size()) continue;
      SCOPED_TRACE("eight bytes at " + std::to_string(at));
      ++(Compare(reader, With(*payload, at, value, 8)) ? taken : refused);
    }
  }
  EXPECT_GT(taken, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(BatchReader, EveryShorterMessageIsRefused) {
  const auto batch = Batch();
  const BatchReader reader(batch->schema());
  const auto payload = Payload(*batch);
  for (int64_t bytes = 0; bytes < payload->size(); ++bytes)
    ASSERT_FALSE(reader.ReadPlain(arrow::SliceBuffer(payload, 0, bytes), kRows).has_value()) << bytes;
}

TEST(BatchReader, RandomBitsFlipped) {
  const auto batch = Batch();
  const BatchReader reader(batch->schema());
  const auto payload = Payload(*batch);
  const int64_t body_at = BodyOffset(payload->data(), payload->size());
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::shared_ptr<arrow::Buffer> damaged = payload;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      const auto at = static_cast<int64_t>(random() % static_cast<uint64_t>(body_at));
      damaged = With(*damaged, at, damaged->data()[at] ^ uint64_t{1} << random() % 8, 1);
    }
    Compare(reader, damaged);
  }
}

// Arrow ends the process over such a map.
TEST(BatchReader, AMapWithAKeyThatIsNullIsRefused) {
  const auto type = arrow::map(arrow::utf8(), arrow::utf8());
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("m", type)}), kRows,
                                              {FromJson(type, R"([[["k", "v"], ["l", "w"]], null, []])")});
  const BatchReader reader(batch->schema());
  const auto payload = Payload(*batch);
  int refused = 0;
  for (int64_t at = 0; at < BodyOffset(payload->data(), payload->size()); ++at) {
    const auto read = reader.Read(With(*payload, at, 1, 1), kRows, 0, arrow::default_memory_pool());
    refused += !read.ok();
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace arrowcdc
