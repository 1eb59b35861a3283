// Values as PostgreSQL's send functions lay them out, for tests that write them by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace arrowcdc::test {

template <typename T>
std::string Be(T value) {
  std::string bytes;
  for (size_t i = sizeof(T); i-- > 0;) bytes += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return bytes;
}
inline std::string Be16(int64_t value) { return Be(static_cast<int16_t>(value)); }
inline std::string Be32(int64_t value) { return Be(static_cast<int32_t>(value)); }
inline std::string Be64(int64_t value) { return Be(value); }

using Part = std::optional<std::string>;

// Behind its length; -1: null.
inline std::string Sized(const Part& part) {
  return part.has_value() ? Be32(static_cast<int64_t>(part->size())) + *part : Be32(-1);
}

// array_send of one dimension.
inline std::string ArrayBytes(uint32_t type, const std::vector<Part>& elements, int32_t lower = 1) {
  bool has_nulls = false;
  for (const Part& element : elements) has_nulls = has_nulls || !element.has_value();
  std::string bytes = Be32(elements.empty() ? 0 : 1) + Be32(has_nulls ? 1 : 0) + Be32(type);
  if (!elements.empty()) bytes += Be32(static_cast<int64_t>(elements.size())) + Be32(lower);
  for (const Part& element : elements) bytes += Sized(element);
  return bytes;
}

// record_send.
inline std::string RecordBytes(const std::vector<std::pair<uint32_t, Part>>& attributes) {
  std::string bytes = Be32(static_cast<int64_t>(attributes.size()));
  for (const auto& [type, part] : attributes) bytes += Be32(type) + Sized(part);
  return bytes;
}

// numeric_send.
inline std::string NumericBytes(int64_t weight, uint16_t sign, int64_t display_scale,
                                const std::vector<int>& digits) {
  std::string bytes =
      Be16(static_cast<int64_t>(digits.size())) + Be16(weight) + Be(sign) + Be16(display_scale);
  for (const int digit : digits) bytes += Be16(digit);
  return bytes;
}

}  // namespace arrowcdc::test
