// Values by their bytes, which a server of today no longer writes or which show a layout at its limits.
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/temporal.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using test::MapBytes;

// The value of the only column of a row, as test::RowLines has it, or the error.
std::string Read(MapBytes map, const Bytes& value, Flavor flavor = Flavor::kMysql) {
  map.names = {"v"};
  auto decoder = RowDecoder::Make({.flavor = flavor}).ValueOrDie();
  const arrow::Status mapped = decoder->AddTableMap(test::TableMapBody(map));
  if (!mapped.ok()) return mapped.message();
  const Bytes row = EventBytes().Byte(0).Add(value).bytes();
  const arrow::Status added = decoder->AddRows(30, test::RowsBody(7, 1, 1, row), {});
  if (!added.ok()) return added.message();
  const std::string line = test::RowLines(decoder->Flush().ValueOrDie(), "t").at(0);
  return line.substr(std::string("insert 0.0: ").size());
}

std::string NoForm() { return "null unrepresentable: v"; }

MapBytes Decimal(uint8_t precision, uint8_t scale) {
  return {.types = {246}, .numbers = {precision, scale}, .signedness = {0}};
}

// The first two are the example of MySQL's documentation (decimal2bin).
TEST(Values, Decimals) {
  EXPECT_EQ(Read(Decimal(14, 4), {0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2}), "1234567890.1234");
  EXPECT_EQ(Read(Decimal(14, 4), {0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d}), "-1234567890.1234");
  EXPECT_EQ(Read(Decimal(1, 0), {0x89}), "9");
  EXPECT_EQ(Read(Decimal(1, 1), {0x76}), "-0.9");
  EXPECT_EQ(Read(Decimal(9, 9), {0x80, 0, 0, 1}), "1E-9");
  // The most digits of 64 bits, and one more.
  const Bytes nines{0x3b, 0x9a, 0xc9, 0xff, 0x3b, 0x9a, 0xc9, 0xff};
  Bytes most = nines;
  most[0] ^= 0x80;
  EXPECT_EQ(Read(Decimal(18, 0), most), "999999999999999999");
  for (uint8_t& byte : most) byte ^= 0xff;
  EXPECT_EQ(Read(Decimal(18, 0), most), "-999999999999999999");
  EXPECT_EQ(Read(Decimal(19, 0), EventBytes().Byte(0x89).Add(nines).bytes()), "9999999999999999999");
  EXPECT_THAT(Read(Decimal(1, 0), {0x8a}), ::testing::HasSubstr("more digits"));
  EXPECT_THAT(Read(Decimal(19, 0), EventBytes().Byte(0x8a).Add(nines).bytes()),
              ::testing::HasSubstr("more digits"));
  EXPECT_THAT(Read(Decimal(14, 4), {0x81, 0x0d}), ::testing::HasSubstr("goes over the end"));
}

// Of tables from before MySQL 5.6.
TEST(Values, OldTemporalTypes) {
  const MapBytes time{.types = {11}};
  EXPECT_EQ(Read(time, {0x40, 0xe2, 0x01}), "45296000000");   // 123456
  EXPECT_EQ(Read(time, {0xc0, 0x1d, 0xfe}), "-45296000000");  // -123456
  EXPECT_EQ(Read(time, {0, 0, 0}), "0");
  const MapBytes datetime{.types = {12}};
  EXPECT_EQ(Read(datetime, EventBytes().Number(20240229123456, 8).bytes()), "2024-02-29 12:34:56.000000");
  EXPECT_EQ(Read(datetime, EventBytes().Number(0, 8).bytes()), NoForm());
  EXPECT_EQ(Read(datetime, EventBytes().Number(20240229246060, 8).bytes()), NoForm());
  EXPECT_EQ(Read(datetime, EventBytes().Number(UINT64_MAX, 8).bytes()), NoForm());
  const MapBytes timestamp{.types = {7}};
  EXPECT_EQ(Read(timestamp, EventBytes().Number(1709210096, 4).bytes()), "2024-02-29 12:34:56.000000Z");
  EXPECT_EQ(Read(timestamp, EventBytes().Number(0, 4).bytes()), NoForm());
}

TEST(Values, Dates) {
  const MapBytes date{.types = {10}};
  const auto packed = [](uint64_t year, uint64_t month, uint64_t day) {
    return EventBytes().Number(year << 9 | month << 5 | day, 3).bytes();
  };
  EXPECT_EQ(Read(date, packed(1970, 1, 1)), "1970-01-01");
  EXPECT_EQ(Read(date, packed(2000, 2, 29)), "2000-02-29");
  EXPECT_EQ(Read(date, packed(1900, 2, 28)), "1900-02-28");
  for (const auto& [year, month, day] :
       {std::tuple(0, 0, 0), {2026, 0, 1}, {2026, 1, 0}, {1900, 2, 29}, {2026, 4, 31}, {2026, 13, 1}}) {
    EXPECT_EQ(Read(date, packed(year, month, day)), NoForm()) << year << "-" << month << "-" << day;
  }
}

TEST(Values, TimesWithFractions) {
  const MapBytes hundredths{.types = {19}, .numbers = {2}};
  EXPECT_EQ(Read(hundredths, {0x80, 0, 0, 1}), "10000");
  EXPECT_EQ(Read(hundredths, {0x7f, 0xff, 0xff, 0xff}), "-10000");
  EXPECT_EQ(Read(hundredths, {0x7f, 0xff, 0xff, 0}), "-1000000");
  const MapBytes millionths{.types = {19}, .numbers = {6}};
  EXPECT_EQ(Read(millionths, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff}), "-1");
  const MapBytes datetime{.types = {18}, .numbers = {6}};
  EXPECT_EQ(Read(datetime, {0x80, 0, 0, 0, 0, 0, 0, 0}), NoForm());
  EXPECT_EQ(Read(datetime, {0, 0, 0, 0, 0, 0, 0, 0}), NoForm());
  // 1970-01-01 is (1970 * 13 + 1) * 32 + 1 days of a kind, above 17 bits of time.
  EXPECT_EQ(Read(datetime, {0x99, 0x02, 0xc2, 0, 0, 0x0f, 0x42, 0x3f}), "1970-01-01 00:00:00.999999");
  EXPECT_EQ(Read(datetime, {0x99, 0x02, 0xc2, 0, 0, 0x0f, 0x42, 0x40}), NoForm());
  const MapBytes timestamp{.types = {17}, .numbers = {6}};
  EXPECT_EQ(Read(timestamp, {0, 0, 0, 1, 0, 0, 1}), "1970-01-01 00:00:01.000001Z");
  EXPECT_EQ(Read(timestamp, {0xff, 0xff, 0xff, 0xff, 0, 0, 0}), "2106-02-07 06:28:15.000000Z");
}

// What was read of one date must not show in the next.
TEST(Values, DatetimesOfManyDates) {
  auto decoder = RowDecoder::Make({}).ValueOrDie();
  ARROWCDC_ASSERT_OK(
      decoder->AddTableMap(test::TableMapBody({.types = {18}, .numbers = {0}, .names = {"v"}})));
  EventBytes rows;
  const auto add = [&](uint64_t year, uint64_t month, uint64_t day, uint64_t hour) {
    const uint64_t packed = 0x8000000000 | (year * 13 + month) << 22 | day << 17 | hour << 12;
    rows.Byte(0);
    for (int shift = 32; shift >= 0; shift -= 8) rows.Byte(static_cast<uint8_t>(packed >> shift));
  };
  add(0, 0, 0, 0);
  add(2026, 2, 28, 23);
  add(2026, 2, 28, 24);
  add(2026, 2, 30, 1);
  add(2026, 2, 30, 1);
  add(2026, 2, 28, 1);
  add(2026, 3, 28, 1);
  ARROWCDC_ASSERT_OK(decoder->AddRows(30, test::RowsBody(7, 1, 1, rows.bytes()), {}));
  std::vector<std::string> values;
  for (const std::string& line : test::RowLines(decoder->Flush().ValueOrDie(), "t"))
    values.push_back(line.substr(line.find(": ") + 2));
  EXPECT_THAT(values,
              ::testing::ElementsAre(NoForm(), "2026-02-28 23:00:00.000000", NoForm(), NoForm(), NoForm(),
                                     "2026-02-28 01:00:00.000000", "2026-03-28 01:00:00.000000"));
}

TEST(Values, DaysOfTheCalendar) {
  EXPECT_EQ(DaysOf(1970, 1, 1), 0);
  EXPECT_EQ(DaysOf(1969, 12, 31), -1);
  EXPECT_EQ(DaysOf(2000, 3, 1), 11'017);
  EXPECT_EQ(DaysOf(1, 1, 1), -719'162);
  EXPECT_EQ(DaysOf(0, 1, 1), -719'528);
  EXPECT_EQ(DaysOf(9999, 12, 31), 2'932'896);
  EXPECT_EQ(DaysOf(2100, 2, 29), std::nullopt);
}

TEST(Values, Bits) {
  EXPECT_EQ(Read({.types = {16}, .numbers = {1, 0}}, {1}), "1");
  EXPECT_EQ(Read({.types = {16}, .numbers = {2, 1}}, {0x02, 0x01}), "513");
}

// Two bytes of a number where there are more than 255 labels.
TEST(Values, EnumsAndSets) {
  EventBytes labels;
  labels.Byte(0xfc).Number(300, 2);
  for (int i = 1; i <= 300; ++i) labels.Packed("l" + std::to_string(i));
  EventBytes more;
  more.Byte(6).Byte(0xfc).Number(labels.bytes().size(), 2).Add(labels.bytes()).Byte(10).Packed(Bytes{45});
  const MapBytes wide{.types = {254}, .numbers = {0xf7, 2}, .more = more.bytes()};
  EXPECT_EQ(Read(wide, {0x2c, 0x01}), "l300");
  EXPECT_EQ(Read(wide, {0, 0}), "");
  EXPECT_THAT(Read(wide, {0x2d, 0x01}), ::testing::HasSubstr("a number without a label"));
  EventBytes of_set;
  of_set.Byte(5).Packed(EventBytes().Byte(2).Packed("a").Packed("b").bytes()).Byte(10).Packed(Bytes{45});
  const MapBytes set{.types = {254}, .numbers = {0xf8, 1}, .more = of_set.bytes()};
  EXPECT_EQ(Read(set, {3}), "a,b");
  EXPECT_EQ(Read(set, {0}), "");
  EXPECT_THAT(Read(set, {4}), ::testing::HasSubstr("a bit without a label"));
}

// The reference system goes from the front into the value: bit 29 of the type, then its number.
TEST(Values, Geometries) {
  const MapBytes geometry{.types = {255}, .numbers = {4}};
  const Bytes point{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40};
  const auto value = [&](uint32_t srid) {
    return EventBytes().Number(4 + point.size(), 4).Number(srid, 4).Add(point).bytes();
  };
  EXPECT_EQ(Read(geometry, value(0)), test::Hex(std::string(point.begin(), point.end())));
  EXPECT_EQ(Read(geometry, value(4326)),
            "0101000020E6100000"
            "000000000000F03F"
            "0000000000000040");
  EXPECT_EQ(Read(geometry, EventBytes().Number(4, 4).Number(0, 4).bytes()), NoForm());
}

TEST(Values, Vectors) {
  const MapBytes vector{.types = {242}, .numbers = {4}, .collations = {63}};
  EXPECT_THAT(Read(vector, EventBytes().Number(4, 4).Add({0, 0, 0x80, 0x3f}).bytes()),
              ::testing::HasSubstr("[1]"));
  EXPECT_THAT(Read(vector, EventBytes().Number(3, 4).Add({0, 0, 0x80}).bytes()),
              ::testing::HasSubstr("part of a number"));
}

TEST(Values, PaddedBinary) {
  const MapBytes binary{.types = {254}, .numbers = {254, 3}, .collations = {63}};
  EXPECT_EQ(Read(binary, {1, 0x20}), "200000");
  EXPECT_EQ(Read(binary, {0}), "000000");
  EXPECT_THAT(Read(binary, {4, 1, 2, 3, 4}), ::testing::HasSubstr("longer than its column"));
}

}  // namespace
}  // namespace arrowcdc::mysql
