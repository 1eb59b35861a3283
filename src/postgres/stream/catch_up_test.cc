#include "src/postgres/stream/catch_up.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

TEST(SqlArguments, AreNamesAndValues) {
  EXPECT_EQ(SqlArguments(""), "");
  EXPECT_EQ(SqlArguments(R"(proto_version '1', publication_names '"a, b","it''s"', binary 'true')"),
            R"(, 'proto_version', '1', 'publication_names', '"a, b","it''s"', 'binary', 'true')");
  EXPECT_EQ(SqlArguments("publication_names '''', origin 'any'"),
            ", 'publication_names', '''', 'origin', 'any'");
  EXPECT_EQ(SqlArguments("empty ''"), ", 'empty', ''");
}

}  // namespace
}  // namespace arrowcdc::postgres
