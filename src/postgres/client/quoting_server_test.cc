// Quoting against libpq's own functions and a real server: names and texts come back as they were.
#include "src/postgres/client/quoting.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <memory>

#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::postgres {
namespace {

using test::Server;

const std::u32string kCharacters = U"ab'\"\\;-/*$\n\t ,.E&ä€\U0001F600";

std::string Utf8(char32_t c) {
  const std::string_view encoded[] = {"ä", "€", "\U0001F600"};
  return std::string(c == U'ä' ? encoded[0] : c == U'€' ? encoded[1] : encoded[2]);
}

rc::Gen<std::string> Text(size_t least, size_t most) {
  return rc::gen::exec([least, most] {
    std::string text;
    const size_t length = *rc::gen::inRange<size_t>(least, most + 1);
    for (size_t i = 0; i < length; ++i) {
      const char32_t c = *rc::gen::elementOf(kCharacters);
      text += c < 128 ? std::string(1, static_cast<char>(c)) : Utf8(c);
    }
    return text;
  });
}

std::string FromLibpq(char* escaped) {
  const std::unique_ptr<char, decltype(&PQfreemem)> owner(escaped, PQfreemem);
  return escaped == nullptr ? "" : escaped;
}

// PQescapeLiteral puts a space in front of E; it means nothing.
std::string Trimmed(const std::string& text) { return text[0] == ' ' ? text.substr(1) : text; }

TEST(QuotingServer, AsLibpqAndBackFromTheServer) {
  auto connection = Server().Connect().ValueOrDie();
  PGconn* raw = connection->raw();
  EXPECT_TRUE(rc::check("SQL names and literals", [&] {
    const std::string text = *Text(0, 40);
    const std::string name = *Text(1, 15);  // at most 60 bytes: names are cut at 63
    RC_ASSERT(*QuoteLiteral(text) == Trimmed(FromLibpq(PQescapeLiteral(raw, text.data(), text.size()))));
    RC_ASSERT(*QuoteIdentifier(name) == FromLibpq(PQescapeIdentifier(raw, name.data(), name.size())));
    const auto rows = connection->Query("SELECT " + *QuoteLiteral(text) + " AS " + *QuoteIdentifier(name));
    RC_ASSERT(rows.ok());
    RC_ASSERT(*(*rows)[0][0] == text);
    const auto scalar =
        connection->Scalar("SELECT * FROM json_object_keys(row_to_json((SELECT r FROM (SELECT 1 AS " +
                           *QuoteIdentifier(name) + ") AS r)))");
    RC_ASSERT(scalar.ok());
    RC_ASSERT(*scalar == name);
  }));
}

TEST(QuotingServer, LiteralsMeanTheSameWithoutStandardStrings) {
  auto connection = Server().Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(connection->Exec("SET standard_conforming_strings = off; SET backslash_quote = on"));
  EXPECT_TRUE(rc::check("literals", [&] {
    const std::string text = *Text(0, 40);
    const auto rows = connection->Query("SELECT " + *QuoteLiteral(text));
    RC_ASSERT(rows.ok());
    RC_ASSERT(*(*rows)[0][0] == text);
  }));
}

}  // namespace
}  // namespace arrowcdc::postgres
