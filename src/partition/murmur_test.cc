#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/partition/murmur2.h"
#include "src/partition/murmur3.h"

namespace arrowcdc {
namespace {

uint32_t Three(const std::string& text, uint32_t seed = 0) {
  return Murmur3(reinterpret_cast<const uint8_t*>(text.data()), text.size(), seed);
}

int32_t Two(const std::string& text) {
  return static_cast<int32_t>(Murmur2(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

// Widely published vectors of MurmurHash3 x86_32: every length of the tail, and seeds.
TEST(Murmur3, PublishedVectors) {
  EXPECT_EQ(Three(""), 0u);
  EXPECT_EQ(Three("", 1), 0x514e28b7u);
  EXPECT_EQ(Three("", 0xffffffff), 0x81f16f39u);
  EXPECT_EQ(Three("\xff\xff\xff\xff"), 0x76293b50u);
  EXPECT_EQ(Three("\x21\x43\x65\x87"), 0xf55b516bu);
  EXPECT_EQ(Three("\x21\x43\x65\x87", 0x5082edee), 0x2362f9deu);
  EXPECT_EQ(Three("\x21\x43\x65"), 0x7e4a8634u);
  EXPECT_EQ(Three("\x21\x43"), 0xa0f7b07au);
  EXPECT_EQ(Three("\x21"), 0x72661cf4u);
  EXPECT_EQ(Three(std::string(4, '\0')), 0x2362f9deu);
  EXPECT_EQ(Three(std::string(3, '\0')), 0x85f0b427u);
  EXPECT_EQ(Three(std::string(2, '\0')), 0x30f4c306u);
  EXPECT_EQ(Three(std::string(1, '\0')), 0x514e28b7u);
  EXPECT_EQ(Three("Hello, world!", 1234), 0xfaf6cdb3u);
  EXPECT_EQ(Three("Hello, world!", 4321), 0xbf505788u);
  EXPECT_EQ(Three("xxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1234), 0x8905ac28u);
}

TEST(Murmur3, ALongIsItsEightBytes) {
  EXPECT_EQ(Murmur3Long(34), 2017239379u);
  EXPECT_EQ(Three(std::string("\x22\0\0\0\0\0\0\0", 8)), 2017239379u);
}

// The vectors of Kafka's own test of its murmur2.
TEST(Murmur2, KafkasVectors) {
  EXPECT_EQ(Two("21"), -973932308);
  EXPECT_EQ(Two("foobar"), -790332482);
  EXPECT_EQ(Two("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(Two("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(Two("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(Two("abc"), 479470107);
}

}  // namespace
}  // namespace arrowcdc
