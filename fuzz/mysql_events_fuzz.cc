// Fuzz target: events of a binlog, all but rows -> what they say; table maps -> columns and their schema.
// What comes out must be a typed error, or what stays in its bounds.
//
// Input: the flavor (1 byte), then for each event its type (1 byte), the length of its body (4 bytes,
// little-endian), and the body.
#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fuzz/require.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/event.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/table_rows.h"

namespace {

using namespace arrowcdc;         // NOLINT
using namespace arrowcdc::mysql;  // NOLINT

template <typename T>
void Check(const arrow::Result<T>& result) {
  if (!result.ok()) CheckError(result.status());
}

bool IsWithin(std::string_view text, std::span<const uint8_t> body) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(text.data());
  return text.empty() || (begin >= body.data() && begin + text.size() <= body.data() + body.size());
}

void CheckTableMap(std::span<const uint8_t> body, Flavor flavor) {
  const auto head = ReadTableMapHead(body);
  if (!head.ok()) CheckError(head.status());
  if (head.ok()) Require(head->columns_at <= body.size());
  const auto map = ReadTableMap(body, flavor);
  if (!map.ok()) return CheckError(map.status());
  Require(head.ok() && map->name == head->name && map->columns.size() <= 8 * body.size());
  const auto schema = SchemaOf(*map, {flavor, (map->columns.size() & 1) != 0});
  if (!schema.ok()) return CheckError(schema.status());
  Require((*schema)->column_count == static_cast<int>(map->columns.size()));
}

void Take(const BinlogEvent& event, Flavor flavor) {
  switch (event.header.type) {
    case EventType::kTableMap:
      return CheckTableMap(event.body, flavor);
    case EventType::kRotate:
      return Check(ReadRotate(event.body));
    case EventType::kGtid:
    case EventType::kGtidTagged:
    case EventType::kAnonymousGtid:
    case EventType::kMariadbGtid:
      return Check(ReadGtid(event));
    case EventType::kGtidList:
      return Check(ReadGtidList(event.body));
    case EventType::kQuery:
    case EventType::kExecuteLoadQuery: {
      const auto query = ReadQuery(event);
      if (!query.ok()) return CheckError(query.status());
      return Require(IsWithin(query->text, event.body) && IsWithin(query->schema, event.body));
    }
    case EventType::kXaPrepare:
      return Check(ReadXaPrepare(event.body));
    case EventType::kHeartbeat:
    case EventType::kHeartbeatV2:
      return Check(ReadHeartbeat(event));
    case EventType::kFormatDescription:
      return Check(ReadServerVersion(event.body));
    default:
      return;
  }
}

// The event as it would come on a connection without checksums.
void TakePacket(uint8_t type, std::span<const uint8_t> body) {
  std::vector<uint8_t> packet(kEventHeaderBytes);
  packet[4] = type;
  const auto size = static_cast<uint32_t>(kEventHeaderBytes + body.size());
  for (size_t i = 0; i < 4; ++i) packet[9 + i] = static_cast<uint8_t>(size >> 8 * i);
  packet.insert(packet.end(), body.begin(), body.end());
  packet.shrink_to_fit();
  EventReader reader;
  const auto event = reader.Read(packet);
  if (!event.ok()) return CheckError(event.status());
  Require(IsWithin(AsText(event->body), packet));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ByteCursor cursor({data, bytes});
  uint8_t flavor;
  if (!cursor.Read<1>(&flavor)) return 0;
  uint8_t type;
  uint32_t size;
  while (cursor.Read<1>(&type) && cursor.Read<4>(&size)) {
    std::span<const uint8_t> taken;
    cursor.ReadBytes(std::min<uint64_t>(size, cursor.left()), &taken);
    // On the heap at its exact size, so that a read beyond it is seen.
    const std::vector<uint8_t> body(taken.begin(), taken.end());
    BinlogEvent event;
    event.header.type = static_cast<EventType>(type);
    event.body = body;
    Take(event, (flavor & 1) == 0 ? Flavor::kMysql : Flavor::kMariadb);
    TakePacket(type, body);
  }
  return 0;
}
