#include "arrowcdc/secrets.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(LooksLikeConninfo, KnowsUrisKeywordsAndUsersWithPasswords) {
  for (const char* text :
       {"postgresql://ann:secret@h/db", "postgres://h", "mysql://h", "password=secret", "host = h",
        "x user=u", "'sslmode=require'", "ann:secret@h", "ann:se@cret@h/db", "keepalives_idle=3"}) {
    EXPECT_TRUE(LooksLikeConninfo(text)) << text;
  }
}

TEST(LooksLikeConninfo, LeavesNamesAndPatternsAlone) {
  for (const char* text : {"public.*", "public.user_[0-9]+", "!public.audit_*", "\"a=b\".\"c d\"", "cdc",
                           "16/B374D848", "20s", "public.a@b", "", "=", "public.\"x user\"", "a.b{2,3}"}) {
    EXPECT_FALSE(LooksLikeConninfo(text)) << text;
  }
}

TEST(Shown, HidesWhatMayBeAPartOfAConnectionString) {
  EXPECT_EQ(Shown("public.users"), "\"public.users\"");
  EXPECT_EQ(Shown("public.password_resets"), "\"public.password_resets\"");
  for (const char* text : {"ss@host", "word=x", "postgresql://h"}) {
    EXPECT_EQ(Shown(text).find(text), std::string::npos) << text;
  }
  EXPECT_EQ(Shown(std::string(300, 'x')).size(), 205u);
}

}  // namespace
}  // namespace arrowcdc
