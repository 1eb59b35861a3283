// Values that are made of values, types of extensions, and the type table itself.
#include <bit>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/values/row_reader.h"
#include "src/postgres/decode/values/testing/value_cases.h"

namespace arrowcdc::test {
namespace {

using arrow::field;
using std::string;
using namespace std::string_literals;  // NOLINT

class NestedValues : public Values {
 protected:
  std::shared_ptr<arrow::DataType> pair_ =
      arrow::struct_({field("a", arrow::int32()), field("b", arrow::utf8())});
};

TEST_F(NestedValues, Arrays) {
  Check(kInt4Array, arrow::list(arrow::int32()),
        {{ArrayBytes(kInt4, {Be32(1), std::nullopt, Be32(3)}), "{1,NULL,3}", "[1, null, 3]"},
         {ArrayBytes(kInt4, {}), "{}", "[]"},
         {ArrayBytes(kInt4, {std::nullopt}), "{NULL}", "[null]"},
         {ArrayBytes(kInt4, {Be32(1)}, 0), "[0:0]={1}", kNoForm},
         {Be32(2) + Be32(0) + Be32(kInt4) + Be32(1) + Be32(1) + Be32(1) + Be32(1) + Sized(Be32(5)), "{{5}}",
          kNoForm},
         {ArrayBytes(kInt8, {Be64(1)}), "{x}", kFault},
         {ArrayBytes(kInt4, {Be64(1)}), "{1", kFault},
         {ArrayBytes(kInt4, {Be32(1)}) + "x", "{1}x", kFault},
         {Be32(7) + Be32(0) + Be32(kInt4), "1", kFault},
         {Be32(-1) + Be32(0) + Be32(kInt4), "{,}", kFault},
         {Be32(1) + Be32(0) + Be32(kInt4) + Be32(-1) + Be32(1), "{1,}", kFault},
         // More elements than there are bytes: nothing is allocated for them.
         {Be32(1) + Be32(0) + Be32(kInt4) + Be32(INT32_MAX) + Be32(1), "", kFault},
         {Be32(1) + Be32(0) + Be32(kInt4) + Be32(1) + Be32(1) + Be32(100), "{1}}", kFault}});
  Check(kTextArray, arrow::list(arrow::utf8()),
        {{ArrayBytes(kText, {"a,b", "", "NULL", "q\"\\", std::nullopt}), R"({"a,b","","NULL","q\"\\",NULL})",
          R"(["a,b", "", "NULL", "q\"\\", null])"},
         {ArrayBytes(kText, {"{x}"}), R"({"{x}"})", R"(["{x}"])"},
         {ArrayBytes(kText, {"fine", "caf\xe9"}), "{fine,caf\xe9}", kNoForm},
         {kNone, R"({"a)", kFault},
         {kNone, R"({"a\)", kFault}});
  Check(kNumericArray, arrow::list(arrow::decimal128(5, 1)),
        {{ArrayBytes(kNumeric, {NumericBytes(0, 0, 1, {1, 5000}), std::nullopt}), "{1.5,NULL}",
          "[\"1.5\", null]"},
         {ArrayBytes(kNumeric, {NumericBytes(0, 0, 0, {1}), NumericBytes(0, 0xc000, 0, {})}), "{1,NaN}",
          kNoForm}},
        NumericTypmod(5, 1));
  Check(kMood, arrow::utf8(), {{"sad", "sad", "\"sad\""}});
  Check(kMoodArray, arrow::list(arrow::utf8()),
        {{ArrayBytes(kMood, {"sad", std::nullopt}), "{sad,NULL}", "[\"sad\", null]"}});
}

TEST_F(NestedValues, Domains) {
  Check(kPrice, arrow::decimal128(8, 3), {{NumericBytes(0, 0, 3, {1, 2500}), "1.250", "\"1.250\""}});
  Check(kPriceArray, arrow::list(arrow::decimal128(8, 3)),
        {{ArrayBytes(kPrice, {NumericBytes(0, 0, 3, {2})}), "{2.000}", "[\"2.000\"]"}});
}

TEST_F(NestedValues, Composites) {
  Check(kPair, pair_,
        {{RecordBytes({{kInt4, Be32(1)}, {kText, "x"}}), "(1,x)", "[1, \"x\"]"},
         {RecordBytes({{kInt4, std::nullopt}, {kText, std::nullopt}}), "(,)", "[null, null]"},
         {RecordBytes({{kInt4, Be32(1)}, {kText, ""}}), R"x((1,""))x", "[1, \"\"]"},
         {RecordBytes({{kInt4, Be32(1)}, {kText, "a \"b\" (\\),"}}), R"x((1,"a ""b"" (\\),"))x",
          R"([1, "a \"b\" (\\),"])"},
         // Of another version of the type.
         {RecordBytes({{kInt4, Be32(1)}}), "(1)", kNoForm},
         {RecordBytes({{kInt4, Be32(1)}, {kText, "x"}, {kText, "y"}}), "(1,x,y)", kNoForm},
         {RecordBytes({{kText, "z"}, {kText, "x"}}), "(z,x)", kNoForm},
         {RecordBytes({{kInt4, Be32(1)}, {kText, "caf\xe9"}}), "(1,caf\xe9)", kNoForm},
         {RecordBytes({{kInt4, Be32(1)}, {kText, "x"}}) + "y", "(1,x)y", kFault},
         {Be32(2) + Be32(kInt4) + Be32(4), "(1,x", kFault},
         {Be32(-1), "1,x", kFault}});
  const auto outer = arrow::struct_({field("pairs", arrow::list(pair_)), field("at", arrow::date32())});
  Check(kOuter, outer,
        {{RecordBytes({{kPairArray,
                        ArrayBytes(kPair, {RecordBytes({{kInt4, Be32(1)}, {kText, "a\"b"}}), std::nullopt})},
                       {kDate, Be32(-10957)}}),
          R"x(("{""(1,\\""a\\""\\""b\\"")"",NULL}",1970-01-01))x", R"([[[1, "a\"b"], null], 0])"},
         {RecordBytes({{kPairArray, ArrayBytes(kPair, {})}, {kDate, Be32(INT32_MAX)}}), "({},infinity)",
          kNoForm}});
  catalog_.Add(kNothing, {.name = "nothing", .kind = TypeKind::kComposite});
  Check(kNothing, arrow::struct_(arrow::FieldVector()),
        {{Be32(0), "()", "{}"}, {RecordBytes({{kInt4, Be32(1)}}), "(1)", kNoForm}});
}

TEST_F(NestedValues, Ranges) {
  const auto range = [](const std::shared_ptr<arrow::DataType>& bound) {
    return arrow::struct_({field("lower", bound), field("upper", bound), field("lower_inc", arrow::boolean()),
                           field("upper_inc", arrow::boolean()), field("empty", arrow::boolean())});
  };
  const string one_to_five = "\2"s + Sized(Be32(1)) + Sized(Be32(5));
  const auto ints = range(arrow::int32());
  Check(kInt4Range, ints,
        {{one_to_five, "[1,5)", "[1, 5, true, false, false]"},
         {"\1", "empty", "[null, null, false, false, true]"},
         {"\x18", "(,)", "[null, null, false, false, false]"},
         {"\x12"s + Sized(Be32(3)), "[3,)", "[3, null, true, false, false]"},
         {"\x0c"s + Sized(Be32(3)), "(,3]", "[null, 3, false, true, false]"},
         {"", "", kFault},
         {"\2", "[1,5", kFault},
         {one_to_five + "x", "[1,5)x", kFault},
         {"\2"s + Sized(std::nullopt) + Sized(Be32(5)), "[1;5)", kFault},
         {"\2"s + Sized(Be64(1)) + Sized(Be32(5)), "[x,5)", kFault}});
  Check(kTsRange, range(arrow::timestamp(arrow::TimeUnit::MICRO)),
        {{"\6"s + Sized(Be64(0)) + Sized(Be64(1)), R"(["2000-01-01 00:00:00","2000-01-01 00:00:00.000001"])",
          "[946684800000000, 946684800000001, true, true, false]"},
         {"\2"s + Sized(Be64(0)) + Sized(Be64(INT64_MAX)), R"(["2000-01-01 00:00:00",infinity))", kNoForm}});
  Check(kInt4Multirange, arrow::list(ints),
        {{Be32(2) + Sized(one_to_five) + Sized("\x12"s + Sized(Be32(7))), "{[1,5),[7,)}",
          "[[1, 5, true, false, false], [7, null, true, false, false]]"},
         {Be32(0), "{}", "[]"},
         {Be32(1), "{", kFault},
         {Be32(-1), "{[1,5)", kFault},
         {Be32(0) + "x", "{}x", kFault},
         {Be32(1) + Sized("\2"), "{x}", kFault}});
}

TEST_F(NestedValues, Hstore) {
  Check(kHstore, arrow::map(arrow::utf8(), arrow::utf8()),
        {{Be32(2) + Sized("a") + Sized("1") + Sized("b\"\\") + Sized(std::nullopt),
          R"("a"=>"1", "b\"\\"=>NULL)", R"([["a", "1"], ["b\"\\", null]])"},
         {Be32(0), "", "[]"},
         {Be32(1) + Sized("") + Sized(""), R"(""=>"")", R"([["", ""]])"},
         {Be32(1) + Sized("caf\xe9") + Sized("x"), "\"caf\xe9\"=>\"x\"", kNoForm},
         {Be32(1) + Sized("k") + Sized("caf\xe9"), "\"k\"=>\"caf\xe9\"", kNoForm},
         {Be32(1) + Sized(std::nullopt) + Sized("x"), "NULL=>\"x\"", kFault},
         {Be32(2) + Sized("a") + Sized("1"),
          R"("a"=>"1", )"
          "x",
          kFault},
         {Be32(-1), R"("a"=>)", kFault},
         {Be32(0) + "x", R"("a"=>"1" "b"=>"2")", kFault}});
}

TEST_F(NestedValues, Vectors) {
  const auto bits = [](float value) { return Be(std::bit_cast<uint32_t>(value)); };
  const string two = Be16(2) + Be16(0) + bits(1.5F) + bits(-0.1F);
  Check(kVector, arrow::list(arrow::float32()),
        {{two, "[1.5,-0.1]", "[1.5, -0.1]"},
         {Be16(3) + Be16(0) + bits(1), "[1,x]", kFault},
         {Be16(0) + Be16(1), "[1,]", kFault},
         {"", "1", kFault}});
  Check(kVector, arrow::fixed_size_list(field("item", arrow::float32()), 2),
        {{two, "[1.5,-0.1]", "[1.5, -0.1]"}, {Be16(1) + Be16(0) + bits(1), "[1]", kNoForm}}, 2);
  // 1.5, the smallest and the largest number that halves have, the smallest that is normal, -0.
  const string halves =
      Be16(5) + Be16(0) + Be16(0x3e00) + Be16(0x0001) + Be16(0x7bff) + Be16(0x0400) + Be(uint16_t{0x8000});
  Check(kHalfvec, arrow::list(arrow::float32()),
        {{halves, "[1.5,5.9604645e-08,65504,6.1035156e-05,-0]",
          "[1.5, 5.9604645e-08, 65504, 6.103515625e-05, -0.0]"}});
}

string Hex(const string& bytes) {
  string hex;
  for (const char c : bytes) {
    for (const int digit : {static_cast<uint8_t>(c) >> 4, c & 15}) hex += "0123456789ABCDEF"[digit];
  }
  return hex;
}

TEST_F(NestedValues, Geometries) {
  const auto point = [](const string& type, const string& srid, int doubles) {
    return "\1" + type + srid + string(8 * static_cast<size_t>(doubles), '\7');
  };
  const string srid4326 = "\xe6\x10\0\0"s;
  const string json2 = string("\"\\u0001\\u0001\\u0000\\u0000\\u0000");
  const auto rest = [](int doubles) {
    string json;
    for (int i = 0; i < 8 * doubles; ++i) json += "\\u0007";
    return json + "\"";
  };
  const int32_t typmod = 4326 << 8;
  const auto check = [&](uint32_t type, int32_t modifier, const string& ewkb, const string& json) {
    Check(type, arrow::binary(), {{ewkb, json == kFault ? kNone : Hex(ewkb), json}}, modifier);
  };
  check(kGeometry, -1, point("\1\0\0\0"s, "", 2), json2 + rest(2));
  // The reference system is the column's, and goes into its metadata.
  check(kGeometry, typmod, point("\1\0\0\x20"s, srid4326, 2), json2 + rest(2));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped, MapType(kGeometry, typmod, {}, &catalog_));
  const auto bytes = [&](const string& ewkb) {
    const ReadValue read = ReadOne(mapped, ValueForm::kBinary, ewkb);
    return read.outcome == ReadOutcome::kValue
               ? static_cast<const arrow::BinaryArray&>(*read.array).GetString(0)
               : "outcome " + std::to_string(static_cast<int>(read.outcome));
  };
  // A point with z, 1001, and one with z and m, 3001.
  EXPECT_EQ(bytes(point("\1\0\0\xa0"s, srid4326, 3)), point("\xe9\3\0\0"s, "", 3));
  EXPECT_EQ(bytes(point("\1\0\0\xe0"s, srid4326, 4)), point("\xb9\x0b\0\0"s, "", 4));
  // A collection of a line with m in the other byte order: 2002 in it, 2007 outside.
  const string line = "\0\x40\0\0\2\0\0\0\1"s + string(24, '\5');
  EXPECT_EQ(bytes("\1\7\0\0\x60"s + srid4326 + "\1\0\0\0"s + line),
            "\1\xd7\7\0\0\1\0\0\0"s + "\0\0\0\x07\xd2\0\0\0\1"s + string(24, '\5'));
  // Another reference system than the column's stays with the value; so does what is of no known kind.
  const string other = point("\1\0\0\x20"s, "\1\0\0\0"s, 2);
  EXPECT_EQ(bytes(other), other);
  const string unknown = point("\x63\0\0\0"s, "", 1);
  EXPECT_EQ(bytes(unknown), unknown);
  EXPECT_EQ(bytes(point("\1\0\0\0"s, "", 1)), "outcome 2");
  EXPECT_EQ(bytes(point("\1\0\0\0"s, "", 2) + "x"), "outcome 2");
  EXPECT_EQ(bytes("\1\2\0\0\0\xff\xff\xff\xff"s), "outcome 2");
  // Deeper than PostGIS itself reads: left as it is.
  string deep;
  for (int i = 0; i < 300; ++i) deep += "\1\7\0\0\0\1\0\0\0"s;
  EXPECT_EQ(bytes(deep), deep);
  EXPECT_EQ(mapped.metadata->Get("ARROW:extension:name").ValueOr(""), "geoarrow.wkb");
  EXPECT_EQ(mapped.metadata->Get("ARROW:extension:metadata").ValueOr(""),
            R"({"crs": "4326", "crs_type": "srid"})");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType geography, MapType(kGeography, -1, {}, &catalog_));
  EXPECT_EQ(geography.metadata->Get("ARROW:extension:metadata").ValueOr(""), R"({"edges": "spherical"})");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType plain, MapType(kGeometry, -1, {}, &catalog_));
  EXPECT_EQ(plain.metadata->Get("ARROW:extension:metadata").ValueOr("none"), "");
}

// --- The type table

TEST_F(NestedValues, BinaryIsReadOnlyWhereAllOfATypeIsKnown) {
  const auto reads_binary = [&](uint32_t type) {
    return MapType(type, -1, {}, &catalog_).ValueOrDie().reads_binary;
  };
  catalog_.Add(30000, {.name = "spot", .kind = TypeKind::kComposite, .attributes = {{"p", kPoint, -1}}});
  catalog_.AddArray(30001, 30000);
  catalog_.Add(30002, {.name = "odd", .output_is_textout = true});
  for (const uint32_t type :
       {kInt4Array, kPair, kOuter, kTsRange, kInt4Multirange, kCitext, kHstore, kVector, kPriceArray}) {
    EXPECT_TRUE(reads_binary(type)) << type;
  }
  for (const uint32_t type : {kPoint, kPointArray, 30000u, 30001u, 30002u, 99999u})
    EXPECT_FALSE(reads_binary(type)) << type;
  // What is not known is text, in arrays and inside of others too.
  Check(kPoint, arrow::utf8(), {{kNone, "(1,2)", "\"(1,2)\""}});
  Check(kPointArray, arrow::list(arrow::utf8()), {{kNone, R"x({"(1,2)"})x", R"x(["(1,2)"])x"}});
  Check(30000, arrow::struct_({field("p", arrow::utf8())}), {{kNone, R"x(("(1,2)"))x", R"x(["(1,2)"])x"}});
  Check(99999, arrow::utf8(), {{kNone, "x", "\"x\""}});
  Check(kCitext, arrow::utf8(), {{"As", "As", "\"As\""}});
}

// A catalog that is damaged, or was asked in the middle of a change.
TEST_F(NestedValues, TypesThatContainThemselvesEnd) {
  catalog_.Add(30000, {.name = "d", .kind = TypeKind::kDomain, .base = 30000});
  catalog_.Add(
      30001, {.name = "c", .kind = TypeKind::kComposite, .attributes = {{"x", 30001, -1}, {"y", 30001, -1}}});
  catalog_.AddArray(30002, 30002);
  catalog_.Add(30003, {.name = "m", .kind = TypeKind::kMultirange, .subtype = 30003});
  for (const uint32_t type : {30000u, 30001u, 30002u, 30003u}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped, MapType(type, -1, {}, &catalog_));
    EXPECT_FALSE(mapped.reads_binary) << type;
  }
}

TEST_F(NestedValues, UnrepresentableAsTextIsDecidedForTheColumn) {
  const ValueOptions text{.unrepresentable_as_text = true};
  for (const uint32_t type : std::initializer_list<uint32_t>{kDate, kTimestampTz, kInterval, kTimeTz,
                                                             kInt4Array, kPair, kTsRange}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped, MapType(type, -1, text, &catalog_));
    EXPECT_TRUE(mapped.type->Equals(*arrow::utf8())) << type;
    EXPECT_FALSE(mapped.reads_binary) << type;
  }
  Check(kNumeric, arrow::utf8(), {{kNone, "NaN", "\"NaN\""}}, NumericTypmod(10, 2), text);
  for (const uint32_t type :
       std::initializer_list<uint32_t>{kInt4, kText, kFloat8, kUuid, kInt4Range, kHstore}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType as_text, MapType(type, -1, text, &catalog_));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType as_null, MapType(type, -1, {}, &catalog_));
    EXPECT_TRUE(as_text.type->Equals(*as_null.type)) << type;
    EXPECT_TRUE(as_text.reads_binary) << type;
  }
}

TEST_F(NestedValues, ColumnsHaveTheirMetadata) {
  const std::vector<ColumnDescription> columns = {
      {.attribute = {"id", kInt8, -1}, .attnum = 3, .key_place = 1},
      {.attribute = {"price", kPrice, -1}},
      {.attribute = {"where", kGeometry, 4326 << 8}, .attnum = 5},
      {.attribute = {"gone", 99999, 7}},
  };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedColumns mapped, MapColumns(columns, {}, &catalog_));
  ASSERT_EQ(mapped.fields.size(), 4u);
  const auto expect = [&](size_t i, const std::vector<std::pair<string, string>>& wanted) {
    const auto& metadata = *mapped.fields[i]->metadata();
    EXPECT_EQ(metadata.size(), static_cast<int64_t>(wanted.size())) << metadata.ToString();
    for (const auto& [key, value] : wanted) EXPECT_EQ(metadata.Get(key).ValueOr("none"), value) << key;
  };
  expect(0, {{"ADBC:postgresql:typname", "int8"},
             {"arrowcdc:typoid", "20"},
             {"arrowcdc:typmod", "-1"},
             {"PARQUET:field_id", "3"},
             {"arrowcdc:key", "1"}});
  expect(1, {{"ADBC:postgresql:typname", "price"}, {"arrowcdc:typoid", "20006"}, {"arrowcdc:typmod", "-1"}});
  expect(2, {{"ADBC:postgresql:typname", "geometry"},
             {"arrowcdc:typoid", "20013"},
             {"arrowcdc:typmod", "1107456"},
             {"PARQUET:field_id", "5"},
             {"ARROW:extension:name", "geoarrow.wkb"},
             {"ARROW:extension:metadata", R"({"crs": "4326", "crs_type": "srid"})"}});
  expect(3, {{"ADBC:postgresql:typname", "unknown"}, {"arrowcdc:typoid", "99999"}, {"arrowcdc:typmod", "7"}});
  EXPECT_EQ(mapped.forms, (std::vector<ValueForm>{ValueForm::kBinary, ValueForm::kBinary, ValueForm::kBinary,
                                                  ValueForm::kText}));
}

// A reader is not let at a column of another type.
TEST_F(NestedValues, RowsAreReadWithTheReadersOfTheTable) {
  const auto make = [&](uint32_t type, const arrow::FieldVector& fields) {
    auto table =
        MakeTableSchema({"public", "t"}, 1, 2, ReplicaIdentity::kDefault, fields, nullptr).ValueOrDie();
    auto columns = MapColumns({{.attribute = {"c", type, -1}}}, {}, &catalog_).ValueOrDie();
    return RowReader::Make(std::move(table), std::move(columns), arrow::system_memory_pool());
  };
  EXPECT_FALSE(make(kInt8, {field("c", arrow::int32())}).ok());
  EXPECT_FALSE(make(kInt8, {}).ok());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, make(kDate, {field("c", arrow::date32())}));
  const arrow::Status fault = rows->Read(0, ValueForm::kBinary, "x", 100);
  EXPECT_EQ(GetErrorDetail(fault)->kind(), ErrorKind::kProtocol) << fault.ToString();
  EXPECT_NE(fault.message().find("at byte 100"), string::npos) << fault.ToString();
  EXPECT_EQ(GetErrorDetail(fault)->object(), "column c of table public.t");
}

}  // namespace
}  // namespace arrowcdc::test
