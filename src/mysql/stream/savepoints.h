// The savepoints of a transaction, by names as the server compares them: `a` and `A` are one, and by its
// collation also `e` and `é`. No I/O.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace arrowcdc::mysql {

// Of letters beyond ASCII the server has rules of its own.
inline std::string InLowerCase(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

class Savepoints {
 public:
  // place: how much had come before.
  void Set(std::string name, uint64_t place) { points_.emplace_back(InLowerCase(std::move(name)), place); }
  // The place of the one that is rolled back to; what was set later is gone. nullopt: there is none, or which
  // one it is cannot be told.
  std::optional<uint64_t> RollBackTo(std::string name) {
    name = InLowerCase(std::move(name));
    while (!points_.empty()) {
      if (points_.back().first == name) return points_.back().second;
      if (!IsAscii(points_.back().first) || !IsAscii(name)) return std::nullopt;
      points_.pop_back();
    }
    return std::nullopt;
  }

 private:
  static bool IsAscii(const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  }

  std::vector<std::pair<std::string, uint64_t>> points_;
};

}  // namespace arrowcdc::mysql
