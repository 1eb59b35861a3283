// Events written byte by byte, for tests and the benchmark.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arrowcdc::mysql::test {

using Bytes = std::vector<uint8_t>;

class EventBytes {
 public:
  EventBytes& Number(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<uint8_t>(value >> 8 * i));
    return *this;
  }
  EventBytes& Byte(uint8_t value) { return Number(value, 1); }
  EventBytes& Add(const Bytes& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  EventBytes& Text(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  // With its length in a byte in front; shorter than 251.
  EventBytes& Packed(std::string_view text) { return Byte(static_cast<uint8_t>(text.size())).Text(text); }
  EventBytes& Packed(const Bytes& bytes) { return Byte(static_cast<uint8_t>(bytes.size())).Add(bytes); }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

struct MapBytes {
  uint64_t table_id = 7;
  std::string schema = "d";
  std::string table = "t";
  Bytes types = {};
  Bytes numbers = {};  // what goes with the types
  std::vector<std::string> names = {};
  Bytes signedness = {};
  Bytes collations = {};  // of the columns with text
  Bytes key = {};         // columns
  Bytes more = {};        // further fields, as they are
};

inline Bytes TableMapBody(const MapBytes& map) {
  EventBytes body;
  body.Number(map.table_id, 6).Number(1, 2).Packed(map.schema).Byte(0).Packed(map.table).Byte(0);
  body.Packed(map.types).Packed(map.numbers).Add(Bytes((map.types.size() + 7) / 8, 0xff));
  if (!map.signedness.empty()) body.Byte(1).Packed(map.signedness);
  if (!map.collations.empty()) body.Byte(3).Packed(map.collations);
  if (!map.names.empty()) {
    EventBytes names;
    for (const std::string& name : map.names) names.Packed(name);
    body.Byte(4).Packed(names.bytes());
  }
  if (!map.key.empty()) body.Byte(8).Packed(map.key);
  return body.Add(map.more).bytes();
}

// Of version 2, with all columns; `images`: as many as the event has.
inline Bytes RowsBody(uint64_t table_id, size_t columns, int images, const Bytes& rows, uint16_t flags = 1) {
  EventBytes body;
  body.Number(table_id, 6).Number(flags, 2).Number(2, 2).Byte(static_cast<uint8_t>(columns));
  for (int i = 0; i < images; ++i) body.Add(Bytes((columns + 7) / 8, 0xff));
  return body.Add(rows).bytes();
}

}  // namespace arrowcdc::mysql::test
