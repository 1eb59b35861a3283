// Types that are made of others.
#include "tests/values/type_matrix.h"

namespace arrowcdc::test {

using arrow::field;
using arrow::TimeUnit;
using std::string;

namespace {

constexpr char kEmpty[] = "[null, null, false, false, true]";
constexpr char kInfinite[] = "[null, null, false, false, false]";

std::vector<Family> Ranges() {
  const auto ints = RangeOf(arrow::int32());
  return {
      {"int4range",
       ints,
       {{"'[-2147483648,2147483647)'", "[-2147483648, 2147483647, true, false, false]"},
        {"'empty'", kEmpty},
        {"'(,)'", kInfinite},
        {"'(1,5]'", "[2, 6, true, false, false]"},
        {"'(,7)'", "[null, 7, false, false, false]"}}},
      {"int8range",
       RangeOf(arrow::int64()),
       {{"'[1,9223372036854775807)'", "[1, 9223372036854775807, true, false, false]"},
        {"'[1,)'", "[1, null, true, false, false]"}}},
      {"numrange",
       RangeOf(arrow::utf8()),
       {{"'(1.50,Infinity]'", R"(["1.50", "Infinity", false, true, false])"},
        {"'empty'", kEmpty},
        {"'[-0.1,NaN]'", R"(["-0.1", "NaN", true, true, false])"}}},
      {.sql = "daterange",
       .type = RangeOf(arrow::date32()),
       .values = {{"'[1970-01-02,1970-01-05]'", "[1, 5, true, false, false]"},
                  {"'(,)'", kInfinite},
                  {"'empty'", kEmpty},
                  {"'[1970-01-02,infinity)'", kNoForm}},
       .always_has_form = false},
      {.sql = "tsrange",
       .type = RangeOf(arrow::timestamp(TimeUnit::MICRO)),
       .values = {{"'(1969-12-31 23:59:59.999999,1970-01-01]'", "[-1, 0, false, true, false]"},
                  {"'[infinity,]'", kNoForm}},
       .always_has_form = false},
      {.sql = "tstzrange",
       .type = RangeOf(arrow::timestamp(TimeUnit::MICRO, "UTC")),
       .values = {{"'[1970-01-01 02:00:00.000001+02,)'", "[1, null, true, false, false]"},
                  {"'[-infinity,)'", kNoForm}},
       .always_has_form = false},
      {"textrange",
       RangeOf(arrow::utf8()),
       {{R"($$["a,(""b","c\\]"]$$)", R"(["a,(\"b", "c\\]", true, true, false])"},
        {R"($$("",x)$$)", R"(["", "x", false, false, false])"}}},
      {"floatrange",
       RangeOf(arrow::float64()),
       {{"'(0.5,1e300]'", "[0.5, 1e300, false, true, false]"},
        {"'[,Infinity]'", "[null, Inf, false, true, false]"}}},
      {"int4multirange",
       arrow::list(ints),
       {{"'{}'", "[]"},
        {"'{(,)}'", string("[") + kInfinite + "]"},
        {"'{[1,3),[5,)}'", "[[1, 3, true, false, false], [5, null, true, false, false]]"}}},
      {.sql = "datemultirange",
       .type = arrow::list(RangeOf(arrow::date32())),
       .values = {{"'{[1970-01-02,1970-01-05)}'", "[[1, 4, true, false, false]]"},
                  {"'{}'", "[]"},
                  {"'{[1970-01-02,infinity)}'", kNoForm}},
       .always_has_form = false},
      {"textmultirange",
       arrow::list(RangeOf(arrow::utf8())),
       {{R"($${["a,}","b"],[c,d)}$$)",
         R"([["a,}", "b", true, true, false], ["c", "d", true, false, false]])"}}},
  };
}

std::vector<Family> Composites() {
  const auto pair = arrow::struct_({field("a", arrow::int32()), field("b c", arrow::utf8())});
  const auto outer = arrow::struct_({field("one", pair), field("more", arrow::list(pair)),
                                     field("price", arrow::decimal128(8, 3)),
                                     field("at", arrow::timestamp(TimeUnit::MICRO, "UTC")),
                                     field("id", arrow::fixed_size_binary(16)), field("doc", arrow::utf8())});
  const string q = R"(a "q" \ , ( ) { } ' )";
  const auto composite = [](const string& sql, const std::shared_ptr<arrow::DataType>& type,
                            std::vector<Value> values, const char* no_binary = nullptr) {
    return Family{.sql = sql,
                  .type = type,
                  .values = std::move(values),
                  .always_has_form = false,
                  .no_binary = no_binary};
  };
  return {
      composite("pair", pair,
                {{"ROW(-2147483648, '')", R"([-2147483648, ""])"},
                 {"ROW(NULL, NULL)", "[null, null]"},
                 {"ROW(1, 'x')", R"([1, "x"])"},
                 {"ROW(0, $$" + q + "$$)", "[0, " + JsonText(q) + "]"}}),
      composite("outer_type", outer,
                {{"ROW(ROW(1, $$" + q + "$$), ARRAY[ROW(2, $$" + q +
                      "$$)]::pair[], 1.5, '1970-01-01 00:00:01+00', '30313233-3435-3637-3839-616263646566', "
                      "'{\"k\": \"v\"}')",
                  "[[1, " + JsonText(q) + "], [[2, " + JsonText(q) +
                      R"(]], "1.500", 1000000, "0123456789abcdef", "{\"k\": \"v\"}"])"},
                 {"ROW(NULL, NULL, NULL, NULL, NULL, NULL)", "[null, null, null, null, null, null]"},
                 {"ROW(NULL, NULL, NULL, 'infinity', NULL, NULL)", kNoForm},
                 {"ROW(NULL, ARRAY[ARRAY[ROW(1, 'a')]]::pair[], NULL, NULL, NULL, NULL)", kNoForm}}),
      composite("row_of", arrow::struct_({field("n", arrow::int32()), field("spot", arrow::utf8())}),
                {{"ROW(3, '(1,2)')", R"x([3, "(1,2)"])x"}, {"ROW(NULL, NULL)", "[null, null]"}},
                "a part that the client cannot read in binary"),
      composite("nothing", arrow::struct_(arrow::FieldVector()), {{"ROW()", "{}"}}),
      composite("bag", arrow::struct_({field("h", arrow::map(arrow::utf8(), arrow::utf8()))}),
                {{R"x(ROW('"k,"=>"v)"'))x", R"x([[["k,", "v)"]]])x"}}),
  };
}

// Arrays of types that have families of their own are in each of those.
std::vector<Family> Others() {
  const auto map = arrow::map(arrow::utf8(), arrow::utf8());
  const auto whole = [](const string& sql, const std::shared_ptr<arrow::DataType>& type,
                        std::vector<Value> values) {
    return Family{
        .sql = sql, .type = type, .values = std::move(values), .always_has_form = false, .in_arrays = false};
  };
  return {
      {"hstore",
       map,
       {{"''", "[]"},
        {R"($$a=>1, "b c"=>NULL, "NULL"=>"NULL"$$)", R"([["a", "1"], ["b c", null], ["NULL", "NULL"]])"},
        {R"(hstore('q"\=>,', e'\t"\\é'))", R"([["q\"\\=>,", "\t\"\\é"]])"},
        {R"($$""=>""$$)", R"([["", ""]])"}}},
      whole("int4[]", arrow::list(arrow::int32()),
            {{"'{-2147483648,NULL,2147483647}'", "[-2147483648, null, 2147483647]"},
             {"'{}'", "[]"},
             {"'{NULL}'", "[null]"},
             {"'{{1,2},{3,NULL}}'", kNoForm},
             {"'[-1:0]={5,6}'", kNoForm},
             {"'{{{{{{1}}}}}}'", kNoForm}}),
      whole("text[]", arrow::list(arrow::utf8()),
            {{R"('{a,NULL,"","NULL","q\"\\{,}"}')", R"(["a", null, "", "NULL", "q\"\\{,}"])"}}),
      whole("lists", arrow::list(arrow::int32()), {{"'{1,2}'", "[1, 2]"}, {"'{{1},{2}}'", kNoForm}}),
      whole("lists[]", arrow::list(arrow::list(arrow::int32())),
            {{R"('{"{1,NULL}",NULL,"{}"}')", "[[1, null], null, []]"}, {R"('{"{{1}}"}')", kNoForm}}),
  };
}

}  // namespace

std::shared_ptr<arrow::DataType> RangeOf(const std::shared_ptr<arrow::DataType>& bound) {
  return arrow::struct_({field("lower", bound), field("upper", bound), field("lower_inc", arrow::boolean()),
                         field("upper_inc", arrow::boolean()), field("empty", arrow::boolean())});
}

std::vector<Family> NestedFamilies() {
  std::vector<Family> families = Ranges();
  for (auto* const more : {&Composites, &Others}) {
    for (Family& family : (*more)()) families.push_back(std::move(family));
  }
  return families;
}

}  // namespace arrowcdc::test
