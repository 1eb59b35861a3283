#include "src/options/listen_address.h"

#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

TEST(ListenAddress, IsOfThisMachineUnlessToldOtherwise) {
  for (const auto& [typed, means] :
       {std::pair{"9187", "127.0.0.1:9187"}, std::pair{"localhost:0", "127.0.0.1:0"},
        std::pair{"127.0.0.1:65535", "127.0.0.1:65535"}, std::pair{"0.0.0.0:80", "0.0.0.0:80"},
        std::pair{"[::1]:9187", "[::1]:9187"}}) {
    const auto read = ParseListenAddress(typed);
    ASSERT_TRUE(read.ok()) << typed << read.status();
    EXPECT_EQ(ToString(*read), means);
  }
}

TEST(ListenAddress, WhatIsNoneIsRefused) {
  for (const char* typed : {"", ":", ":9187", "9187:", "65536", "-1", "db:9187", "::1:9187", "[::1]", "[::1",
                            "127.0.0.1", "127.0.0.1:9187 ", "1.2.3:80", "[127.0.0.1]:80", "*:80"}) {
    EXPECT_FALSE(ParseListenAddress(typed).ok()) << typed;
  }
}

}  // namespace
}  // namespace arrowcdc
