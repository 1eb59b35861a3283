#include "arrowcdc/hash_partitioner.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc {
namespace {

using enum ReplicaIdentity;
using test::DetailOf;

using Batch = std::shared_ptr<arrow::RecordBatch>;

std::shared_ptr<arrow::Field> Column(const std::string& name, std::shared_ptr<arrow::DataType> type,
                                     int key = 0) {
  auto field = arrow::field(name, std::move(type));
  return key == 0 ? field
                  : field->WithMetadata(arrow::key_value_metadata({kIdentityKey}, {std::to_string(key)}));
}

std::shared_ptr<const TableSchema> Table(ReplicaIdentity identity, const arrow::FieldVector& columns) {
  return MakeTableSchema({"public", "users"}, 1, 2, identity, columns, nullptr).ValueOrDie();
}

// id (key), name, unless the columns are given.
std::shared_ptr<const TableSchema> Users() {
  return Table(kDefault, {Column("id", arrow::int64(), 1), Column("name", arrow::utf8())});
}

PartitionOptions ByKey(int partitions, std::vector<std::string> columns = {}) {
  PartitionOptions options;
  options.partitions = partitions;
  options.columns = std::move(columns);
  return options;
}

// One row of Users(): a null id is nullopt; unchanged names columns.
struct Row {
  Op op;
  std::optional<int64_t> id;
  uint64_t lsn = 0;
  uint16_t ord = 0;
  std::vector<std::string> unchanged;
};

Batch Rows(const std::shared_ptr<const TableSchema>& table, const std::vector<Row>& rows) {
  arrow::Int64Builder id;
  arrow::StringBuilder name;
  std::vector<test::RowMeta> metadata;
  for (const Row& row : rows) {
    ARROWCDC_EXPECT_OK(row.id ? id.Append(*row.id) : id.AppendNull());
    ARROWCDC_EXPECT_OK(name.Append("n" + std::to_string(row.id.value_or(-1))));
    metadata.push_back({{row.lsn, row.lsn, row.ord}, row.op, row.unchanged});
  }
  return test::MakeBatch(table, metadata, {id.Finish().ValueOrDie(), name.Finish().ValueOrDie()}).rows;
}

// With 4 partitions, by Iceberg's bucket[4]: 34 -> 2017239379 % 4.
constexpr uint32_t kPartitionOf34 = 2017239379u % 4;

uint32_t PartitionOf(int64_t id) {
  auto table = Users();
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  return partitioner.PartitionsOf(*Rows(table, {{Op::kInsert, id}})).ValueOrDie()[0];
}

int64_t IdWithOtherPartitionThan(uint32_t partition) {
  int64_t id = 1000;
  while (PartitionOf(id) == partition || PartitionOf(id) == 0) ++id;
  return id;
}

TEST(HashPartitioner, BucketsAsIceberg) {
  EXPECT_EQ(PartitionOf(34), kPartitionOf34);
  auto table = Table(kFull, {Column("b", arrow::binary())});
  arrow::BinaryBuilder builder;
  ASSERT_TRUE(builder.Append(std::string("\0\1\2\3", 4)).ok());
  auto batch = test::MakeInserts(table, {builder.Finish().ValueOrDie()});
  for (int n : {1, 2, 3, 7, 16, 100, 1000, 65535, kPartitionsMax}) {
    auto partitioner = HashPartitioner::Make(table, ByKey(n, {"b"})).ValueOrDie();
    const auto expected = static_cast<uint32_t>((-188683207 & INT32_MAX) % n);
    EXPECT_EQ(partitioner.PartitionsOf(*batch).ValueOrDie(), std::vector<uint32_t>{expected}) << n;
  }
}

TEST(HashPartitioner, OnePartitionIsTheBatchItself) {
  auto table = Users();
  auto partitioner = HashPartitioner::Make(table, ByKey(1)).ValueOrDie();
  auto rows = Rows(table, {{Op::kInsert, 1}, {Op::kTruncate, std::nullopt}, {Op::kInsert, 2}});
  EXPECT_EQ(partitioner.Split(rows).ValueOrDie(), std::vector<Batch>{rows});
  EXPECT_EQ(partitioner.stats().rows, 3u);
  auto empty = rows->Slice(0, 0);
  EXPECT_EQ(partitioner.Split(empty).ValueOrDie(), std::vector<Batch>{empty});
}

TEST(HashPartitioner, RowsOfOnePartitionAreTheBatchItself) {
  auto table = Users();
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  auto rows = Rows(table, {{Op::kInsert, 34}, {Op::kDelete, 34}, {Op::kInsert, 34}});
  auto split = partitioner.Split(rows).ValueOrDie();
  for (uint32_t p = 0; p < 4; ++p) EXPECT_EQ(split[p], p == kPartitionOf34 ? rows : nullptr);
  EXPECT_EQ(partitioner.Split(rows->Slice(0, 0)).ValueOrDie(), std::vector<Batch>(4));
}

TEST(HashPartitioner, BothSidesOfAKeyChangeReachTheirPartition) {
  auto table = Users();
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  const int64_t other = IdWithOtherPartitionThan(kPartitionOf34);
  auto rows = Rows(table, {{Op::kUpdateBefore, 34, 7, 0}, {Op::kUpdateAfter, other, 7, 1}});
  auto split = partitioner.Split(rows).ValueOrDie();
  ASSERT_NE(split[kPartitionOf34], nullptr);
  ASSERT_NE(split[PartitionOf(other)], nullptr);
  EXPECT_TRUE(split[kPartitionOf34]->Equals(*rows->Slice(0, 1)));
  EXPECT_TRUE(split[PartitionOf(other)]->Equals(*rows->Slice(1, 1)));
}

TEST(HashPartitioner, AnUnchangedKeyIsThatOfTheOldRow) {
  auto table = Users();
  const int64_t other = IdWithOtherPartitionThan(kPartitionOf34);
  const uint32_t moved = PartitionOf(other);
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  auto rows =
      Rows(table, {{Op::kUpdateBefore, other, 7, 0},
                   {Op::kUpdateAfter, std::nullopt, 7, 1, {"id"}},  // its old row is in front
                   {Op::kUpdateAfter, std::nullopt, 8, 1, {"id"}},  // there is no old row
                   {Op::kUpdateAfter, other, 9, 1, {"name"}},       // another column is unchanged
                   {Op::kUpdateBefore, other, 10, 0},
                   {Op::kUpdateAfter, std::nullopt, 11, 1, {"id"}},  // the old row is another record's
                   {Op::kUpdateBefore, other, 12, 4},
                   {Op::kUpdateAfter, std::nullopt, 12, 5, {"name", "id"}}});
  const std::vector<uint32_t> expected = {moved, moved, 0, moved, moved, 0, moved, moved};
  EXPECT_EQ(partitioner.PartitionsOf(*rows).ValueOrDie(), expected);
  EXPECT_EQ(partitioner.PartitionsOf(*rows->Slice(4)).ValueOrDie(),
            std::vector<uint32_t>(expected.begin() + 4, expected.end()));
  EXPECT_EQ(partitioner.stats().unroutable_rows, 0u);
  ASSERT_TRUE(partitioner.Split(rows).ok());
  EXPECT_EQ(partitioner.stats().unroutable_rows, 2u);
  EXPECT_EQ(partitioner.stats().rows, 8u);
}

// Users(), one of whose partitions carries less than the table's own identity: `announced` is what all carry.
std::shared_ptr<const TableSchema> WeakenedUsers(ReplicaIdentity own, const std::vector<int>& own_key,
                                                 ReplicaIdentity announced,
                                                 const std::vector<int>& announced_key) {
  auto table = std::make_shared<TableSchema>(*Users());
  table->weakened = WeakenedIdentity{"public.leaf", own, own_key};
  table->replica_identity = announced;
  table->key_fields = announced_key;
  return table;
}

TEST(HashPartitioner, OldRowsThatLackTheKeyGoToTheFirstPartition) {
  const int64_t other = IdWithOtherPartitionThan(kPartitionOf34);
  ASSERT_NE(PartitionOf(other), 0u);
  const auto table = WeakenedUsers(kDefault, {0}, kNothing, {});
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  const auto rows = Rows(table, {{Op::kInsert, other, 1},
                                 {Op::kDelete, other, 2},
                                 {Op::kDelete, std::nullopt, 3},
                                 {Op::kUpdateBefore, std::nullopt, 4, 0},
                                 {Op::kUpdateAfter, other, 4, 1},
                                 {Op::kUpdateBefore, std::nullopt, 5, 0},
                                 {Op::kUpdateAfter, std::nullopt, 5, 1, {"id"}},
                                 {Op::kUpdateBefore, other, 6, 0},
                                 {Op::kUpdateAfter, std::nullopt, 6, 1, {"id"}}});
  const uint32_t p = PartitionOf(other);
  EXPECT_EQ(partitioner.PartitionsOf(*rows).ValueOrDie(), (std::vector<uint32_t>{p, p, 0, 0, p, 0, 0, p, p}));
  ASSERT_TRUE(partitioner.Split(rows).ok());
  EXPECT_EQ(partitioner.stats().unroutable_rows, 4u);
}

TEST(HashPartitioner, ANullThatIsThereIsNoMissingKey) {
  // FULL, split by id and name: what is null in an old row was null.
  const auto place_of = [](const std::shared_ptr<const TableSchema>& table, Op op, uint64_t* unroutable) {
    auto partitioner = HashPartitioner::Make(table, ByKey(4, {"id", "name"})).ValueOrDie();
    const auto rows = Rows(table, {{op, std::nullopt}});
    const auto places = partitioner.PartitionsOf(*rows).ValueOrDie();
    EXPECT_TRUE(partitioner.Split(rows).ok());
    *unroutable = partitioner.stats().unroutable_rows;
    return places[0];
  };
  const auto full = Table(kFull, {Column("id", arrow::int64()), Column("name", arrow::utf8())});
  uint64_t unroutable = 1;
  const uint32_t inserted = place_of(full, Op::kInsert, &unroutable);
  EXPECT_EQ(unroutable, 0u);
  ASSERT_NE(inserted, 0u);  // else this shows nothing
  EXPECT_EQ(place_of(full, Op::kDelete, &unroutable), inserted);
  EXPECT_EQ(unroutable, 0u);
  // Weakened, but id is carried by all.
  EXPECT_EQ(place_of(WeakenedUsers(kFull, {}, kIndex, {0}), Op::kDelete, &unroutable), inserted);
  EXPECT_EQ(unroutable, 0u);
  // Nobody knows.
  EXPECT_EQ(place_of(WeakenedUsers(kFull, {}, kIndex, {1}), Op::kDelete, &unroutable), 0u);
  EXPECT_EQ(unroutable, 1u);
  EXPECT_EQ(place_of(WeakenedUsers(kFull, {}, kNothing, {}), Op::kInsert, &unroutable), inserted);
  EXPECT_EQ(unroutable, 0u);
}

TEST(HashPartitioner, AWeakenedTableIsSplitByItsOwnIdentity) {
  EXPECT_TRUE(HashPartitioner::Make(WeakenedUsers(kFull, {}, kNothing, {}), ByKey(4, {"name"})).ok());
  EXPECT_TRUE(HashPartitioner::Make(WeakenedUsers(kDefault, {0}, kNothing, {}), ByKey(4)).ok());
  // What could never be split stays refused.
  for (const auto& [own, own_key, columns] :
       {std::tuple<ReplicaIdentity, std::vector<int>, std::vector<std::string>>{kFull, {}, {}},
        {kDefault, {0}, {"name"}}}) {
    const auto refused = HashPartitioner::Make(WeakenedUsers(own, own_key, kNothing, {}), ByKey(4, columns));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(GetErrorDetail(refused.status())->kind(), ErrorKind::kReplicaIdentity);
  }
}

TEST(HashPartitioner, TruncateGoesToEveryPartitionInItsPlace) {
  auto table = Users();
  const int64_t other = IdWithOtherPartitionThan(kPartitionOf34);
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  auto rows = Rows(
      table, {{Op::kInsert, 34}, {Op::kInsert, other}, {Op::kTruncate, std::nullopt}, {Op::kInsert, other}});
  auto split = partitioner.Split(rows).ValueOrDie();
  for (uint32_t p = 0; p < 4; ++p) {
    ASSERT_NE(split[p], nullptr) << p;
    std::vector<int64_t> ids;
    for (const auto& cell : {split[p]->column(0)}) {
      const auto& values = static_cast<const arrow::Int64Array&>(*cell);
      for (int64_t i = 0; i < values.length(); ++i) ids.push_back(values.IsNull(i) ? -1 : values.Value(i));
    }
    if (p == kPartitionOf34) {
      EXPECT_EQ(ids, (std::vector<int64_t>{34, -1}));
    } else if (p == PartitionOf(other)) {
      EXPECT_EQ(ids, (std::vector<int64_t>{other, -1, other}));
    } else {
      EXPECT_EQ(ids, (std::vector<int64_t>{-1}));
    }
    ARROWCDC_EXPECT_OK(split[p]->ValidateFull());
  }
  auto alone = rows->Slice(2, 1);
  EXPECT_EQ(partitioner.Split(alone).ValueOrDie(), std::vector<Batch>(4, alone));
}

TEST(HashPartitioner, RefusesColumnsOutsideTheReplicaIdentity) {
  auto status = HashPartitioner::Make(Users(), ByKey(4, {"id", "name"})).status();
  EXPECT_EQ(DetailOf(status).kind(), ErrorKind::kReplicaIdentity);
  EXPECT_EQ(DetailOf(status).object(), "table public.users, column \"name\"");
  EXPECT_EQ(status.message().find("public.users"), std::string::npos)
      << "the object is named once: " << status;
  for (const ReplicaIdentity identity : {kDefault, kNothing}) {
    auto table = Table(identity, {Column("id", arrow::int64())});
    EXPECT_EQ(DetailOf(HashPartitioner::Make(table, ByKey(4)).status()).kind(), ErrorKind::kReplicaIdentity);
    status = HashPartitioner::Make(table, ByKey(4, {"id"})).status();
    EXPECT_EQ(DetailOf(status).kind(), ErrorKind::kReplicaIdentity);
    EXPECT_EQ(DetailOf(status).object(), "table public.users, column \"id\"");
  }
}

TEST(HashPartitioner, UnderFullEveryColumnCounts) {
  auto table = Table(kFull, {Column("id", arrow::int64()), Column("name", arrow::utf8())});
  EXPECT_TRUE(HashPartitioner::Make(table, ByKey(4, {"name"})).ok());
  auto status = HashPartitioner::Make(table, ByKey(4)).status();
  EXPECT_EQ(DetailOf(status).kind(), ErrorKind::kReplicaIdentity);
  EXPECT_EQ(DetailOf(status).object(), "table public.users");
  EXPECT_NE(DetailOf(status).remedy().find("REPLICA IDENTITY DEFAULT"), std::string::npos)
      << "what helps where no columns can be named";
}

TEST(HashPartitioner, TheKeyInItsOwnOrder) {
  auto table = Table(kIndex, {Column("a", arrow::int64(), 2), Column("b", arrow::utf8(), 1)});
  auto full = Table(kFull, {Column("a", arrow::int64()), Column("b", arrow::utf8())});
  auto int_array = arrow::MakeArrayFromScalar(arrow::Int64Scalar(34), 1).ValueOrDie();
  auto text_array = arrow::MakeArrayFromScalar(arrow::StringScalar("iceberg"), 1).ValueOrDie();
  auto rows = test::MakeInserts(table, {int_array, text_array});
  auto route = [&](const HashPartitioner& partitioner, const arrow::RecordBatch& batch) {
    return partitioner.PartitionsOf(batch).ValueOrDie();
  };
  const auto b_a = route(*HashPartitioner::Make(full, ByKey(60000, {"b", "a"})), *rows);
  const auto a_b = route(*HashPartitioner::Make(full, ByKey(60000, {"a", "b"})), *rows);
  EXPECT_NE(a_b, b_a);
  EXPECT_EQ(route(*HashPartitioner::Make(table, ByKey(60000)), *rows), b_a);
  EXPECT_EQ(route(*HashPartitioner::Make(table, ByKey(60000, {"a", "b"})), *rows), a_b);
}

TEST(HashPartitioner, RefusesWhatItCannotHash) {
  auto table = Table(kFull, {Column("tags", arrow::list(arrow::utf8())), Column("x", arrow::int32())});
  auto status = HashPartitioner::Make(table, ByKey(4, {"tags"})).status();
  EXPECT_EQ(DetailOf(status).kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(DetailOf(status).object(), "table public.users, column \"tags\"");
}

TEST(HashPartitioner, RefusesWrongOptions) {
  auto kind = [](const PartitionOptions& options) {
    return DetailOf(HashPartitioner::Make(Users(), options).status()).kind();
  };
  EXPECT_EQ(kind(ByKey(0)), ErrorKind::kInvalidOption);
  EXPECT_EQ(kind(ByKey(-1)), ErrorKind::kInvalidOption);
  EXPECT_EQ(kind(ByKey(kPartitionsMax + 1)), ErrorKind::kInvalidOption);
  EXPECT_EQ(kind(ByKey(2, {"nope"})), ErrorKind::kInvalidOption);
  EXPECT_EQ(kind(ByKey(2, {"_xid"})),
            ErrorKind::kInvalidOption);  // a metadata column is no column of the table
  EXPECT_EQ(kind(ByKey(2, {"id", "id"})), ErrorKind::kInvalidOption);
  auto twice = Table(kFull, {Column("a", arrow::int64()), Column("a", arrow::int64())});
  EXPECT_EQ(DetailOf(HashPartitioner::Make(twice, ByKey(2, {"a"})).status()).kind(),
            ErrorKind::kInvalidOption);
}

TEST(HashPartitioner, RefusesAnotherSchema) {
  auto partitioner = HashPartitioner::Make(Users(), ByKey(4)).ValueOrDie();
  auto other = Table(kDefault, {Column("id", arrow::int32(), 1), Column("name", arrow::utf8())});
  auto rows = arrow::RecordBatch::MakeEmpty(other->schema).ValueOrDie();
  EXPECT_EQ(DetailOf(partitioner.Split(rows).status()).kind(), ErrorKind::kInternal);
  EXPECT_EQ(DetailOf(partitioner.PartitionsOf(*rows).status()).kind(), ErrorKind::kInternal);
}

TEST(HashPartitioner, RefusesColumnsThatAreNotOfTheSchema) {
  auto table = Users();
  auto partitioner = HashPartitioner::Make(table, ByKey(4)).ValueOrDie();
  const auto rows = Rows(table, {{Op::kInsert, 34}, {Op::kDelete, 34}});
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    const auto which = static_cast<MetadataColumn>(i);
    auto columns = rows->columns();
    columns[static_cast<size_t>(table->metadata_field(which))] =
        arrow::MakeArrayOfNull(arrow::binary(), 2).ValueOrDie();
    const auto bad = arrow::RecordBatch::Make(table->schema, 2, columns);
    for (const auto& status : {partitioner.Split(bad).status(), partitioner.PartitionsOf(*bad).status()}) {
      EXPECT_EQ(DetailOf(status).kind(), ErrorKind::kInternal) << MetadataColumnName(which);
      EXPECT_EQ(DetailOf(status).object(), "table public.users");
    }
  }
}

}  // namespace
}  // namespace arrowcdc
