// One transaction more than is needed is asked for: GTIDs are reused after RESET, after a crash that lost the
// end of the log, and by other clusters, and then they pass every comparison of sets. The time of its commit
// tells.
#include "src/mysql/stream/log_start.h"

#include <algorithm>
#include <random>
#include <utility>
#include <variant>

#include "arrowcdc/error.h"
#include "src/mysql/decode/event.h"

namespace arrowcdc::mysql {
namespace {

constexpr uint64_t kFirstOffset = 4;
constexpr char kNewSink[] =
    "copy all rows anew, beside what is there (--snapshot when-needed), or capture into a new sink";

arrow::Status Gap(const LogStanding& now, const std::string& what, const std::string& remedy) {
  return MakeError(
      ErrorKind::kPositionGap, what,
      std::string("server ") + (now.flavor == Flavor::kMysql ? "with uuid " : "with id ") + now.server,
      remedy);
}

std::string BaseOf(const std::string& file) { return file.substr(0, file.rfind('.')); }

arrow::Result<std::optional<uint64_t>> SizeOf(const LogStanding& now, uint32_t number) {
  for (const LogFile& file : now.files) {
    ARROW_ASSIGN_OR_RAISE(const uint32_t of_file, FileNumber(file.name));
    if (of_file == number) return std::optional<uint64_t>(file.bytes);
  }
  return std::optional<uint64_t>();
}

// Whether the place is one in the server's files, which are those that it was a place of.
arrow::Status CheckPlace(const LogStanding& now, const LogToken& token, const LogPlace& place) {
  const std::string name = ToString(place, token.base);
  if (token.server != now.server || token.base != BaseOf(now.status.file)) {
    return Gap(now,
               "the stored position is " + name + " of another server, " + token.server +
                   ", and there is no transaction with a GTID that could be compared",
               std::string("connect to the server that was read from, or ") + kNewSink);
  }
  ARROW_ASSIGN_OR_RAISE(const auto size, SizeOf(now, place.file));
  if (!size.has_value()) {
    return Gap(now, "the server does not have the file of the stored position, " + name + ", any more",
               std::string("keep the binary log for longer (binlog_expire_logs_seconds), and ") + kNewSink);
  }
  if (*size < place.offset) {
    return Gap(now,
               "the stored position " + name + " is beyond the end of that file, " + std::to_string(*size) +
                   ": the server lost the end of its log, or began a new one",
               kNewSink);
  }
  return arrow::Status::OK();
}

arrow::Status CheckMysql(const LogStanding& now, LogStart* start, bool accept_gap) {
  const GtidSet& ours = start->token.state.set();
  if (!now.status.executed.set().Contains(ours)) {
    return Gap(now,
               "the server does not have all transactions that were delivered: its gtid_executed lacks some "
               "of them (RESET, a restored backup, another server)",
               std::string("connect to the server that was read from, or ") + kNewSink);
  }
  if (!ours.Contains(now.purged)) {
    if (!accept_gap) {
      return Gap(now,
                 "the server has removed files of its binary log with transactions that were not delivered "
                 "(gtid_purged has some that the stored position lacks)",
                 std::string("keep the binary log for longer (binlog_expire_logs_seconds), and ") + kNewSink +
                     "; --accept-gap goes on without them");
    }
    if (start->token.server != now.server) {
      return Gap(now,
                 "it is another server than the one that was read from, and has removed transactions that "
                 "were not delivered",
                 std::string("connect to the server that was read from, or ") + kNewSink);
    }
    start->token.state.set().Add(now.purged);
    start->expected.reset();
    return arrow::Status::OK();
  }
  const auto* const last = start->expected.has_value() ? std::get_if<Gtid>(&start->expected->id) : nullptr;
  if (last == nullptr || !now.purged.Contains(*last)) return arrow::Status::OK();
  // Nothing is lacking, and the one to compare is gone.
  if (start->token.server != now.server) {
    return Gap(now,
               "it is another server than the one that was read from, and it has removed the transaction "
               "that was delivered last, by which they could be compared",
               std::string("connect to the server that was read from, or ") + kNewSink);
  }
  start->expected.reset();
  return arrow::Status::OK();
}

bool HasGtid(const LogStanding& now, const MariadbGtid& gtid) {
  return std::any_of(now.binlog_state.begin(), now.binlog_state.end(), [&](const MariadbGtid& of_server) {
    return of_server.domain == gtid.domain && of_server.server_id == gtid.server_id &&
           of_server.number >= gtid.number;
  });
}

// Whether MariaDB has removed nothing that was not delivered.
bool CoversRemoved(const LogStanding& now, const LogToken& token) {
  const auto& ours = token.state.domains();
  return std::all_of(now.removed.domains().begin(), now.removed.domains().end(), [&](const auto& domain) {
    const auto found = ours.find(domain.first);
    return found != ours.end() && found->second.number >= domain.second.number;
  });
}

// MariaDB sends a domain that it was not told of from its beginning, and takes it in silence where it does
// not have what it is told of.
arrow::Status CheckMariadb(const LogStanding& now, LogStart* start) {
  for (const auto& [domain, gtid] : start->token.state.domains()) {
    if (HasGtid(now, gtid)) continue;
    return Gap(now,
               "the server does not have " + ToString(TransactionId(gtid)) +
                   ", which was delivered (gtid_binlog_state): RESET, a restored backup, another server",
               std::string("connect to the server that was read from, or ") + kNewSink);
  }
  if (start->token.server == now.server) {
    // Nothing is lacking, and the one to compare is gone.
    const auto* const last =
        start->expected.has_value() ? std::get_if<MariadbGtid>(&start->expected->id) : nullptr;
    const auto removed =
        last == nullptr ? now.removed.domains().end() : now.removed.domains().find(last->domain);
    if (removed != now.removed.domains().end() && removed->second.number >= last->number &&
        CoversRemoved(now, start->token))
      start->expected.reset();
    return arrow::Status::OK();
  }
  for (const MariadbGtid& of_server : now.binlog_state) {
    if (start->token.state.domains().contains(of_server.domain)) continue;
    return Gap(now,
               "it is another server than the one that was read from, and has transactions of domain " +
                   std::to_string(of_server.domain) + ", of which nothing was delivered",
               std::string("connect to the server that was read from, or ") + kNewSink);
  }
  return arrow::Status::OK();
}

void Put(uint64_t value, size_t width, std::string* to) {
  for (size_t i = 0; i < width; ++i) to->push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

std::string RandomUuid(std::random_device* random) {
  Uuid uuid;
  for (uint8_t& byte : uuid) byte = static_cast<uint8_t>((*random)());
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
  return ToString(uuid);
}

}  // namespace

arrow::Result<LogStanding> ReadStanding(Connection* connection, const ServerState& state) {
  LogStanding standing;
  standing.flavor = state.flavor;
  standing.server = state.server();
  standing.only_committed = state.only_committed();
  ARROW_ASSIGN_OR_RAISE(standing.files, ReadLogFiles(connection));
  if (state.flavor == Flavor::kMysql) {
    // Before what is executed: what is purged later was executed before.
    ARROW_ASSIGN_OR_RAISE(const std::string purged, connection->QueryValue("SELECT @@GLOBAL.gtid_purged"));
    ARROW_ASSIGN_OR_RAISE(standing.purged, GtidSet::Parse(purged));
  } else {
    ARROW_ASSIGN_OR_RAISE(const std::string binlog_state,
                          connection->QueryValue("SELECT @@GLOBAL.gtid_binlog_state"));
    ARROW_ASSIGN_OR_RAISE(standing.binlog_state, ParseMariadbGtids(binlog_state));
    ARROW_ASSIGN_OR_RAISE(
        const std::string removed,
        connection->QueryValue("SELECT BINLOG_GTID_POS(" + QuoteText(standing.files.front().name) + ", 4)"));
    ARROW_ASSIGN_OR_RAISE(standing.removed, GtidState::Parse(Flavor::kMariadb, removed));
  }
  ARROW_ASSIGN_OR_RAISE(standing.status, ReadLogStatus(connection));
  return standing;
}

arrow::Result<LogStart> ChooseFirstStart(const LogStanding& now, MysqlStart where) {
  LogStart start;
  // MariaDB does not begin with its oldest file where it is asked by GTIDs that are in none.
  start.by_gtids = now.flavor == Flavor::kMariadb ? where == MysqlStart::kNow : now.only_committed;
  start.token.flavor = now.flavor;
  start.token.server = now.server;
  start.token.base = BaseOf(now.status.file);
  start.token.state = GtidState(now.flavor);
  if (where == MysqlStart::kNow) {
    start.token.state = now.status.executed;
    ARROW_ASSIGN_OR_RAISE(start.place.file, FileNumber(now.status.file));
    start.place.offset = now.status.offset;
    return start;
  }
  start.token.state.set() = now.purged;
  ARROW_ASSIGN_OR_RAISE(start.place.file, FileNumber(now.files.front().name));
  start.place.offset = kFirstOffset;
  return start;
}

arrow::Result<LogStart> ChooseNextStart(const LogStanding& now, const Position& stored, bool accept_gap) {
  LogStart start;
  ARROW_ASSIGN_OR_RAISE(start.token, ReadToken(stored.token));
  if (start.token.flavor != now.flavor)
    return Gap(now, "it is of another kind than what was read from", kNewSink);
  start.place = PlaceOf(stored.order);
  start.expected = start.token.last;
  const bool anonymous =
      start.expected.has_value() && std::holds_alternative<std::monostate>(start.expected->id);
  start.by_gtids = (now.flavor == Flavor::kMariadb || now.only_committed) && !anonymous;
  if (!start.by_gtids) {
    const LogPlace from = start.expected.has_value() ? start.expected->begin : start.place;
    ARROW_RETURN_NOT_OK(CheckPlace(now, start.token, start.place));
    ARROW_RETURN_NOT_OK(CheckPlace(now, start.token, from));
    return start;
  }
  if (now.flavor == Flavor::kMysql) {
    ARROW_RETURN_NOT_OK(CheckMysql(now, &start, accept_gap));
  } else {
    ARROW_RETURN_NOT_OK(CheckMariadb(now, &start));
  }
  if (start.token.last.has_value()) return start;
  // Where the server has removed the file, the GTIDs tell alone that nothing is lacking.
  ARROW_ASSIGN_OR_RAISE(const uint32_t oldest, FileNumber(now.files.front().name));
  const bool removed = (now.flavor == Flavor::kMysql || CoversRemoved(now, start.token)) &&
                       start.token.server == now.server && start.token.base == BaseOf(now.status.file) &&
                       start.place.file < oldest;
  if (!removed) ARROW_RETURN_NOT_OK(CheckPlace(now, start.token, start.place));
  return start;
}

arrow::Status CheckMayCopyAnew(const LogStanding& now, const Position& stored) {
  ARROW_ASSIGN_OR_RAISE(const LogToken token, ReadToken(stored.token));
  // MariaDB's domain was compared when the sink was opened.
  if (token.flavor == Flavor::kMariadb || token.server == now.server ||
      now.status.executed.set().SharesSource(token.state.set()))
    return arrow::Status::OK();
  return Gap(now,
             "it is another server than the one that was read from, and has nothing of what was delivered",
             "connect to the server that was read from, or capture into a new sink");
}

arrow::Result<bool> HasAllBefore(const LogStanding& now, const Position& position) {
  ARROW_ASSIGN_OR_RAISE(const LogToken token, ReadToken(position.token));
  if (token.flavor != now.flavor) return false;
  const auto& domains = token.state.domains();
  const bool has_gtids = now.status.executed.set().Contains(token.state.set()) &&
                         std::all_of(domains.begin(), domains.end(),
                                     [&](const auto& domain) { return HasGtid(now, domain.second); });
  const bool same_files = token.server == now.server && token.base == BaseOf(now.status.file);
  if (!same_files) return has_gtids && !(token.state.set().empty() && domains.empty());
  ARROW_ASSIGN_OR_RAISE(const uint32_t file, FileNumber(now.status.file));
  return has_gtids && PlaceOf(position.order) <= LogPlace{file, now.status.offset};
}

arrow::Status BeginDumpAt(Connection* connection, const LogStanding& now, const LogStart& start) {
  std::random_device random;
  // Two clients of one identity end each other's dumps.
  const uint64_t server_id = uint64_t{1} << 31 | (random() & 0x7fffffff);
  const std::string uuid = RandomUuid(&random);
  // Once a second a sign of life; a server that cannot write for a while is to wait.
  std::string settings =
      "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = "
      "@@global.binlog_checksum, @master_heartbeat_period = 1000000000, @source_heartbeat_period = "
      "1000000000, "
      "@slave_uuid = '" +
      uuid + "', @replica_uuid = '" + uuid + "', SESSION net_write_timeout = 600";
  std::string arguments;
  if (now.flavor == Flavor::kMariadb) settings += ", @mariadb_slave_capability = 4";
  if (now.flavor == Flavor::kMariadb && start.by_gtids) {
    GtidState from = start.token.state;
    const auto* const last =
        start.expected.has_value() ? std::get_if<MariadbGtid>(&start.expected->id) : nullptr;
    if (last != nullptr) {
      from.domains().erase(last->domain);
      if (start.expected->before.has_value()) from.Add(TransactionId(*start.expected->before));
    }
    settings += ", @slave_gtid_strict_mode = 1, @slave_connect_state = " + QuoteText(from.ToString());
    ARROW_RETURN_NOT_OK(connection->Query(settings).status());
    Put(kFirstOffset, 4, &arguments);
    Put(2, 2, &arguments);  // with the statements' texts as events: else they come as queries
    Put(server_id, 4, &arguments);
    return connection->BeginDump(18, arguments);
  }
  ARROW_RETURN_NOT_OK(connection->Query(settings).status());
  if (!start.by_gtids) {
    const LogPlace from = start.expected.has_value() ? start.expected->begin : start.place;
    if (from.offset >> 32 != 0) {
      return MakeError(ErrorKind::kUnsupported,
                       "the offset is beyond 4 GiB, and cannot be asked for without "
                       "GTIDs",
                       "binary log " + ToString(from, start.token.base), "set gtid_mode to ON");
    }
    std::string file = ToString(from, start.token.base);
    Put(from.offset, 4, &arguments);
    Put(now.flavor == Flavor::kMariadb ? 2 : 0, 2, &arguments);
    Put(server_id, 4, &arguments);
    return connection->BeginDump(18, arguments + file.substr(0, file.rfind(':')));
  }
  GtidSet set = start.token.state.set();
  if (start.expected.has_value()) set.Remove(std::get<Gtid>(start.expected->id));
  const std::string encoded = set.Encode();
  Put(2, 2, &arguments);  // heartbeats with offsets of 64 bits
  Put(server_id, 4, &arguments);
  Put(0, 4, &arguments);
  Put(kFirstOffset, 8, &arguments);
  Put(encoded.size(), 4, &arguments);
  return connection->BeginDump(30, arguments + encoded);
}

}  // namespace arrowcdc::mysql
