// Layouts follow the servers' own: MySQL libs/mysql/binlog/event, MariaDB sql/log_event.h.
#include "src/mysql/decode/event.h"

#include <libdeflate.h>

#include <charconv>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {
namespace {

constexpr size_t kChecksumBytes = 4;
constexpr uint64_t kAnsiQuotes = 4;                 // of sql_mode
constexpr uint64_t kNoBackslashEscapes = 0x100000;  // the same
constexpr uint32_t kFileNumberMax = (1U << 20) - 1;

arrow::Status Damaged(const std::string& what) {
  return MakeError(ErrorKind::kProtocol, what, "binary log",
                   "check the file with mysqlbinlog --verify-binlog-checksum; where it is whole, this is a "
                   "defect in arrowcdc: please report it");
}

arrow::Status Damaged(EventType type) {
  return Damaged("an event of type " + std::to_string(static_cast<int>(type)) + " is shorter than it says");
}

// The description of a file that is being written, or was when the server crashed, has a flag that is not
// part of what the checksum is of.
bool ChecksumFits(std::span<const uint8_t> event) {
  constexpr size_t kFlagsAt = 17;
  constexpr uint8_t kInUse = 1;
  const size_t bytes = event.size() - kChecksumBytes;
  const uint64_t stored = ByteCursor(event.subspan(bytes)).Uint(kChecksumBytes);
  if (event[4] != static_cast<uint8_t>(EventType::kFormatDescription))
    return libdeflate_crc32(0, event.data(), bytes) == stored;
  const auto flags = static_cast<uint8_t>(event[kFlagsAt] & ~kInUse);
  uint32_t checksum = libdeflate_crc32(0, event.data(), kFlagsAt);
  checksum = libdeflate_crc32(checksum, &flags, 1);
  return libdeflate_crc32(checksum, event.data() + kFlagsAt + 1, bytes - kFlagsAt - 1) == stored;
}

// The last five bytes are the algorithm and, whatever that is, room for a checksum.
arrow::Result<bool> DescribesChecksum(std::span<const uint8_t> body) {
  constexpr size_t kFixedBytes = 2 + 50 + 4 + 1;
  if (body.size() < kFixedBytes + 1 + kChecksumBytes) return Damaged(EventType::kFormatDescription);
  ByteCursor reader(body);
  const uint64_t version = reader.Uint(2);
  (void)reader.Bytes(50 + 4);
  const uint64_t header_bytes = reader.Uint(1);
  if (version != 4 || header_bytes != kEventHeaderBytes) {
    return MakeError(ErrorKind::kUnsupported,
                     "the binary log is of version " + std::to_string(version) + " with headers of " +
                         std::to_string(header_bytes) + " bytes",
                     "binary log", "servers since MySQL 5.6 and MariaDB 10 write version 4");
  }
  const uint8_t algorithm = body[body.size() - kChecksumBytes - 1];
  if (algorithm > 1) {
    return MakeError(ErrorKind::kUnsupported, "events have a checksum of kind " + std::to_string(algorithm),
                     "binary log", "set binlog_checksum to CRC32 or NONE");
  }
  return algorithm == 1;
}

// A description that says "none" and would fit with checksums has been damaged in that byte: all that follows
// would be taken unchecked.
bool WouldFitWithChecksums(std::span<const uint8_t> event) {
  std::vector<uint8_t> other(event.begin(), event.end());
  other[other.size() - kChecksumBytes - 1] = 1;
  return ChecksumFits(other);
}

arrow::Result<EventHeader> ReadHeader(std::span<const uint8_t> event) {
  ByteCursor reader(event);
  EventHeader header;
  header.timestamp = static_cast<uint32_t>(reader.Uint(4));
  header.type = static_cast<EventType>(reader.Uint(1));
  header.server_id = static_cast<uint32_t>(reader.Uint(4));
  header.size = static_cast<uint32_t>(reader.Uint(4));
  header.end = static_cast<uint32_t>(reader.Uint(4));
  header.flags = static_cast<uint16_t>(reader.Uint(2));
  if (reader.failed() || header.size != event.size())
    return Damaged("an event of " + std::to_string(event.size()) + " bytes says that it has " +
                   std::to_string(header.size));
  return header;
}

}  // namespace

arrow::Result<BinlogEvent> EventReader::Read(std::span<const uint8_t> event) {
  ARROW_ASSIGN_OR_RAISE(const EventHeader header, ReadHeader(event));
  bool has_checksum = checksum_;
  if (header.type == EventType::kFormatDescription) {
    ARROW_ASSIGN_OR_RAISE(checksum_, DescribesChecksum(event.subspan(kEventHeaderBytes)));
    described_ = true;
    has_checksum = true;
    if (!checksum_) {
      if (WouldFitWithChecksums(event)) return Damaged("a description of checksums is damaged");
      return BinlogEvent{header, event.subspan(kEventHeaderBytes)};
    }
  } else if (header.type == EventType::kRotate && (!described_ || header.artificial())) {
    // In front of the description nothing says whether there is one; what fits by chance is one in 2^32.
    has_checksum = event.size() >= kEventHeaderBytes + kChecksumBytes && ChecksumFits(event);
  } else if (!described_) {
    return Damaged("an event of type " + std::to_string(static_cast<int>(header.type)) +
                   " comes in front of the description of events");
  }
  if (!has_checksum) return BinlogEvent{header, event.subspan(kEventHeaderBytes)};
  if (event.size() < kEventHeaderBytes + kChecksumBytes) return Damaged(header.type);
  if (!ChecksumFits(event)) {
    return Damaged("the checksum of an event of type " + std::to_string(static_cast<int>(header.type)) +
                   " does not fit");
  }
  return BinlogEvent{header, event.first(event.size() - kChecksumBytes).subspan(kEventHeaderBytes)};
}

arrow::Result<BinlogEvent> EventReader::ReadInner(std::span<const uint8_t> event) {
  ARROW_ASSIGN_OR_RAISE(const EventHeader header, ReadHeader(event));
  return BinlogEvent{header, event.subspan(kEventHeaderBytes)};
}

arrow::Result<RotateBody> ReadRotate(std::span<const uint8_t> body) {
  ByteCursor reader(body);
  RotateBody rotate;
  rotate.offset = reader.Uint(8);
  if (reader.failed() || reader.left() == 0) return Damaged(EventType::kRotate);
  rotate.file = reader.Text(reader.left());
  return rotate;
}

std::string MakeRotate(const RotateBody& body) {
  std::string event(4, '\0');
  event += static_cast<char>(EventType::kRotate);
  const auto put = [&](uint64_t value, size_t width) {
    for (size_t i = 0; i < width; ++i) event += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(0, 4);
  put(kEventHeaderBytes + 8 + body.file.size(), 4);
  put(0, 4);
  put(0x20, 2);
  put(body.offset, 8);
  return event + body.file;
}

arrow::Result<uint32_t> FileNumber(std::string_view file) {
  const std::string_view digits = file.substr(file.rfind('.') + 1);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (file.find('.') == std::string_view::npos || digits.empty() || error == std::errc::invalid_argument ||
      end != digits.data() + digits.size()) {
    return Damaged("the name of a file of the binary log does not end in a number");
  }
  if (error != std::errc() || number > kFileNumberMax) {
    return MakeError(
        ErrorKind::kUnsupported,
        "the file's number is beyond " + std::to_string(kFileNumberMax) + ", the last that a position holds",
        "binary log file " + std::string(file),
        "RESET BINARY LOGS AND GTIDS (RESET MASTER) begins anew with 1; then capture into a new "
        "sink");
  }
  return number;
}

// --- GTIDs ---

namespace {

constexpr uint64_t kHasOriginal = uint64_t{1} << 55;  // of a commit timestamp of seven bytes

// Servers since MySQL 8.0.1 write it in microseconds; those before not at all.
int64_t SecondsOf(const EventHeader& header) { return int64_t{header.timestamp} * 1'000'000; }

arrow::Result<GtidBody> ReadUntaggedGtid(const BinlogEvent& event) {
  ByteCursor reader(event.body);
  (void)reader.Uint(1);  // flags
  Gtid gtid;
  for (uint8_t& byte : gtid.source.uuid) byte = static_cast<uint8_t>(reader.Uint(1));
  gtid.number = static_cast<int64_t>(reader.Uint(8));
  if (reader.failed()) return Damaged(event.header.type);
  GtidBody body;
  if (event.header.type == EventType::kGtid) body.id = gtid;
  body.commit_ts = SecondsOf(event.header);
  constexpr size_t kTimestampsAt = 1 + 8 + 8;  // behind the logical clock, which has a byte for its kind
  if (reader.left() >= kTimestampsAt + 7) {
    (void)reader.Bytes(kTimestampsAt);
    const uint64_t immediate = reader.Uint(7);
    const uint64_t original = (immediate & kHasOriginal) != 0 ? reader.Uint(7) : immediate;
    if (reader.failed()) return Damaged(event.header.type);
    body.commit_ts = static_cast<int64_t>(original);
  }
  return body;
}

// By MySQL's serialization library: a version, the size, the last field that may not be passed over, then
// fields, each behind its number (libs/mysql/binlog/event/control_events.h, Gtid_event::define_fields).
arrow::Result<GtidBody> ReadTaggedGtid(const BinlogEvent& event) {
  ByteCursor reader(event.body);
  const uint64_t version = reader.VarUint();
  const uint64_t bytes = reader.VarUint();
  const uint64_t last_needed = reader.VarUint();
  constexpr uint64_t kFieldMax = 11;
  if (version > 1 || last_needed > kFieldMax + 1) {
    return MakeError(ErrorKind::kUnsupported, "a GTID is written in a form that is not known", "binary log",
                     "this version of arrowcdc is older than the server: use a newer one");
  }
  (void)bytes;
  Gtid gtid;
  GtidBody body;
  std::optional<uint64_t> immediate;
  std::optional<uint64_t> original;
  while (reader.left() > 0 && !reader.failed()) {
    const uint64_t field = reader.VarUint();
    if (field > kFieldMax) break;  // what may be passed over comes last
    if (field == 1) {
      for (uint8_t& byte : gtid.source.uuid) byte = static_cast<uint8_t>(reader.VarUint());
    } else if (field == 2) {
      gtid.number = reader.VarInt();
    } else if (field == 3) {
      gtid.source.tag = reader.Text(reader.VarUint());
    } else if (field == 4 || field == 5) {
      (void)reader.VarInt();
    } else if (field == 6) {
      immediate = reader.VarUint();
    } else if (field == 7) {
      original = reader.VarUint();
    } else {
      (void)reader.VarUint();
    }
  }
  if (reader.failed() || gtid.number < 1) return Damaged(event.header.type);
  body.id = gtid;
  const uint64_t time = original.value_or(immediate.value_or(0));
  body.commit_ts = time != 0 ? static_cast<int64_t>(time) : SecondsOf(event.header);
  return body;
}

arrow::Result<GtidBody> ReadMariadbGtid(const BinlogEvent& event) {
  ByteCursor reader(event.body);
  MariadbGtid gtid;
  gtid.number = reader.Uint(8);
  gtid.domain = static_cast<uint32_t>(reader.Uint(4));
  gtid.server_id = event.header.server_id;
  const uint64_t flags = reader.Uint(1);
  if (reader.failed()) return Damaged(event.header.type);
  GtidBody body;
  body.id = gtid;
  body.commit_ts = SecondsOf(event.header);
  body.standalone = (flags & 1) != 0;
  body.transactional = (flags & 4) != 0;
  body.xa_prepare = (flags & 64) != 0;
  body.xa_end = (flags & 128) != 0;
  return body;
}

}  // namespace

arrow::Result<GtidBody> ReadGtid(const BinlogEvent& event) {
  if (event.header.type == EventType::kMariadbGtid) return ReadMariadbGtid(event);
  return event.header.type == EventType::kGtidTagged ? ReadTaggedGtid(event) : ReadUntaggedGtid(event);
}

arrow::Result<std::vector<MariadbGtid>> ReadGtidList(std::span<const uint8_t> body) {
  constexpr size_t kEntryBytes = 4 + 4 + 8;
  ByteCursor reader(body);
  const uint64_t count = reader.Uint(4) & 0xfffffff;  // flags above
  if (reader.failed() || count > reader.left() / kEntryBytes) return Damaged(EventType::kGtidList);
  std::vector<MariadbGtid> gtids(count);
  for (MariadbGtid& gtid : gtids) {
    gtid.domain = static_cast<uint32_t>(reader.Uint(4));
    gtid.server_id = static_cast<uint32_t>(reader.Uint(4));
    gtid.number = reader.Uint(8);
  }
  return gtids;
}

// --- statements ---

namespace {

constexpr uint64_t kManyDatabases = 254;  // more than are listed

// Up to the first variable that is not known, whose length nobody can tell.
bool ReadStatusVariables(std::span<const uint8_t> bytes, QueryBody* query) {
  ByteCursor reader(bytes);
  while (reader.left() > 0 && !reader.failed()) {
    const uint64_t code = reader.Uint(1);
    switch (code) {
      case 1: {
        const uint64_t mode = reader.Uint(8);
        query->ansi_quotes = (mode & kAnsiQuotes) != 0;
        query->no_backslash_escapes = (mode & kNoBackslashEscapes) != 0;
        break;
      }
      case 2:
        (void)reader.Bytes(reader.Uint(1) + 1);
        break;
      case 5:
      case 6:
        (void)reader.Bytes(reader.Uint(1));
        break;
      case 11:
        (void)reader.Bytes(reader.Uint(1));
        (void)reader.Bytes(reader.Uint(1));
        break;
      case 12: {
        const uint64_t count = reader.Uint(1);
        if (count == kManyDatabases) break;
        query->updated.emplace();
        for (uint64_t i = 0; i < count && !reader.failed(); ++i)
          query->updated->insert(std::string(reader.TextToZero()));
        if (reader.failed()) query->updated.reset();
        break;
      }
      case 7:
      case 8:
      case 18:
        (void)reader.Bytes(2);
        break;
      case 13:
      case 128:
        (void)reader.Bytes(3);
        break;
      case 0:
      case 3:
      case 10:
        (void)reader.Bytes(4);
        break;
      case 4:
        query->collation = static_cast<uint32_t>(reader.Uint(2));
        (void)reader.Bytes(4);  // of the connection and the server
        break;
      case 9:
      case 17:
      case 129:
        (void)reader.Bytes(8);
        break;
      case 16:
      case 19:
      case 20:
        (void)reader.Bytes(1);
        break;
      case 130:
        (void)reader.Bytes(2);
        break;
      default:
        return true;
    }
  }
  return !reader.failed();
}

}  // namespace

arrow::Result<QueryBody> ReadQuery(const BinlogEvent& event) {
  ByteCursor reader(event.body);
  (void)reader.Bytes(8);  // thread, seconds
  const uint64_t schema_bytes = reader.Uint(1);
  (void)reader.Bytes(2);  // error
  const uint64_t status_bytes = reader.Uint(2);
  if (event.header.type == EventType::kExecuteLoadQuery) (void)reader.Bytes(4 + 4 + 4 + 1);
  const auto status = reader.Bytes(status_bytes);
  QueryBody query;
  query.schema = reader.Text(schema_bytes);
  (void)reader.Bytes(1);
  query.text = reader.Text(reader.left());
  if (reader.failed() || !ReadStatusVariables(status, &query)) return Damaged(event.header.type);
  return query;
}

arrow::Result<std::string> ReadServerVersion(std::span<const uint8_t> body) {
  ByteCursor reader(body);
  (void)reader.Bytes(2);
  const std::string_view version = reader.Text(50);
  if (reader.failed()) return Damaged(EventType::kFormatDescription);
  return std::string(version.substr(0, version.find('\0')));
}

arrow::Result<XaPrepareBody> ReadXaPrepare(std::span<const uint8_t> body) {
  ByteCursor reader(body);
  XaPrepareBody prepare;
  prepare.one_phase = reader.Uint(1) != 0;
  prepare.format = reader.Uint(4);
  const uint64_t gtrid_bytes = reader.Uint(4);
  const uint64_t bqual_bytes = reader.Uint(4);
  prepare.gtrid = reader.Text(gtrid_bytes);
  prepare.bqual = reader.Text(bqual_bytes);
  if (reader.failed()) return Damaged(EventType::kXaPrepare);
  return prepare;
}

// Version 2 is fields of type, length and value: 1 is the file, 2 the offset.
arrow::Result<RotateBody> ReadHeartbeat(const BinlogEvent& event) {
  ByteCursor reader(event.body);
  RotateBody at;
  if (event.header.type == EventType::kHeartbeat) {
    at.file = reader.Text(reader.left());
    at.offset = event.header.end;
    return at;
  }
  while (reader.left() > 0 && !reader.failed()) {
    const uint64_t type = reader.Packed();
    if (type == 0) break;
    const auto value = reader.Bytes(reader.Packed());
    if (type == 1) at.file.assign(value.begin(), value.end());
    if (type == 2) at.offset = ByteCursor(value).Packed();
  }
  if (reader.failed() || at.file.empty()) return Damaged(event.header.type);
  return at;
}

}  // namespace arrowcdc::mysql
