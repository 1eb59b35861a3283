// Every character of every character set that a server has, against what its own CONVERT makes of it.
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/mysql/decode/charset.h"
#include "src/mysql/testing/batches.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql::test {
namespace {

std::string Unhex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

class MysqlCharsets : public MysqlSource {
 protected:
  // 0 to 65,535.
  void MakeNumbers() {
    std::string digits = "INSERT INTO shop.digits VALUES (0)";
    for (int i = 1; i < 16; ++i) digits += ", (" + std::to_string(i) + ")";
    ARROWCDC_ASSERT_OK(server_->Run(
        {"CREATE TABLE shop.digits (n INT PRIMARY KEY)", digits,
         "CREATE TABLE shop.numbers (n INT PRIMARY KEY)",
         "INSERT INTO shop.numbers SELECT a.n + 16 * b.n + 256 * c.n + 4096 * d.n FROM shop.digits a, "
         "shop.digits b, shop.digits c, shop.digits d"}));
  }

  std::optional<std::string> Ours(const std::string& text) const {
    std::string utf8;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
    if (!charset_->ToUtf8({bytes, text.size()}, &utf8)) return std::nullopt;
    return utf8;
  }

  // `expression`: bytes of text, of a number n; `where`: which numbers. As characters they are to be what the
  // server says, or none where it changes them, has a question mark for them, or U+FFFD.
  void Compare(const std::string& name, const std::string& expression, const std::string& where) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const Rows rows,
        server_->Query(
            "SELECT HEX(x), HEX(y), HEX(CONVERT(y USING utf8mb4)) FROM (SELECT x, CONVERT(x USING " + name +
            ") AS y FROM (SELECT " + expression + " AS x FROM shop.numbers WHERE " + where + ") AS a) AS b"));
    for (const auto& row : rows) {
      if (!row[0].has_value()) continue;
      const std::string text = Unhex(*row[0]);
      std::optional<std::string> expected;
      if (row[1] == row[0] && row[2].has_value()) expected = Unhex(*row[2]);
      if (expected.has_value() &&
          (expected->empty() || (text != "?" && !unicode_ &&
                                 (expected->find('?') != std::string::npos ||
                                  expected->find("\xef\xbf\xbd") != std::string::npos)))) {
        expected.reset();
      }
      const std::optional<std::string> ours = Ours(text);
      if (ours == expected) {
        compared_ += expected.has_value() ? 1 : 0;
        continue;
      }
      ADD_FAILURE() << name << " " << *row[0] << ": the server has " << row[2].value_or("nothing")
                    << ", we have " << ours.value_or("nothing");
      if (++wrong_ > 20) return;
    }
  }

  const Charset* charset_ = nullptr;
  bool unicode_ = false;  // it has each character, so a question mark is one
  int64_t compared_ = 0;
  int wrong_ = 0;
};

INSTANTIATE_TEST_SUITE_P(All, MysqlCharsets, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlCharsets, EachCharacterIsWhatTheServerSays) {
  StartServer();
  MakeNumbers();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const Rows sets,
      server_->Query(
          "SELECT s.character_set_name, s.maxlen, (SELECT MIN(c.id) FROM "
          "information_schema.collations c WHERE c.character_set_name = s.character_set_name) FROM "
          "information_schema.character_sets s WHERE s.character_set_name <> 'binary'"));
  ASSERT_GE(sets.size(), 39u);
  for (const auto& row : sets) {
    const std::string name = *row[0];
    const int bytes_max = std::stoi(*row[1]);
    const auto collation = static_cast<uint32_t>(std::stoi(*row[2]));
    SCOPED_TRACE(name);
    charset_ = FindCharset(collation, GetParam());
    ASSERT_NE(charset_, nullptr);
    EXPECT_EQ(charset_->name(), name);
    // Its text is checked as UTF-8 where it is read.
    if (charset_->is_utf8()) continue;
    const bool utf = name.starts_with("u") && name != "ujis";
    unicode_ = utf || name == "gb18030";
    compared_ = 0;
    if (unicode_) {
      for (const int plane : {0, 1, 16}) {
        if (bytes_max == 2 && plane > 0) break;
        const std::string code = std::to_string(plane) + " * 65536 + n";
        Compare(name,
                "CONVERT(CONVERT(UNHEX(LPAD(HEX(" + code + "), 8, '0')) USING utf32) USING " + name + ")",
                plane == 0 ? "n NOT BETWEEN 55296 AND 57343" : "true");
      }
    } else {
      Compare(name, "UNHEX(LPAD(HEX(n), 2, '0'))", "n < 256");
    }
    if (!utf && bytes_max > 1) Compare(name, "UNHEX(HEX(n))", "n >= 32768 AND n % 256 <> 63");
    if (!utf && bytes_max == 3) Compare(name, "UNHEX(CONCAT('8F', HEX(n)))", "n >= 41120 AND n % 256 <> 63");
    EXPECT_GE(compared_, name == "swe7" ? 120 : unicode_ ? 60'000 : 150) << "hardly anything was compared";
    EXPECT_TRUE(bytes_max == 1 || compared_ > 6'000) << compared_;
  }
}

// Text that is no character of its set is not bent, neither in the stream nor in the copy: MySQL would send a
// question mark for it.
TEST_P(MysqlCharsets, WhatIsNoCharacterIsMarked) {
  StartServer();
  const char* const kNone = "x'8740'";  // NEC's circled one: of cp932, and not of sjis
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.words (id INT PRIMARY KEY, w VARCHAR(9) CHARACTER SET sjis, g VARCHAR(9) CHARACTER "
       "SET "
       "big5, t TINYTEXT CHARACTER SET latin1)",
       "INSERT INTO shop.words VALUES (1, CONVERT(x'93fa8160' USING sjis), CONVERT(x'a145' USING big5), "
       "CONVERT(x'80' USING latin1))",
       std::string("INSERT IGNORE INTO shop.words VALUES (2, CONVERT(") + kNone +
           " USING sjis), CONVERT(x'a15a' USING big5), 'x')"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows stored,
                                server_->Query("SELECT HEX(w) FROM shop.words WHERE id = 2"));
  ASSERT_EQ(stored[0][0], "8740") << "the server stores it as it is";
  const std::vector<std::string> expected = {"1, 日〜, •, €", "2, null, null, x unrepresentable: w g"};
  MysqlOptions options;
  options.url = server_->url();
  options.tables = {"shop.words"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, ValueLines(Streamed(options), "words"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto copied, ValueLines(Copied(options), "words"));
  EXPECT_EQ(streamed, expected);
  EXPECT_EQ(copied, expected);
}

}  // namespace
}  // namespace arrowcdc::mysql::test
