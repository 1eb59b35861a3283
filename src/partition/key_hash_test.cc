#include "src/partition/key_hash.h"

#include <cmath>
#include <limits>
#include <map>

#include <arrow/api.h>
#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

using Ints = std::vector<int32_t>;

Ints Hashes(const std::shared_ptr<arrow::Array>& array, PartitionHash hash = PartitionHash::kMurmur3) {
  std::vector<uint32_t> hashes(static_cast<size_t>(array->length()));
  ARROWCDC_EXPECT_OK(HashColumn(*array->data(), hash, hashes.data()));
  return Ints(hashes.begin(), hashes.end());
}

template <typename Builder, typename... Values>
std::shared_ptr<arrow::Array> Build(Builder&& builder, Values... values) {
  for (bool ok : {builder.Append(values).ok()...}) EXPECT_TRUE(ok);
  return builder.Finish().ValueOrDie();
}

template <typename Builder, typename... Values>
std::shared_ptr<arrow::Array> Numbers(const std::shared_ptr<arrow::DataType>& type, Values... values) {
  return Build(Builder(type, arrow::default_memory_pool()), values...);
}

std::shared_ptr<arrow::Array> Uuid() {
  arrow::FixedSizeBinaryBuilder builder(arrow::fixed_size_binary(16));
  auto storage = Build(builder, "\xf7\x9c\x3e\x09\x67\x7c\x4b\xbd\xa4\x79\x3f\x34\x9c\xb7\x85\xe7");
  return arrow::ExtensionType::WrapArray(arrow::extension::uuid(), storage);
}

constexpr int64_t kTime = ((22 * 60 + 31) * 60 + 8) * int64_t{1'000'000};  // 22:31:08
constexpr int32_t kDate = 17486;                                           // 2017-11-16
constexpr int64_t kTimestamp = kDate * int64_t{86'400'000'000} + kTime;

// Appendix B of the Iceberg specification.
TEST(IcebergHash, PublishedVectors) {
  EXPECT_EQ(Hashes(Build(arrow::Int32Builder(), 34)), Ints{2017239379});
  EXPECT_EQ(Hashes(Build(arrow::Int64Builder(), 34)), Ints{2017239379});
  EXPECT_EQ(Hashes(Numbers<arrow::Decimal128Builder>(arrow::decimal128(9, 2), arrow::Decimal128(1420))),
            Ints{-500754589});
  EXPECT_EQ(Hashes(Build(arrow::Date32Builder(), kDate)), Ints{-653330422});
  EXPECT_EQ(Hashes(Numbers<arrow::Time64Builder>(arrow::time64(arrow::TimeUnit::MICRO), kTime)),
            Ints{-662762989});
  for (const char* zone : {"", "UTC"}) {
    auto type = arrow::timestamp(arrow::TimeUnit::MICRO, zone);
    EXPECT_EQ(Hashes(Numbers<arrow::TimestampBuilder>(type, kTimestamp)), Ints{-2047944441});
  }
  for (const auto& [unit, value] : std::map<arrow::TimeUnit::type, int64_t>{
           {arrow::TimeUnit::MICRO, kTimestamp + 1}, {arrow::TimeUnit::NANO, (kTimestamp + 1) * 1000 + 1}}) {
    EXPECT_EQ(Hashes(Numbers<arrow::TimestampBuilder>(arrow::timestamp(unit), value)), Ints{-1207196810});
  }
  EXPECT_EQ(Hashes(Build(arrow::StringBuilder(), "iceberg")), Ints{1210000089});
  EXPECT_EQ(Hashes(Uuid()), Ints{1488055340});
  const std::string bytes("\x00\x01\x02\x03", 4);
  EXPECT_EQ(Hashes(Build(arrow::BinaryBuilder(), bytes)), Ints{-188683207});
  EXPECT_EQ(Hashes(Build(arrow::FixedSizeBinaryBuilder(arrow::fixed_size_binary(4)), bytes)),
            Ints{-188683207});
  EXPECT_EQ(Hashes(Build(arrow::BooleanBuilder(), true)), Ints{1392991556});
  EXPECT_EQ(Hashes(Build(arrow::FloatBuilder(), 1.0f, 0.0f, -0.0f)),
            (Ints{-142385009, 1669671676, 1669671676}));
  EXPECT_EQ(Hashes(Build(arrow::DoubleBuilder(), 1.0, 0.0, -0.0)),
            (Ints{-142385009, 1669671676, 1669671676}));
}

TEST(IcebergHash, AWidthDoesNotMatter) {
  EXPECT_EQ(Hashes(Build(arrow::Int8Builder(), -7)), Hashes(Build(arrow::Int64Builder(), -7)));
  EXPECT_EQ(Hashes(Build(arrow::Int16Builder(), -7)), Hashes(Build(arrow::Int32Builder(), -7)));
  EXPECT_EQ(Hashes(Build(arrow::UInt32Builder(), 4294967295u)),
            Hashes(Build(arrow::Int64Builder(), 4294967295)));
  EXPECT_EQ(Hashes(Build(arrow::UInt8Builder(), 200)), Hashes(Build(arrow::Int64Builder(), 200)));
  EXPECT_EQ(Hashes(Build(arrow::UInt16Builder(), 65535)), Hashes(Build(arrow::Int64Builder(), 65535)));
  EXPECT_EQ(Hashes(Build(arrow::UInt64Builder(), UINT64_MAX)), Hashes(Build(arrow::Int64Builder(), -1)));
  EXPECT_EQ(Hashes(Build(arrow::LargeStringBuilder(), "iceberg")), Ints{1210000089});
  EXPECT_EQ(Hashes(Build(arrow::StringViewBuilder(), "iceberg")), Ints{1210000089});
  EXPECT_EQ(Hashes(Build(arrow::FloatBuilder(), 17.5f)), Hashes(Build(arrow::DoubleBuilder(), 17.5)));
}

TEST(IcebergHash, OneHashForAllNaNs) {
  const double other = std::copysign(std::numeric_limits<double>::signaling_NaN(), -1.0);
  const Ints hashes = Hashes(Build(arrow::DoubleBuilder(), std::nan(""), std::nan("7"), other));
  const Ints bits = Hashes(Build(arrow::Int64Builder(), 0x7ff8000000000000));
  EXPECT_EQ(hashes, (Ints{bits[0], bits[0], bits[0]}));
  EXPECT_EQ(Hashes(Build(arrow::FloatBuilder(), std::nanf("7"))), bits);
}

TEST(IcebergHash, UnitsOfTimeDoNotMatter) {
  auto time = [](arrow::TimeUnit::type unit, int64_t value) {
    return Hashes(Numbers<arrow::TimestampBuilder>(arrow::timestamp(unit), value));
  };
  EXPECT_EQ(time(arrow::TimeUnit::SECOND, kTimestamp / 1'000'000), Ints{-2047944441});
  EXPECT_EQ(time(arrow::TimeUnit::MILLI, kTimestamp / 1'000), Ints{-2047944441});
  EXPECT_EQ(time(arrow::TimeUnit::NANO, kTimestamp * 1'000 + 999), Ints{-2047944441});
  EXPECT_EQ(time(arrow::TimeUnit::NANO, -1), time(arrow::TimeUnit::MICRO, -1));
  EXPECT_EQ(time(arrow::TimeUnit::NANO, -1000), time(arrow::TimeUnit::MICRO, -1));
  EXPECT_EQ(time(arrow::TimeUnit::NANO, -1001), time(arrow::TimeUnit::MICRO, -2));
  EXPECT_EQ(Hashes(Numbers<arrow::Time32Builder>(arrow::time32(arrow::TimeUnit::SECOND), kTime / 1'000'000)),
            Ints{-662762989});
  EXPECT_EQ(Hashes(Build(arrow::Date64Builder(), kDate * int64_t{86'400'000})), Ints{-653330422});
}

// Minimal two's complement, written down by hand.
TEST(IcebergHash, DecimalsInAsFewBytesAsTheyNeed) {
  struct Case {
    const char* value;
    std::string bytes;
  };
  const std::vector<Case> cases = {{"0", std::string(1, '\0')},
                                   {"1", "\x01"},
                                   {"127", "\x7f"},
                                   {"128", std::string("\x00\x80", 2)},
                                   {"255", std::string("\x00\xff", 2)},
                                   {"256", std::string("\x01\x00", 2)},
                                   {"-1", "\xff"},
                                   {"-128", "\x80"},
                                   {"-129", "\xff\x7f"},
                                   {"-256", std::string("\xff\x00", 2)},
                                   {"18446744073709551616", std::string("\x01\0\0\0\0\0\0\0\0", 9)},
                                   {"-9223372036854775808", std::string("\x80\0\0\0\0\0\0\0", 8)}};
  for (const Case& one : cases) {
    const Ints expected = Hashes(Build(arrow::BinaryBuilder(), one.bytes));
    auto narrow = arrow::Decimal128::FromString(one.value).ValueOrDie();
    auto wide = arrow::Decimal256::FromString(one.value).ValueOrDie();
    EXPECT_EQ(Hashes(Numbers<arrow::Decimal128Builder>(arrow::decimal128(38, 3), narrow)), expected)
        << one.value;
    EXPECT_EQ(Hashes(Numbers<arrow::Decimal256Builder>(arrow::decimal256(76, 0), wide)), expected)
        << one.value;
  }
}

// What Kafka's serializers write, as bytes.
TEST(KafkaHash, BytesOfTheSerializers) {
  auto bytes = [](const std::string& value) {
    return Hashes(Build(arrow::BinaryBuilder(), value), PartitionHash::kMurmur2);
  };
  auto hashes = [](const std::shared_ptr<arrow::Array>& array) {
    return Hashes(array, PartitionHash::kMurmur2);
  };
  EXPECT_EQ(hashes(Build(arrow::StringBuilder(), "foobar")), Ints{-790332482});
  EXPECT_EQ(hashes(Build(arrow::BinaryBuilder(), "abc")), Ints{479470107});
  EXPECT_EQ(hashes(Build(arrow::Int16Builder(), 0x3231)), Ints{-973932308});  // "21"
  EXPECT_EQ(hashes(Build(arrow::Int32Builder(), -2)), bytes("\xff\xff\xff\xfe"));
  EXPECT_EQ(hashes(Build(arrow::Int64Builder(), 0x0102030405060708)),
            bytes("\x01\x02\x03\x04\x05\x06\x07\x08"));
  EXPECT_EQ(hashes(Build(arrow::UInt32Builder(), 0xfffffffeu)), bytes("\xff\xff\xff\xfe"));
  EXPECT_EQ(hashes(Build(arrow::BooleanBuilder(), true)), bytes("\x01"));
  EXPECT_EQ(hashes(Build(arrow::FloatBuilder(), 1.0f)), bytes(std::string("\x3f\x80\0\0", 4)));
  EXPECT_EQ(hashes(Build(arrow::DoubleBuilder(), 1.0)), bytes(std::string("\x3f\xf0\0\0\0\0\0\0", 8)));
  EXPECT_EQ(hashes(Build(arrow::DoubleBuilder(), -0.0)), bytes(std::string(8, '\0')));
  EXPECT_EQ(hashes(Build(arrow::DoubleBuilder(), std::nan("7"))),
            bytes(std::string("\x7f\xf8\0\0\0\0\0\0", 8)));
  EXPECT_EQ(hashes(Build(arrow::FloatBuilder(), std::nanf("7"))), bytes(std::string("\x7f\xc0\0\0", 4)));
  EXPECT_EQ(hashes(Build(arrow::Date32Builder(), 1)), bytes(std::string("\0\0\0\x01", 4)));
  EXPECT_EQ(hashes(Uuid()), bytes("f79c3e09-677c-4bbd-a479-3f349cb785e7"));
  EXPECT_EQ(hashes(Numbers<arrow::Decimal128Builder>(arrow::decimal128(9, 2), arrow::Decimal128(1420))),
            bytes("\x05\x8c"));
}

TEST(KeyHash, NullsDictionariesAndSlices) {
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.Append("x").ok() && builder.AppendNull().ok() && builder.Append("iceberg").ok());
  auto strings = builder.Finish().ValueOrDie();
  EXPECT_EQ(Hashes(strings->Slice(1)), (Ints{0, 1210000089}));
  EXPECT_EQ(Hashes(strings->Slice(0, 0)), Ints{});

  arrow::Int16Builder indexes;
  ASSERT_TRUE(indexes.AppendValues({0, 2, 1, 2, 0}, {true, true, true, false, true}).ok());
  auto type = arrow::dictionary(arrow::int16(), arrow::utf8());
  auto coded = std::make_shared<arrow::DictionaryArray>(type, indexes.Finish().ValueOrDie(), strings);
  const int32_t x = Hashes(strings)[0];
  EXPECT_EQ(Hashes(coded), (Ints{x, 1210000089, 0, 0, x}));
  EXPECT_EQ(Hashes(coded->Slice(1, 2)), (Ints{1210000089, 0}));
}

TEST(KeyHash, WhatCanBeHashed) {
  for (const auto& type :
       {arrow::boolean(), arrow::uint8(), arrow::int64(), arrow::float32(), arrow::float64(), arrow::utf8(),
        arrow::large_binary(), arrow::binary_view(), arrow::fixed_size_binary(3), arrow::date32(),
        arrow::date64(), arrow::time32(arrow::TimeUnit::MILLI), arrow::time64(arrow::TimeUnit::NANO),
        arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), arrow::decimal128(3, 5), arrow::decimal256(76, 0),
        arrow::dictionary(arrow::int8(), arrow::utf8()), arrow::extension::uuid(),
        arrow::extension::json()}) {
    EXPECT_TRUE(IsHashable(*type)) << type->ToString();
  }
  for (const auto& type :
       {arrow::null(), arrow::float16(), arrow::list(arrow::int16()), arrow::large_list(arrow::utf8()),
        arrow::fixed_size_list(arrow::float32(), 3), arrow::struct_({arrow::field("a", arrow::int32())}),
        arrow::map(arrow::utf8(), arrow::utf8()), arrow::month_day_nano_interval(), arrow::month_interval(),
        arrow::duration(arrow::TimeUnit::SECOND),
        arrow::dictionary(arrow::int8(), arrow::list(arrow::int8())),
        arrow::run_end_encoded(arrow::int32(), arrow::utf8())}) {
    EXPECT_FALSE(IsHashable(*type)) << type->ToString();
  }
}

// Several columns: the hash of the hashes' bytes.
TEST(KeyHash, Composite) {
  const uint32_t a = 2017239379;
  const uint32_t b = static_cast<uint32_t>(-188683207);
  std::string bytes;
  for (uint32_t part : {a, b}) {
    for (int shift : {0, 8, 16, 24}) bytes.push_back(static_cast<char>(part >> shift));
  }
  for (auto hash : {PartitionHash::kMurmur3, PartitionHash::kMurmur2}) {
    const auto expected = static_cast<uint32_t>(Hashes(Build(arrow::BinaryBuilder(), bytes), hash)[0]);
    EXPECT_EQ(CombineHashes({{a}, {b}}, hash), std::vector<uint32_t>{expected});
    EXPECT_EQ(CombineHashes({{a, b}}, hash), (std::vector<uint32_t>{a, b}));
  }
}

}  // namespace
}  // namespace arrowcdc
