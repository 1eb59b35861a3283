// Quoting against readers of the two grammars written for this test: what is quoted is read back and nothing
// is left over.
#include "src/postgres/client/quoting.h"

#include <gtest/gtest.h>
#include <optional>
#include <random>

#include "arrowcdc/error.h"
#include "tests/testing/seed.h"

namespace arrowcdc::postgres {
namespace {

// Reads one token in `quote` as repl_scanner.l does: doubled quotes are one, everything else is itself.
std::optional<std::string> ReadReplicationToken(const std::string& text, char quote) {
  if (text.empty() || text[0] != quote) return std::nullopt;
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) {
      value += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == quote) {
      value += quote;
      ++i;
    } else {
      return i + 1 == text.size() ? std::optional(value) : std::nullopt;
    }
  }
  return std::nullopt;
}

TEST(Quoting, Examples) {
  EXPECT_EQ(*QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(*QuoteLiteral("it's"), "'it''s'");
  EXPECT_EQ(*QuoteLiteral("a\\'b"), "E'a\\\\''b'");
  EXPECT_EQ(*QuoteQualified("My.Schema", "t"), "\"My.Schema\".\"t\"");
  EXPECT_EQ(*QuoteReplicationLiteral("a\\'b"), "'a\\''b'");
  EXPECT_EQ(*JoinIdentifiers({"a", "B,\"c"}), "\"a\",\"B,\"\"c\"");
  EXPECT_EQ(*QuoteLiteral(""), "''");
}

TEST(Quoting, RefusesWhatIsNoName) {
  for (const std::string& bad :
       {std::string(), std::string("a\0b", 3), std::string("\xff"), std::string("a\xc0'")}) {
    EXPECT_EQ(GetErrorDetail(QuoteIdentifier(bad).status())->kind(), ErrorKind::kInvalidOption);
    EXPECT_FALSE(QuoteReplicationIdentifier(bad).ok());
    EXPECT_EQ(QuoteLiteral(bad).ok(), bad.empty());
    EXPECT_EQ(QuoteReplicationLiteral(bad).ok(), bad.empty());
  }
}

TEST(Quoting, SlotNames) {
  for (const char* good : {"a", "1", "_", "arrowcdc_2", "abcdefghijklmnopqrstuvwxyz_0123456789"}) {
    EXPECT_TRUE(CheckSlotName(good).ok()) << good;
  }
  const std::string too_long(64, 'a');
  for (const std::string& bad : {std::string(), std::string("A"), std::string("a-b"), std::string("a\"b"),
                                 std::string("ä"), std::string("a\n"), too_long}) {
    EXPECT_EQ(GetErrorDetail(CheckSlotName(bad))->kind(), ErrorKind::kInvalidOption) << bad;
  }
  EXPECT_TRUE(CheckSlotName(std::string(63, 'a')).ok());
}

TEST(QuotingProperty, ReplicationGrammarRoundTrip) {
  // Bytes that mean something to one of the grammars come often.
  const std::string alphabet = "''''\"\"\"\"\\\\;-/*$\n\r\t\x01 ,.EeUuaZ09&\x7f";
  std::mt19937_64 random(test::Seed());
#ifdef __SANITIZE_ADDRESS__
  const int rounds = 50'000;
#else
  const int rounds = 1'000'000;
#endif
  for (int i = 0; i < rounds; ++i) {
    std::string text(random() % 24, '\0');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    ASSERT_EQ(ReadReplicationToken(*QuoteReplicationLiteral(text), '\''), text);
    text += 'x';  // names are not empty
    ASSERT_EQ(ReadReplicationToken(*QuoteReplicationIdentifier(text), '"'), text);
  }
}

}  // namespace
}  // namespace arrowcdc::postgres
