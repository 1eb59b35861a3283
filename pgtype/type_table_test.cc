// The type table against the rules of docs/types.md, and against the catalog of a server.
#include "pgtype/type_table.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::pgtype {
namespace {

using format::ArrowTypeId;
using std::string;

constexpr NumericChoice kText{NumericAs::kText, 0, 0};

TEST(TypeTable, KindsByWhatTheCatalogSays) {
  constexpr uint32_t kUserType = 16384;
  EXPECT_EQ(ChooseKind({23, 'b', 4, false, false}), Kind::kInt32);
  EXPECT_EQ(ChooseKind({22, 'b', -1, true, false}), Kind::kOutput);    // int2vector
  EXPECT_EQ(ChooseKind({869, 'b', -1, false, false}), Kind::kOutput);  // inet
  EXPECT_EQ(ChooseKind({1007, 'b', -1, true, false}), Kind::kArray);   // int4[]
  EXPECT_EQ(ChooseKind({kUserType, 'e', 4, false, false}), Kind::kEnum);
  EXPECT_EQ(ChooseKind({kUserType, 'b', -1, false, true}), Kind::kStoredText);
  EXPECT_EQ(ChooseKind({kUserType, 'b', 64, false, true}), Kind::kOutput);  // not as text is stored
  EXPECT_EQ(ChooseKind({kUserType, 'b', -1, false, false}), Kind::kOutput);
  EXPECT_EQ(ChooseKind({kUserType, 'c', -1, false, false}), Kind::kComposite);
  EXPECT_EQ(ChooseKind({kUserType, 'r', -1, false, false}), Kind::kRange);
  EXPECT_EQ(ChooseKind({3904, 'r', -1, false, false}), Kind::kRange);  // int4range
  EXPECT_EQ(ChooseKind({kUserType, 'm', -1, false, false}), Kind::kMultirange);
  EXPECT_EQ(ChooseKind({kUserType, 'p', 4, false, false}), Kind::kOutput);
  EXPECT_EQ(ChooseKind({}), Kind::kOutput);
}

TEST(TypeTable, ValuesWithoutAForm) {
  const auto always = [](Kind kind, uint32_t oid, int32_t modifier = -1,
                         const NumericChoice& choice = kText) {
    return AlwaysHasForm(kind, oid, ChooseForm(kind, modifier, choice, 0));
  };
  for (const Kind kind : {Kind::kDate, Kind::kTime, Kind::kTimeTz, Kind::kTimestamp, Kind::kTimestampTz,
                          Kind::kInterval, Kind::kArray, Kind::kComposite})
    EXPECT_FALSE(always(kind, 0)) << static_cast<int>(kind);
  for (const Kind kind : {Kind::kBool, Kind::kMoney, Kind::kFloat64, Kind::kUuid, Kind::kText, Kind::kJsonb,
                          Kind::kEnum, Kind::kHstore, Kind::kGeometry, Kind::kOutput})
    EXPECT_TRUE(always(kind, 0)) << static_cast<int>(kind);
  EXPECT_TRUE(always(Kind::kUint32, 26));     // oid
  EXPECT_FALSE(always(Kind::kUint32, 2205));  // regclass, whose text is a name
  EXPECT_TRUE(always(Kind::kNumeric, 1700));
  EXPECT_FALSE(always(Kind::kNumeric, 1700, 786438));  // numeric(12,2): NaN
  EXPECT_FALSE(always(Kind::kNumeric, 1700, -1, {NumericAs::kDouble, 0, 0}));
  EXPECT_TRUE(always(Kind::kVector, 0));
  EXPECT_FALSE(always(Kind::kVector, 0, 3));  // one of another dimension
}

TEST(TypeTable, ChoicesOfNumeric) {
  NumericChoice choice{};
  EXPECT_TRUE(ParseNumericChoice("text", &choice) && choice.as == NumericAs::kText);
  EXPECT_TRUE(ParseNumericChoice("double", &choice) && choice.as == NumericAs::kDouble);
  EXPECT_TRUE(ParseNumericChoice("decimal(76,0)", &choice));
  EXPECT_TRUE(choice.as == NumericAs::kDecimal && choice.precision == 76 && choice.scale == 0);
  EXPECT_TRUE(ParseNumericChoice("decimal(1,1)", &choice));
  EXPECT_TRUE(choice.precision == 1 && choice.scale == 1);
  for (const char* const text :
       {"", "Text", "decimal", "decimal(,)", "decimal(77,0)", "decimal(0,0)", "decimal(5,6)", "decimal(5,-1)",
        "decimal(5,1", "decimal(5,1))", "decimal(5)", "decimal(4294967301,1)", "decimal(5,4294967297)"})
    EXPECT_FALSE(ParseNumericChoice(text, &choice)) << text;
}

TEST(TypeTable, ExtensionTypes) {
  EXPECT_EQ(FindExtensionType("hstore")->kind, Kind::kHstore);
  EXPECT_STREQ(FindExtensionType("halfvec")->extension, "vector");
  EXPECT_EQ(FindExtensionType("text"), nullptr);
  EXPECT_EQ(ChooseForm(Kind::kHstore, -1, kText, 0).type, ArrowTypeId::kMap);
  EXPECT_EQ(ChooseForm(Kind::kVector, -1, kText, 0).type, ArrowTypeId::kList);
  for (const Kind kind : {Kind::kVector, Kind::kHalfvec}) {
    EXPECT_EQ(ChooseForm(kind, 3, kText, 0).type, ArrowTypeId::kFixedSizeList);
    EXPECT_EQ(ChooseForm(kind, 3, kText, 0).list_size, 3);
    // More than pgvector has: no row is to take that much room because the catalog says so.
    EXPECT_EQ(ChooseForm(kind, 16001, kText, 0).type, ArrowTypeId::kList);
  }
}

// The modifiers are worked out by hand: (precision << 16 | scale in eleven bits) + 4.
TEST(TypeTable, Numeric) {
  struct Case {
    int32_t modifier;
    NumericChoice choice;
    ArrowTypeId type;
    int32_t width;
    int32_t precision;
    int32_t scale;
  };
  constexpr NumericChoice kDecimal{NumericAs::kDecimal, 40, 9};
  constexpr NumericChoice kDouble{NumericAs::kDouble, 0, 0};
  const std::vector<Case> cases = {
      {786438, kText, ArrowTypeId::kDecimal128, 16, 12, 2},
      {786438, kDouble, ArrowTypeId::kDecimal128, 16, 12, 2},
      {6, kText, ArrowTypeId::kUtf8, 0, 0, 0},  // no server's: numeric(0,2)
      {198658, kText, ArrowTypeId::kDecimal128, 16, 3, -2},
      {196617, kText, ArrowTypeId::kDecimal128, 16, 3, 5},
      {2490410, kText, ArrowTypeId::kDecimal128, 16, 38, 38},
      {2555909, kText, ArrowTypeId::kDecimal256, 32, 39, 1},
      {4980740, kText, ArrowTypeId::kDecimal256, 32, 76, 0},
      {5046276, kText, ArrowTypeId::kUtf8, 0, 0, 0},    // numeric(77,0)
      {5046276, kDouble, ArrowTypeId::kUtf8, 0, 0, 0},  // it has a precision
      {-1, kText, ArrowTypeId::kUtf8, 0, 0, 0},
      {-1, kDouble, ArrowTypeId::kFloat64, 8, 0, 0},
      {-1, kDecimal, ArrowTypeId::kDecimal256, 32, 40, 9},
  };
  for (const Case& one : cases) {
    const ArrowForm form = ChooseForm(Kind::kNumeric, one.modifier, one.choice, 0);
    EXPECT_EQ(form.type, one.type) << one.modifier;
    EXPECT_EQ(form.width, one.width) << one.modifier;
    EXPECT_EQ(form.precision, one.precision) << one.modifier;
    EXPECT_EQ(form.scale, one.scale) << one.modifier;
  }
}

TEST(TypeTable, OtherForms) {
  const ArrowForm money = ChooseForm(Kind::kMoney, -1, kText, 3);
  EXPECT_EQ(money.type, ArrowTypeId::kDecimal128);
  EXPECT_EQ(money.width, 16);
  EXPECT_EQ(money.precision, 19);
  EXPECT_EQ(money.scale, 3);
  EXPECT_EQ(MoneyScale(0), 0);
  EXPECT_EQ(MoneyScale(10), 10);
  EXPECT_EQ(MoneyScale(11), 2);
  EXPECT_EQ(MoneyScale(-1), 2);
  EXPECT_TRUE(ChooseForm(Kind::kTimestampTz, -1, kText, 0).utc);
  EXPECT_FALSE(ChooseForm(Kind::kTimestamp, -1, kText, 0).utc);
  EXPECT_STREQ(ChooseForm(Kind::kUuid, -1, kText, 0).extension, "arrow.uuid");
  EXPECT_STREQ(ChooseForm(Kind::kJsonb, -1, kText, 0).extension, "arrow.json");
  EXPECT_EQ(ChooseForm(Kind::kText, -1, kText, 0).extension, nullptr);
}

struct Row {
  Kind kind;
  int32_t send_bytes;
  string value;
};

// Every row of the table: the kind, the bytes of the binary form, and a value to see it by.
std::map<string, Row> Rows() {
  std::map<string, Row> rows = {
      {"bool", {Kind::kBool, 1, "true"}},
      {"bytea", {Kind::kBytea, 0, "a"}},
      {"char", {Kind::kChar, 1, "x"}},
      {"name", {Kind::kName, 0, "a"}},
      {"int8", {Kind::kInt64, 8, "1"}},
      {"int2", {Kind::kInt16, 2, "1"}},
      {"int4", {Kind::kInt32, 4, "1"}},
      {"int2vector", {Kind::kOutput, 0, "1 2"}},
      {"oidvector", {Kind::kOutput, 0, "1 2"}},
      {"text", {Kind::kText, 0, "a"}},
      {"varchar", {Kind::kText, 0, "a"}},
      {"bpchar", {Kind::kText, 0, "a"}},
      {"json", {Kind::kJson, 0, "1"}},
      {"jsonb", {Kind::kJsonb, 0, "1"}},
      {"xml", {Kind::kXml, 0, "<a/>"}},
      {"float4", {Kind::kFloat32, 4, "1"}},
      {"float8", {Kind::kFloat64, 8, "1"}},
      {"money", {Kind::kMoney, 8, "1"}},
      {"date", {Kind::kDate, 4, "2026-01-01"}},
      {"time", {Kind::kTime, 8, "12:00"}},
      {"timetz", {Kind::kTimeTz, 12, "12:00+01"}},
      {"timestamp", {Kind::kTimestamp, 8, "2026-01-01"}},
      {"timestamptz", {Kind::kTimestampTz, 8, "2026-01-01"}},
      {"interval", {Kind::kInterval, 16, "1 day"}},
      {"numeric", {Kind::kNumeric, 0, "1"}},
      {"uuid", {Kind::kUuid, 16, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
      {"pg_lsn", {Kind::kUint64, 8, "0/1"}},
      {"xid8", {Kind::kUint64, 8, "1"}},
  };
  for (const char* name :
       {"oid", "xid", "cid", "regproc", "regprocedure", "regoper", "regoperator", "regclass", "regtype",
        "regconfig", "regdictionary", "regnamespace", "regrole", "regcollation"}) {
    rows[name] = {Kind::kUint32, 4, "1"};
  }
  return rows;
}

TEST(TypeTable, RowsAreThoseOfTheServer) {
  const std::map<string, Row> rows = Rows();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, test::PrivateServer::Create({.libraries = {}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto types,
      sql->Query(
          "SELECT oid, typname, typsend::text FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"));
  size_t found = 0;
  for (const test::SqlRow& type : types) {
    const string& name = *type[1];
    SCOPED_TRACE(name);
    const Type* const known = FindType(static_cast<uint32_t>(std::stoul(*type[0])));
    ASSERT_EQ(known != nullptr, rows.contains(name));
    if (known == nullptr) continue;
    ++found;
    const Row& row = rows.at(name);
    EXPECT_EQ(known->name, name);
    EXPECT_EQ(known->kind, row.kind);
    EXPECT_EQ(SendBytes(known->kind), row.send_bytes);
    if (row.send_bytes == 0) continue;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const string bytes,
                                  sql->Scalar("SELECT octet_length(" + *type[2] + "('" + row.value +
                                              "'::pg_catalog.\"" + name + "\"))"));
    EXPECT_EQ(bytes, std::to_string(row.send_bytes));
  }
  EXPECT_EQ(found, rows.size());
}

}  // namespace
}  // namespace arrowcdc::pgtype
