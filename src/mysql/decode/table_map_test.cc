// Table maps written by hand, and what of their columns is refused.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using test::MapBytes;
using test::TableMapBody;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TableMap, Head) {
  MapBytes map{.table_id = 0x060504030201, .schema = "s\xc3\xa4", .table = "t\xff", .types = {3}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto head, ReadTableMapHead(TableMapBody(map)));
  EXPECT_EQ(head.table_id, 0x060504030201u);
  EXPECT_EQ(head.name.schema, "sä");
  EXPECT_EQ(head.name.table, "\xef\xbf\xbdt\\xff");  // docs/types.md, "Names"
}

TEST(TableMap, ColumnsAndTheirMetadata) {
  // float unsigned, year, char(300), bit(10), decimal(10,2), enum, tinyint unsigned, datetime(3), set
  MapBytes map{.types = {4, 13, 254, 16, 246, 254, 1, 18, 254},
               // 300 = 0x12c: the upper bits are turned over in the type's, 0xfe ^ 0x10
               .numbers = {4, 0xee, 0x2c, 2, 1, 10, 2, 0xf7, 1, 3, 0xf8, 2},
               .names = {"f", "y", "c", "b", "d", "e", "t", "dt", "s"},
               .signedness = {0b11010000}};
  EventBytes more;
  more.Byte(2).Packed(Bytes{0xfc, 0xff, 0x00});         // charset of all text: 255
  more.Byte(10).Packed(Bytes{8, 1, 0xfc, 0x2c, 0x01});  // enum and set: 8, the second 300
  more.Byte(6).Packed(EventBytes().Byte(2).Packed("x").Packed("").bytes());  // labels of the enum
  more.Byte(5).Packed(EventBytes().Byte(1).Packed("l").bytes());             // of the set
  more.Byte(9).Packed(Bytes{7, 0, 2, 10});                                   // PRIMARY KEY(dt, c(10))
  more.Byte(12).Packed(Bytes{0b11111101, 0b10000000});                       // visible
  more.Byte(200).Packed("unknown, so optional");
  map.more = more.bytes();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const TableMap read, ReadTableMap(TableMapBody(map), Flavor::kMysql));
  ASSERT_EQ(read.columns.size(), 9u);
  const auto& c = read.columns;
  EXPECT_TRUE(c[0].is_unsigned);
  EXPECT_TRUE(c[1].is_unsigned);
  EXPECT_EQ(c[2].type, FieldType::kString);
  EXPECT_EQ(c[2].length, 300);
  EXPECT_EQ(c[2].collation, 255u);
  EXPECT_EQ(c[2].key_place, 2u);
  EXPECT_EQ(c[3].length, 10);
  EXPECT_EQ(c[4].length, 10);
  EXPECT_EQ(c[4].decimals, 2);
  EXPECT_FALSE(c[4].is_unsigned);
  EXPECT_EQ(c[5].type, FieldType::kEnum);
  EXPECT_EQ(c[5].collation, 8u);
  EXPECT_THAT(c[5].labels, ElementsAre("x", ""));
  EXPECT_TRUE(c[6].is_unsigned);
  EXPECT_TRUE(c[6].is_invisible);
  EXPECT_FALSE(c[5].is_invisible);
  EXPECT_EQ(c[7].decimals, 3);
  EXPECT_EQ(c[7].key_place, 1u);
  EXPECT_EQ(c[8].type, FieldType::kSet);
  EXPECT_EQ(c[8].collation, 300u);
  EXPECT_THAT(c[8].labels, ElementsAre("l"));
}

// A geometry counts among the columns with text for MariaDB, a vector for MySQL.
TEST(TableMap, WhatHasACollation) {
  const MapBytes map{.types = {255, 252}, .numbers = {4, 2}, .names = {"g", "t"}, .collations = {63, 8}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const TableMap read, ReadTableMap(TableMapBody(map), Flavor::kMariadb));
  EXPECT_EQ(read.columns[1].collation, 8u);
  const MapBytes of_mysql{
      .types = {255, 242, 252}, .numbers = {4, 4, 2}, .names = {"g", "v", "t"}, .collations = {63, 8}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const TableMap other, ReadTableMap(TableMapBody(of_mysql), Flavor::kMysql));
  EXPECT_EQ(other.columns[2].collation, 8u);
}

struct Refused {
  const char* what;
  MapBytes map;
  ErrorKind kind;
  const char* object;
  const char* message;
};

class RefusedMaps : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedMaps, SayWhy) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto decoder, RowDecoder::Make({.flavor = Flavor::kMariadb}));
  const arrow::Status status = decoder->AddTableMap(TableMapBody(GetParam().map));
  const ErrorDetail* const detail = GetErrorDetail(status);
  ASSERT_NE(detail, nullptr) << status.ToString();
  EXPECT_EQ(detail->kind(), GetParam().kind);
  EXPECT_EQ(detail->object(), GetParam().object);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
  EXPECT_EQ(detail->remedy().empty(), GetParam().kind == ErrorKind::kProtocol);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedMaps,
    ::testing::Values(Refused{"Type",
                              {.types = {3, 6}, .names = {"a", "b"}},
                              ErrorKind::kUnsupported,
                              "table d.t",
                              "column 2 is of a type that is not read (number 6"},
                      Refused{"CompressedText",
                              {.types = {141}, .numbers = {40, 0}, .names = {"v"}, .collations = {45}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "is COMPRESSED"},
                      Refused{"CompressedBlob",
                              {.types = {140}, .numbers = {2}, .names = {"v"}, .collations = {63}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "is COMPRESSED"},
                      Refused{"Collation",
                              {.types = {15}, .numbers = {40, 0}, .names = {"v"}, .collations = {100}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "character set of collation 100"},
                      Refused{"OldTime",
                              {.types = {11}, .names = {"v"}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "is a time in the format of MariaDB 5.3"},
                      Refused{"OldDatetime",
                              {.types = {12}, .names = {"v"}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "is a datetime in the format of MariaDB 5.3"},
                      Refused{"OldTimestamp",
                              {.types = {7}, .names = {"v"}},
                              ErrorKind::kUnsupported,
                              "column v of table d.t",
                              "is a timestamp in the format of MariaDB 5.3"},
                      Refused{"NoLabels",
                              {.types = {254}, .numbers = {0xf7, 1}, .names = {"e"}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "no labels for column e"},
                      Refused{"TwoOfOneName",
                              {.types = {3, 3}, .names = {"a", "a"}, .signedness = {0}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "two columns of one name"},
                      Refused{"TooFewNames",
                              {.types = {3, 3}, .names = {"a"}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "unsound metadata of kind 4"},
                      Refused{"KeyBeyond",
                              {.types = {3}, .names = {"a"}, .key = {1}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "unsound metadata of kind 8"},
                      Refused{"Signs",
                              {.types = {3}, .names = {"a"}, .signedness = {0, 0}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "unsound metadata of kind 1"},
                      Refused{"Numbers",
                              {.types = {3}, .numbers = {4}, .names = {"a"}},
                              ErrorKind::kProtocol,
                              "table d.t",
                              "says more of the columns' types"}),
    [](const auto& one) { return std::string(one.param.what); });

}  // namespace
}  // namespace arrowcdc::mysql
