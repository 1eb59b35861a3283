// Events of a binlog: the common header, the checksum, and the bodies of all but rows. No I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "src/mysql/decode/flavor.h"
#include "src/mysql/decode/gtid_set.h"

namespace arrowcdc::mysql {

// MySQL's Log_event_type and MariaDB's, those that are looked at.
enum class EventType : uint8_t {
  kQuery = 2,
  kStop = 3,
  kRotate = 4,
  kIntvar = 5,
  kAppendBlock = 9,
  kDeleteFile = 11,
  kRand = 13,
  kUserVar = 14,
  kFormatDescription = 15,
  kXid = 16,
  kBeginLoadQuery = 17,
  kExecuteLoadQuery = 18,
  kTableMap = 19,
  kIncident = 26,
  kHeartbeat = 27,
  kIgnorable = 28,
  kRowsQuery = 29,
  kGtid = 33,
  kAnonymousGtid = 34,
  kPreviousGtids = 35,
  kTransactionContext = 36,
  kViewChange = 37,
  kXaPrepare = 38,
  kTransactionPayload = 40,
  kHeartbeatV2 = 41,
  kGtidTagged = 42,
  kAnnotateRows = 160,
  kBinlogCheckpoint = 161,
  kMariadbGtid = 162,
  kGtidList = 163,
  kStartEncryption = 164,
  kQueryCompressed = 165,
};

struct EventHeader {
  uint32_t timestamp = 0;  // seconds since 1970 UTC
  EventType type{};
  uint32_t server_id = 0;
  uint32_t size = 0;  // of the whole event
  uint32_t end = 0;   // offset behind it, its low 32 bits; 0: it is in no file
  uint16_t flags = 0;

  // Made by the server that sends it, for this connection.
  bool artificial() const { return (flags & 0x20) != 0; }
  // Whoever does not know it may pass over it.
  bool ignorable() const { return (flags & 0x80) != 0; }
};
inline constexpr size_t kEventHeaderBytes = 19;

struct BinlogEvent {
  EventHeader header;
  std::span<const uint8_t> body;  // without the checksum
};

// Of one connection or file: knows from its format description whether events have a checksum. One thread.
class EventReader {
 public:
  // Errors: kProtocol, where it is damaged.
  arrow::Result<BinlogEvent> Read(std::span<const uint8_t> event);
  // Of an event in a TRANSACTION_PAYLOAD_EVENT, which has no checksum.
  static arrow::Result<BinlogEvent> ReadInner(std::span<const uint8_t> event);

 private:
  bool checksum_ = false;
  bool described_ = false;
};

// --- bodies; errors: kProtocol ---

struct RotateBody {
  uint64_t offset = 0;
  std::string file;
};
arrow::Result<RotateBody> ReadRotate(std::span<const uint8_t> body);

// GTID_LOG_EVENT, its tagged and anonymous kin, and MariaDB's.
struct GtidBody {
  TransactionId id;
  int64_t commit_ts = 0;       // on the server that committed first, microseconds since 1970 UTC
  bool standalone = false;     // MariaDB: one statement, nothing ends it
  bool transactional = false;  // MariaDB: of tables that can roll back
  bool xa_prepare = false;     // MariaDB: what follows is not committed
  bool xa_end = false;         // MariaDB: commits or rolls back what was prepared
};
arrow::Result<GtidBody> ReadGtid(const BinlogEvent& event);

// MariaDB's GTID_LIST_EVENT: what was in the log before the file. The last of a domain comes last.
arrow::Result<std::vector<MariadbGtid>> ReadGtidList(std::span<const uint8_t> body);

struct QueryBody {
  std::string_view schema;  // the default one; in the event
  std::string_view text;
  bool ansi_quotes = false;
  bool no_backslash_escapes = false;
  uint32_t collation = 0;  // of the client, whose character set the text is in; 0: UTF-8
  // Databases that the statement changes; none: they are not said.
  std::optional<std::set<std::string>> updated;
};
// QUERY_EVENT and EXECUTE_LOAD_QUERY_EVENT.
arrow::Result<QueryBody> ReadQuery(const BinlogEvent& event);

// XA_PREPARE_LOG_EVENT.
struct XaPrepareBody {
  bool one_phase = false;  // XA COMMIT ... ONE PHASE
  uint64_t format = 0;
  std::string gtrid;
  std::string bqual;
};
arrow::Result<XaPrepareBody> ReadXaPrepare(std::span<const uint8_t> body);

// Heartbeats of both versions: where the server is.
arrow::Result<RotateBody> ReadHeartbeat(const BinlogEvent& event);

// The server's version in a FORMAT_DESCRIPTION_EVENT.
arrow::Result<std::string> ReadServerVersion(std::span<const uint8_t> body);

// A rotate event for readers of files, and the number in a file's name, behind its last dot. Errors:
// kProtocol; kUnsupported where it does not fit into a position.
std::string MakeRotate(const RotateBody& body);
arrow::Result<uint32_t> FileNumber(std::string_view file);

}  // namespace arrowcdc::mysql
