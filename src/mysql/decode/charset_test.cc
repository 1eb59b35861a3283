// Character sets by their collations, and text by its bytes. Expected: what MySQL's CONVERT gives, but where
// the text is wrong.
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "src/mysql/decode/charset.h"

namespace arrowcdc::mysql {
namespace {

std::optional<std::string> Convert(uint32_t collation, std::string_view text,
                                   Flavor flavor = Flavor::kMysql) {
  const Charset* const charset = FindCharset(collation, flavor);
  if (charset == nullptr) return "no charset";
  std::string utf8 = "what was there before";
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  if (!charset->ToUtf8({bytes, text.size()}, &utf8)) return std::nullopt;
  return utf8;
}

TEST(Charsets, OfCollations) {
  const struct {
    Flavor flavor;
    uint32_t collation;
    const char* name;
  } kKnown[] = {{Flavor::kMysql, 8, "latin1"},       {Flavor::kMysql, 45, "utf8mb4"},
                {Flavor::kMysql, 76, "utf8mb3"},     {Flavor::kMysql, 255, "utf8mb4"},
                {Flavor::kMysql, 323, "utf8mb4"},    {Flavor::kMariadb, 83, "utf8mb3"},
                {Flavor::kMariadb, 576, "utf8mb3"},  {Flavor::kMariadb, 608, "utf8mb4"},
                {Flavor::kMariadb, 640, "ucs2"},     {Flavor::kMariadb, 672, "utf16"},
                {Flavor::kMariadb, 736, "utf32"},    {Flavor::kMariadb, 1032, "latin1"},
                {Flavor::kMariadb, 1070, "utf8mb4"}, {Flavor::kMariadb, 1238, "utf8mb3"},
                {Flavor::kMariadb, 2048, "utf8mb3"}, {Flavor::kMariadb, 2304, "utf8mb4"},
                {Flavor::kMariadb, 2503, "utf8mb4"}, {Flavor::kMariadb, 2560, "ucs2"},
                {Flavor::kMariadb, 2816, "utf16"},   {Flavor::kMariadb, 3271, "utf32"}};
  for (const auto& [flavor, collation, name] : kKnown) {
    const Charset* const charset = FindCharset(collation, flavor);
    ASSERT_NE(charset, nullptr) << collation;
    EXPECT_STREQ(charset->name(), name) << collation;
    EXPECT_EQ(CharsetName(collation, flavor), name);
  }
  EXPECT_EQ(FindCharset(0, Flavor::kMysql), nullptr);
  EXPECT_EQ(FindCharset(1024, Flavor::kMysql), nullptr);
  EXPECT_EQ(FindCharset(5000, Flavor::kMariadb), nullptr);
}

TEST(Charsets, SingleBytes) {
  EXPECT_EQ(Convert(8, "a\xe4\x80\x81"), "aä€\xc2\x81");  // latin1 is cp1252, and its holes are bytes
  EXPECT_EQ(Convert(25, "\xe1\xfa"), "αϊ");               // greek
  EXPECT_EQ(Convert(25, "\xff"), std::nullopt);
  EXPECT_EQ(Convert(51, "\xcf\xf0"), "Пр");  // cp1251
  EXPECT_EQ(Convert(51, "\x98"), std::nullopt);
  EXPECT_EQ(Convert(10, "a[\\]{|}"), "aÄÖÅäöå");  // swe7
  EXPECT_EQ(Convert(10, "\x80"), std::nullopt);
  EXPECT_EQ(Convert(7, "\xf0"), "П");  // koi8r
  EXPECT_EQ(Convert(8, ""), "");
}

TEST(Charsets, WideOnes) {
  EXPECT_EQ(Convert(54, std::string_view("\0a\xd8\x3d\xdc\x4d", 6)), "a👍");  // utf16
  EXPECT_EQ(Convert(54, "\xd8\x3d"), std::nullopt);
  EXPECT_EQ(Convert(54, std::string_view("\xd8\x3d\0a", 4)), std::nullopt);
  EXPECT_EQ(Convert(54, "\xdc\x4d"), std::nullopt);
  EXPECT_EQ(Convert(54, "a"), std::nullopt);
  EXPECT_EQ(Convert(56, "\x3d\xd8\x4d\xdc"), "👍");                          // utf16le
  EXPECT_EQ(Convert(60, std::string_view("\0\x01\xf4\x4d", 4)), "👍");       // utf32
  EXPECT_EQ(Convert(60, std::string_view("\0\x11\0\0", 4)), std::nullopt);  // beyond Unicode
  EXPECT_EQ(Convert(35, std::string_view("\x4e\x2d", 2)), "中");            // ucs2
  EXPECT_EQ(Convert(35, std::string_view("\xd8\x3d\xdc\x4d", 4)), std::nullopt);
}

TEST(Charsets, ByIconv) {
  EXPECT_EQ(Convert(28,
                    "\xd6\xd0"
                    "a"),
            "中a");                                        // gbk
  EXPECT_EQ(Convert(24, "\xd6\xd0"), "中");                // gb2312
  EXPECT_EQ(Convert(19, "\xc7\xd1\x81\x41"), "한갂");      // euckr, with what cp949 adds
  EXPECT_EQ(Convert(95, "\x93\xfa\xb1\x87\x40"), "日ｱ①");  // cp932
  EXPECT_EQ(Convert(97, "\xc6\xfc"), "日");                // eucjpms
  EXPECT_EQ(Convert(28, "\xd6"), std::nullopt);            // half a character
  EXPECT_EQ(Convert(28, "\xff\xff"), std::nullopt);
  EXPECT_EQ(Convert(1, "a\xa4\xa4\xa1\x45z"), "a中•z");  // big5, its bullet where iconv has another
  EXPECT_EQ(Convert(1, "\xa1\x5a"), std::nullopt);       // MySQL has no character for it
  EXPECT_EQ(Convert(13, "\x93\xfa\x81\x60"), "日〜");    // sjis
  EXPECT_EQ(Convert(13, "\x87\x40"), std::nullopt);      // that is of cp932 alone
  EXPECT_EQ(Convert(12, "\xc6\xfc\xa1\xdd"), "日−");     // ujis
  EXPECT_EQ(Convert(248, "\xd6\xd0\x84\x31\x82\x36\x94\x39\xda\x33"), "中︐💩");  // gb18030
  EXPECT_EQ(Convert(248, "\x84\x31\x82"), std::nullopt);
  EXPECT_EQ(Convert(28, "\xd6\xd0"), "中");  // and the state of before is gone
}

}  // namespace
}  // namespace arrowcdc::mysql
