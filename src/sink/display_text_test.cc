// Widths by Unicode's East Asian Width and what is known of terminals; written by hand.
#include "src/sink/display_text.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(DisplayText, WideCharactersTakeTwoColumnsAndMarksNone) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("äöü"), 3u);
  EXPECT_EQ(DisplayWidth("日本語"), 6u);
  EXPECT_EQ(DisplayWidth("한글"), 4u);
  EXPECT_EQ(DisplayWidth("😀"), 2u);
  EXPECT_EQ(DisplayWidth("ｆ"), 2u);        // full-width f
  EXPECT_EQ(DisplayWidth("e\u0301"), 1u);   // e and a combining acute accent
  EXPECT_EQ(DisplayWidth("\xff\xc3"), 2u);  // bytes of no character
}

TEST(DisplayText, IsCutByColumnsNotByBytes) {
  EXPECT_EQ(CutToWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(CutToWidth("abcdef", 4), "abc…");
  EXPECT_EQ(CutToWidth("日本語", 6), "日本語");
  EXPECT_EQ(CutToWidth("日本語", 5), "日本…");
  EXPECT_EQ(CutToWidth("日本語", 4), "日…");
  EXPECT_EQ(CutToWidth("日本語", 1), "…");
  EXPECT_EQ(CutToWidth("abc", 0), "");
  EXPECT_EQ(CutToWidth("cafe\u0301s", 5), "cafe\u0301s");
  EXPECT_EQ(CutToWidth("cafe\u0301s", 4), "caf…");
}

TEST(DisplayText, NothingSteersATerminal) {
  EXPECT_EQ(ShownText("a\033[2J\a\rb"), "a\\u001b[2J\\u0007\\u000db");
  EXPECT_EQ(ShownText("\u009b31m"), "\\u009b31m");          // CSI as one character
  EXPECT_EQ(ShownText("\u202egpj.exe"), "\\u202egpj.exe");  // right to left from here
  EXPECT_EQ(ShownText("\u2066x\u2069"), "\\u2066x\\u2069");
  EXPECT_EQ(ShownText("\u2028"), "\\u2028");
  EXPECT_EQ(ShownText("\xc2"), "?");  // cut off
  EXPECT_EQ(ShownText("\x9b"
                      "31m"),
            "?31m");                                      // CSI as one byte
  EXPECT_EQ(ShownText("\xc0\x9b\xed\xa0\x80"), "?????");  // too long a form, a surrogate
  EXPECT_EQ(ShownText("Zoë 日本 😀 e\u0301"), "Zoë 日本 😀 e\u0301");
}

}  // namespace
}  // namespace arrowcdc
