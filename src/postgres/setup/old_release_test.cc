#include "src/postgres/setup/old_release.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

TEST(OldRelease, OfEachMajor) {
  for (const int fine : {150014, 150020, 160010, 160011, 170006, 180000, 180004, 190000})
    EXPECT_EQ(WarnOfRelease(fine), std::nullopt) << fine;
  for (const int loses : {150000, 150012, 160000, 160008, 170000, 170004})
    EXPECT_NE(WarnOfRelease(loses).value_or("").find("lose changes"), std::string::npos) << loses;
  for (const int waits : {150013, 160009, 170005})
    EXPECT_NE(WarnOfRelease(waits).value_or("").find("wait for ever"), std::string::npos) << waits;
  EXPECT_EQ(
      WarnOfRelease(170004),
      "the server is PostgreSQL 17.4: it can lose changes of a table that is altered or published beside "
      "an open transaction; upgrade it to 17.6 or later");
}

}  // namespace
}  // namespace arrowcdc::postgres
