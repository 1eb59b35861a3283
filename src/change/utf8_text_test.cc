// Invalid bytes are written out, everything else is left as it is.
#include "src/change/utf8_text.h"

#include <gtest/gtest.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {
namespace {

TEST(Utf8Text, Escapes) {
  EXPECT_EQ(EscapeInvalidUtf8("caf\xc3\xa9 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(EscapeInvalidUtf8("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(EscapeInvalidUtf8("\xc3"), "\\xc3");                    // cut short
  EXPECT_EQ(EscapeInvalidUtf8("\xc0\xaf!"), "\\xc0\\xaf!");         // overlong
  EXPECT_EQ(EscapeInvalidUtf8("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(EscapeInvalidUtf8("a\xff\xc3\xa9\xfe"), "a\\xff\xc3\xa9\\xfe");
  EXPECT_EQ(EscapeInvalidUtf8(""), "");
}

TEST(Utf8Text, NamesOfTables) {
  EXPECT_EQ(ToString(TableName{"public", "caf\xe9"}), "public.\"caf\\xe9\"");
  EXPECT_EQ(ToString(TableName{"public", "users"}), "public.users");
}

TEST(Utf8Text, NamesWithoutAUtf8Form) {
  EXPECT_EQ(NameToUtf8("caf\xc3\xa9 \\"), "caf\xc3\xa9 \\");
  EXPECT_EQ(NameToUtf8("caf\xe9"),
            "\xef\xbf\xbd"
            "caf\\xe9");
  EXPECT_EQ(NameToUtf8("\xc3\xa9\\\xe9"), "\xef\xbf\xbd\\xc3\\xa9\\\\\\xe9");
  EXPECT_EQ(NameToUtf8("\xef\xbf\xbdx"), "\xef\xbf\xbd\\xef\\xbf\\xbdx");
}

}  // namespace
}  // namespace arrowcdc
