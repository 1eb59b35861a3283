// Types that are text, bytes, or the text of their output function.
#include "tests/values/type_matrix.h"

namespace arrowcdc::test {

using std::string;

namespace {

constexpr char kNotRead[] = "a type that the client cannot read in binary";
constexpr char kNoSend[] = "a type without a send function";

std::vector<Family> Text() {
  const string q = R"(a "q" \ , ( ) { } ' )";
  return {
      {"text", arrow::utf8(), {Same(""), Same("hé €😀"), Same(string(3000, 'x')), Same("NULL"), Same(q)}},
      {"varchar(3)", arrow::utf8(), {Same(""), Same("abc"), Same("é€😀")}},
      {"char(5)", arrow::utf8(), {{"''", R"("     ")"}, {"'abcde'", R"("abcde")"}, {"'ab'", R"("ab   ")"}}},
      {"name", arrow::utf8(), {Same(""), Same(string(63, 'n')), Same("a name")}},
      {"citext", arrow::utf8(), {Same(""), Same("As It Is")}},
      {"xml",
       arrow::utf8(),
       {Same("<a>1</a>"), {"'<?xml version=\"1.0\" encoding=\"utf-8\"?><b/>'", "\"<b/>\""}}},
      {"json", arrow::utf8(), {Same("{\"a\": 1,  \"a\":2}"), Same("null"), Same("1e1000")}},
      {"jsonb",
       arrow::utf8(),
       {{"'[]'", "\"[]\""},
        {"'null'", "\"null\""},
        {R"('{"b":[1, -2.50,{"c":"\t\"\\é"}],"a":true,"z":null}')",
         JsonText(R"({"a": true, "b": [1, -2.50, {"c": "\t\"\\é"}], "z": null})")},
        {"'1e30'", "\"1" + string(30, '0') + "\""}}},
      {"jsonpath", arrow::utf8(), {Same("$.\"a\"[*]?(@ > 1)"), Same("$")}},
      {.sql = "bytea",
       .type = arrow::binary(),
       .values = {{"''", "\"\""}, {"'\\x00ff4100'", "\"00ff4100\""}},
       .in_hex = true},
      {"uuid",
       arrow::fixed_size_binary(16),
       {{"'00000000-0000-0000-0000-000000000000'",
         R"("\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000")"},
        {"'30313233-3435-3637-3839-616263646566'", "\"0123456789abcdef\""}}},
      {"mood", arrow::utf8(), {Same("sad"), Same("a\"b"), Same("ok")}},
      {"low_price",
       arrow::decimal128(8, 3),
       {{"'-99999.999'", "\"-99999.999\""}, {"'9.999'", "\"9.999\""}, {"'NaN'", kNoForm}},
       /*always_has_form=*/false},
  };
}

// What they are in binary is another thing.
std::vector<Family> OutputText() {
  return {
      {"inet",
       arrow::utf8(),
       {Same("0.0.0.0/0"), Same("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Same("10.0.0.1/8"),
        Same("255.255.255.255"), Same("::/0"), Same("::1"), Same("::1.2.3.4"), Same("::ffff:1.2.3.4/100"),
        Same("2001:db8::1:0:0:1"), Same("1:2:3:4:5:6:7:8"), Same("fe80::"), Same("0:0:1::"),
        Same("1:0:2::3:4:5"), Same("::2:3:4:5:6:7")}},
      {"cidr",
       arrow::utf8(),
       {Same("0.0.0.0/0"), Same("::1/128"), Same("10.0.0.0/8"), Same("10.0.0.1/32"), Same("2001:db8::/32")}},
      {"macaddr",
       arrow::utf8(),
       {Same("00:00:00:00:00:00"), Same("ff:ff:ff:ff:ff:ff"), Same("08:00:2b:01:02:03")}},
      {"macaddr8",
       arrow::utf8(),
       {Same("00:00:00:00:00:00:00:00"), Same("ff:ff:ff:ff:ff:ff:ff:ff"), Same("08:00:2b:01:02:03:04:ff")}},
      {"bit(3)", arrow::utf8(), {Same("000"), Same("111"), Same("101")}},
      {"varbit", arrow::utf8(), {Same(""), Same(string(100, '1')), Same("0000000001")}},
      {"tid", arrow::utf8(), {Same("(0,0)"), Same("(4294967295,65535)")}},
      {"tsvector",
       arrow::utf8(),
       {Same(""), Same("'a':1A,2B,3C,4 'it''s' 'q\\\\b':16383"), Same("'a':1 'b':2")}},
      {"int2vector", arrow::utf8(), {Same(""), Same("1 -2 32767")}},
      {"oidvector", arrow::utf8(), {Same(""), Same("4294967295 1")}},
      {"ltree", arrow::utf8(), {Same(""), Same("Top.Science")}},
  };
}

Family NotRead(const string& sql, std::vector<Value> values, const char* why = kNotRead) {
  return {.sql = sql, .type = arrow::utf8(), .values = std::move(values), .no_binary = why};
}

std::vector<Family> Unknown() {
  return {
      NotRead("point", {Same("(-1e+300,1e-300)"), Same("(0.1,1e+300)")}),
      NotRead("lseg", {Same("[(0,0),(1,1)]")}),
      NotRead("box", {Same("(1,2),(0,0)")}),
      NotRead("path", {Same("((0,0),(1,1))"), Same("[(0,0),(1,1)]")}),
      NotRead("polygon", {Same("((0,0),(1,1),(2,0))")}),
      NotRead("circle", {Same("<(0,0),1.5>")}),
      NotRead("line", {Same("{1,-1,0}")}),
      NotRead("tsquery", {Same("'a' & !'b'"), Same("")}),
      NotRead("pg_snapshot", {Same("10:20:10,14,15"), Same("1:1:")}),
      NotRead("aclitem", {Same("postgres=r*w/postgres"), Same("=r/postgres")}, kNoSend),
      NotRead("cube", {Same("(1, 2)"), Same("(0),(1)")}),
      NotRead("isbn13", {Same("978-0-11-000222-4")}),
      NotRead("words", {Same("as stored"), Same("")}, kNoSend),
      NotRead("bits", {Same("as printed")}, kNoSend),
  };
}

}  // namespace

const char* const kFamilyTypes =
    "CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION isn;"
    "CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'ok', 'a\"b');"
    "CREATE DOMAIN price AS numeric(8,3); CREATE DOMAIN low_price AS price CHECK (value < 10 OR value = "
    "'NaN');"
    // Types of a user's: one as citext is made but without a binary form; one that stores something else.
    "CREATE TYPE words;"
    "CREATE FUNCTION words_in(cstring) RETURNS words LANGUAGE internal STRICT IMMUTABLE AS 'textin';"
    "CREATE FUNCTION words_out(words) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';"
    "CREATE TYPE words (input = words_in, output = words_out, internallength = variable);"
    "CREATE TYPE bits;"
    "CREATE FUNCTION bits_in(cstring) RETURNS bits LANGUAGE internal STRICT IMMUTABLE AS 'namein';"
    "CREATE FUNCTION bits_out(bits) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'nameout';"
    "CREATE TYPE bits (input = bits_in, output = bits_out, internallength = 64, alignment = char);"
    "CREATE TYPE textrange AS RANGE (subtype = text); CREATE TYPE floatrange AS RANGE (subtype = float8);"
    "CREATE TYPE pair AS (a int, \"b c\" text);"
    "CREATE TYPE outer_type AS (one pair, gone int, more pair[], price numeric(8,3), at timestamptz, id "
    "uuid, "
    "doc jsonb); ALTER TYPE outer_type DROP ATTRIBUTE gone;"
    "CREATE TABLE row_of (n int, spot point); CREATE TYPE nothing AS (); CREATE TYPE bag AS (h hstore);"
    "CREATE DOMAIN lists AS int[];";

std::vector<Family> TextFamilies() {
  std::vector<Family> families = Text();
  for (auto* const more : {&OutputText, &Unknown}) {
    for (Family& family : (*more)()) families.push_back(std::move(family));
  }
  return families;
}

string JsonText(const string& text) {
  string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + '"';
}

Value Same(const string& text) { return {"$q$" + text + "$q$", JsonText(text)}; }

}  // namespace arrowcdc::test
