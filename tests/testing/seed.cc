#include "tests/testing/seed.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

namespace arrowcdc::test {
namespace {

class SeedPrinter : public ::testing::EmptyTestEventListener {
 public:
  explicit SeedPrinter(uint64_t seed) : seed_(seed) {}

 private:
  void OnTestEnd(const ::testing::TestInfo& info) override {
    if (info.result()->Failed()) {
      std::printf("replay with: ARROWCDC_TEST_SEED=%llu --gtest_filter=%s.%s\n",
                  static_cast<unsigned long long>(seed_), info.test_suite_name(), info.name());
    }
  }

  uint64_t seed_;
};

uint64_t ChooseSeed() {
  const char* given = std::getenv("ARROWCDC_TEST_SEED");
  uint64_t seed = 0;
  if (given != nullptr && *given != '\0') {
    seed = std::strtoull(given, nullptr, 10);
  } else {
    std::random_device device;
    seed = (static_cast<uint64_t>(device()) << 32) | device();
  }
  // Owned by gtest from here on.
  ::testing::UnitTest::GetInstance()->listeners().Append(new SeedPrinter(seed));
  return seed;
}

}  // namespace

uint64_t Seed() {
  static const uint64_t seed = ChooseSeed();
  return seed;
}

}  // namespace arrowcdc::test
