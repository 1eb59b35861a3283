#include "cli/printable.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

TEST(Printable, NoControlCharacterComesThrough) {
  EXPECT_EQ(Printable("public.\"a\033[31m\r\tb\x7f\""), "public.\"a?[31m??b?\"");
  EXPECT_EQ(Printable("a\xc2\x9b"
                      "31m"),
            "a?31m")
      << "the one character for ESC [";
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(Printable("é ¢ € \xff"), "é ¢ € \xff");
}

TEST(Printable, ALineBreakBeginsNoLineOfItsOwn) {
  EXPECT_EQ(Printable("one\n2026-01-01 error: two", 4), "one\n    2026-01-01 error: two");
}

}  // namespace
}  // namespace arrowcdc::cli
