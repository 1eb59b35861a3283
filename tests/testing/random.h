// Choices that a seed makes: the same ones everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace arrowcdc::test {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  int Between(int first, int last) {
    return first + static_cast<int>(Below(static_cast<uint64_t>(last - first) + 1));
  }
  bool Percent(uint64_t percent) { return Below(100) < percent; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  std::string Hex(size_t digits) {
    std::string text;
    while (text.size() < digits) text += "0123456789abcdef"[Below(16)];
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace arrowcdc::test
