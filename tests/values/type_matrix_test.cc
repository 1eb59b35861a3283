// Every family in every way; those of extensions that are not PostgreSQL's own where they are installed
// (tools/extensions.sh).
#include <arrow/array.h>
#include <arrow/json/from_string.h>

#include "tests/testing/assert_ok.h"
#include "tests/values/type_matrix.h"

namespace arrowcdc::test {
namespace {

using arrow::field;
using std::string;

TEST_F(TypeMatrix, EveryFamilyInEveryWay) {
  std::vector<Family> families = ScalarFamilies();
  for (auto* const more : {&TextFamilies, &NestedFamilies}) {
    for (Family& family : (*more)()) families.push_back(std::move(family));
  }
  ASSERT_GE(families.size(), 60u);
  Run(families, kFamilyTypes);
  EXPECT_GE(cells(), 1500);
}

class ExtensionTypes : public TypeMatrix {
 protected:
  // Whether the server has it.
  static bool Has(const string& extension) {
    const auto connection = SharedServer().Connect().ValueOrDie();
    return connection->Scalar("SELECT count(*) FROM pg_available_extensions WHERE name = '" + extension + "'")
               .ValueOr("") == "1";
  }
};

TEST_F(ExtensionTypes, Vectors) {
  if (!Has("vector")) GTEST_SKIP() << "pgvector is not installed";
  const auto element = field("item", arrow::float32());
  Run({{.sql = "vector(3)",
        .type = arrow::fixed_size_list(element, 3),
        .values = {{"'[1,-2.5,1e-30]'", "[1, -2.5, 1e-30]"},
                   {"'[-3.4028235e38,0,3.4028235e38]'", "[-3.4028235e38, 0, 3.4028235e38]"}},
        .always_has_form = false},
       {"vector", arrow::list(element), {{"'[0.1]'", "[0.1]"}, {"'[1,2]'", "[1, 2]"}}},
       {.sql = "halfvec(2)",
        .type = arrow::fixed_size_list(element, 2),
        .values = {{"'[1.5,6.1035156e-05]'", "[1.5, 0.000061035156]"},
                   {"'[65504,-65504]'", "[65504, -65504]"},
                   {"'[5.9604645e-08,0]'", "[5.9604645e-08, 0]"}},
        .always_has_form = false},
       {"halfvec", arrow::list(element), {{"'[0.5,0.25]'", "[0.5, 0.25]"}}},
       {.sql = "sparsevec",
        .type = arrow::utf8(),
        .values = {Same("{1:1.5,3:-2}/5"), Same("{}/3")},
        .no_binary = "a type that the client cannot read in binary"}},
      "CREATE EXTENSION vector;");
}

// What is expected is PostGIS's own ISO WKB.
TEST_F(ExtensionTypes, Geometries) {
  if (!Has("postgis")) GTEST_SKIP() << "PostGIS is not installed";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto admin, SharedServer().Connect());
  ARROWCDC_ASSERT_OK(admin->Exec("CREATE DATABASE wkb"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect("wkb"));
  ARROWCDC_ASSERT_OK(connection->Exec("CREATE EXTENSION postgis"));
  // ST_AsBinary leaves out the reference system, which the value keeps where the column has another: EWKB.
  const auto value = [&](const string& literal, const string& function) {
    const string hex =
        connection->Scalar("SELECT encode(" + function + "(" + literal + "::geometry, 'NDR'), 'hex')")
            .ValueOrDie();
    return Value{literal, "\"" + hex + "\""};
  };
  std::vector<Value> plain;
  for (const char* const text :
       {"POINT EMPTY", "POINT(1 2)", "POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT ZM (-1e300 2 3 4)",
        "LINESTRING(1 2, 3 4)", "POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))", "MULTIPOINT(1 2, 3 4)",
        "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))", "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))",
        "GEOMETRYCOLLECTION(POINT(1 2), GEOMETRYCOLLECTION(LINESTRING(1 2, 3 4)))",
        "GEOMETRYCOLLECTION EMPTY", "CIRCULARSTRING(0 0, 1 1, 2 0)", "COMPOUNDCURVE((0 0, 1 1), (1 1, 2 2))",
        "CURVEPOLYGON((0 0, 1 0, 1 1, 0 0))", "TRIANGLE((0 0, 1 0, 1 1, 0 0))",
        "TIN(((0 0, 1 0, 1 1, 0 0)))"}) {
    plain.push_back(value("'" + string(text) + "'", "ST_AsBinary"));
  }
  plain.push_back(value("'SRID=3857;POINT(1 2)'", "ST_AsEWKB"));
  const std::vector<Value> with_z = {value("'SRID=4326;POINT Z (1 2 3)'", "ST_AsBinary"),
                                     value("'SRID=4326;LINESTRING Z (1 2 3, 4 5 6)'", "ST_AsBinary")};
  const auto bytes = [](const string& sql, std::vector<Value> values) {
    return Family{.sql = sql, .type = arrow::binary(), .values = std::move(values), .in_hex = true};
  };
  Run({bytes("geometry", plain), bytes("geometry(GeometryZ, 4326)", with_z),
       bytes("geography", {value("'SRID=4326;POINT(1 2)'", "ST_AsEWKB")}),
       bytes("geography(Point, 4326)", {value("'SRID=4326;POINT(-180 90)'", "ST_AsBinary")})},
      "CREATE EXTENSION postgis;");
  ARROWCDC_EXPECT_OK(admin->Exec("DROP DATABASE wkb WITH (FORCE)"));
}

// The same server, with another currency.
TEST_F(TypeMatrix, MoneyDigits) {
  ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (id int, m money)"));
  ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO t VALUES (1, '-92233720368547758.08'), (2, 1)"));
  for (const ValueForm form : {ValueForm::kText, ValueForm::kBinary}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, Select(form));
    const auto wanted =
        arrow::json::ArrayFromJSONString(arrow::decimal128(19, 2), R"(["-92233720368547758.08", "1.00"])")
            .ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*batch.rows->column(1))) << batch.rows->column(1)->ToString();
  }
}

}  // namespace
}  // namespace arrowcdc::test
