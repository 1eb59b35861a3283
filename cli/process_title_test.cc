#include "cli/process_title.h"

#include <string>

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

std::string Hidden(std::string argument) {
  char program[] = "arrowcdc";
  char* argv[] = {program, argument.data(), nullptr};
  HidePasswords(2, argv);
  return argument.c_str();
}

TEST(HidePasswords, InConnectionStrings) {
  EXPECT_EQ(Hidden("host=h password=secret user=u"), "host=h password=xxxxxx user=u");
  EXPECT_EQ(Hidden("--source=password = 'se cr\\'et' user=u"), "--source=password = 'xxxxxxxxx' user=u");
  EXPECT_EQ(Hidden("postgresql://ann:secret@h:5432/db"), "postgresql://ann:xxxxxx@h:5432/db");
  EXPECT_EQ(Hidden("postgres://ann:p@ss@h/db?sslmode=require"), "postgres://ann:xxxx@h/db?sslmode=require");
  EXPECT_EQ(Hidden("postgresql://ann:se/cr?et@h/db"), "postgresql://ann:xxxxxxxx@h/db");
  EXPECT_EQ(Hidden("postgresql://h/db?user=ann&password=secret&connect_timeout=1"),
            "postgresql://h/db?user=ann&password=xxxxxx&connect_timeout=1");
}

TEST(HidePasswords, LeavesTheRestAlone) {
  for (const char* text :
       {"host=h:5 user=u", "postgresql://h:5432/db", "public.password_resets", "--tables", ""}) {
    EXPECT_EQ(Hidden(text), text);
  }
}

}  // namespace
}  // namespace arrowcdc::cli
