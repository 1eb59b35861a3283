// Rows of the binary protocol by hand, from MySQL's documentation of it.
#include "src/mysql/decode/binary_rows.h"

#include <string>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "src/mysql/decode/table_rows.h"

namespace arrowcdc::mysql {
namespace {

using Bytes = std::vector<uint8_t>;

MapColumn Column(const std::string& name, FieldType type) {
  MapColumn column;
  column.name = name;
  column.type = type;
  return column;
}

// The columns a row by row, as Arrow prints them; empty: it was refused.
class Table {
 public:
  explicit Table(std::vector<MapColumn> columns) {
    map_.name = {"shop", "t"};
    map_.columns = std::move(columns);
    auto schema = SchemaOf(map_, {Flavor::kMysql});
    EXPECT_TRUE(schema.ok()) << schema.status();
    batch_ = BatchBuilder::Make(*schema, arrow::default_memory_pool()).ValueOrDie();
  }

  arrow::Status Add(const Bytes& packet) {
    BinaryRows rows = BinaryRows::Make(map_, {Flavor::kMysql}).ValueOrDie();
    // On the heap, so that a read behind its end is seen.
    const auto own = std::make_unique<uint8_t[]>(packet.size());
    std::copy(packet.begin(), packet.end(), own.get());
    return rows.Append({own.get(), packet.size()}, {.op = Op::kSnapshot}, batch_.get());
  }

  int64_t rows() const { return batch_->rows(); }
  std::shared_ptr<arrow::RecordBatch> Finish() { return batch_->Finish().ValueOrDie().rows; }

 private:
  TableMap map_;
  std::unique_ptr<BatchBuilder> batch_;
};

std::string Text(const arrow::RecordBatch& batch, const std::string& column, int64_t row = 0) {
  return batch.GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
}

TEST(BinaryRows, NumbersAndNulls) {
  MapColumn big = Column("big", FieldType::kLongLong);
  big.is_unsigned = true;
  MapColumn small = Column("small", FieldType::kInt24);
  MapColumn price = Column("price", FieldType::kNewDecimal);
  price.length = 10;
  price.decimals = 2;
  MapColumn bits = Column("bits", FieldType::kBit);
  bits.length = 12;
  Table table({big, small, price, bits, Column("year", FieldType::kYear), Column("real", FieldType::kFloat)});
  ASSERT_TRUE(table
                  .Add({0,    0,                                         // no null
                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,  // 2^64 - 1
                        0xff, 0xff, 0xff, 0xff,                          // -1
                        6,    '-',  '1',  '2',  '.',  '3',  '0',         // -12.30
                        2,    0x0a, 0xbc,                                // 0xabc
                        0xea, 0x07,                                      // 2026
                        0x00, 0x00, 0x80, 0x4b})                         // 16777216
                  .ok());
  ASSERT_TRUE(table.Add({0, 0xfc}).ok());  // bits 2 to 7: each is null
  const auto batch = table.Finish();
  EXPECT_EQ(Text(*batch, "big"), "18446744073709551615");
  EXPECT_EQ(Text(*batch, "small"), "-1");
  EXPECT_EQ(Text(*batch, "price"), "-12.30");
  EXPECT_EQ(Text(*batch, "bits"), "2748");
  EXPECT_EQ(Text(*batch, "year"), "2026");
  EXPECT_EQ(batch->GetColumnByName("real")->GetScalar(0).ValueOrDie()->ToString(), "16777216");
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(batch->column(i)->IsNull(1)) << i;
}

TEST(BinaryRows, Times) {
  Table table({Column("d", FieldType::kDate), Column("dt", FieldType::kDatetime2),
               Column("ts", FieldType::kTimestamp2), Column("t", FieldType::kTime2)});
  ASSERT_TRUE(table
                  .Add({0,  0,                                               //
                        4,  0xea, 0x07, 11, 28,                              // 2026-11-28
                        11, 0xea, 0x07, 1,  2,  3, 4,  5,  6,  0, 0, 0,      // 2026-01-02 03:04:05.000006
                        7,  0xb2, 0x07, 1,  1,  0, 0,  1,                    // 1970-01-01 00:00:01
                        12, 1,    34,   0,  0,  0, 22, 59, 59, 1, 0, 0, 0})  // -838:59:59.000001
                  .ok());
  // Midnight, and no time at all.
  ASSERT_TRUE(table.Add({0, 0, 4, 0xea, 0x07, 11, 28, 4, 0xea, 0x07, 1, 2, 4, 0xb2, 0x07, 1, 1, 0}).ok());
  // 0000-00-00 and 2026-02-00.
  ASSERT_TRUE(table.Add({0, 0, 0, 4, 0xea, 0x07, 2, 0, 0, 0}).ok());
  const auto batch = table.Finish();
  EXPECT_EQ(Text(*batch, "d"), "2026-11-28");
  EXPECT_EQ(Text(*batch, "dt"), "2026-01-02 03:04:05.000006");
  EXPECT_EQ(Text(*batch, "ts"), "1970-01-01 00:00:01.000000Z");
  EXPECT_EQ(Text(*batch, "t"), std::to_string(-((838 * 60 + 59) * 60 + 59) * int64_t{1'000'000} - 1));
  EXPECT_EQ(Text(*batch, "dt", 1), "2026-01-02 00:00:00.000000");
  EXPECT_EQ(Text(*batch, "t", 1), "0");
  for (const char* column : {"d", "dt", "ts"})
    EXPECT_TRUE(batch->GetColumnByName(column)->IsNull(2)) << column;
  EXPECT_EQ(Text(*batch, "_unrepresentable", 2), "list<item: string>[d, dt, ts]");
}

TEST(BinaryRows, TextBytesAndFrames) {
  MapColumn text = Column("text", FieldType::kVarchar);
  text.collation = 255;
  MapColumn bytes = Column("bytes", FieldType::kBlob);
  bytes.length = 2;
  bytes.collation = kBinaryCollation;
  MapColumn vector = Column("vector", FieldType::kVector);
  vector.dimension = 2;
  Table table({text, bytes, vector});
  Bytes row = {0, 0, 0xfc, 0x00, 0x01};  // 256 bytes
  row.insert(row.end(), 256, 'x');
  row.insert(row.end(), {2, 0xff, 0x00, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40});
  ASSERT_TRUE(table.Add(row).ok());
  ASSERT_TRUE(table.Add({0, 0, 1, 0xff, 0, 0xfd, 8, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}).ok());
  const auto batch = table.Finish();
  EXPECT_EQ(Text(*batch, "text"), std::string(256, 'x'));
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*batch->GetColumnByName("bytes")).GetString(0),
            std::string("\xff\0", 2));
  EXPECT_EQ(Text(*batch, "vector"), "list<item: float>[1, 2]");
  EXPECT_TRUE(batch->GetColumnByName("text")->IsNull(1));  // is not UTF-8
  EXPECT_EQ(Text(*batch, "_unrepresentable", 1), "list<item: string>[text]");
}

// Nothing of a row that does not come whole is in the batch.
TEST(BinaryRows, CutAnywhere) {
  MapColumn text = Column("text", FieldType::kVarchar);
  text.collation = 255;
  const Bytes whole = {0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 4, 0xea, 0x07, 1, 2, 8, 0, 0, 0, 0, 0, 1, 2, 3};
  Table table(
      {Column("id", FieldType::kLong), text, Column("d", FieldType::kDate), Column("t", FieldType::kTime2)});
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(table.Add(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size))).ok()) << size;
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(table.Add(longer).ok());
  EXPECT_EQ(table.rows(), 0);
  EXPECT_TRUE(table.Add(whole).ok());
  EXPECT_EQ(table.rows(), 1);
}

}  // namespace
}  // namespace arrowcdc::mysql
