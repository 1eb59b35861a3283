#include "src/mysql/setup/health.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <thread>

#include "arrowcdc/error.h"

namespace arrowcdc::mysql {
namespace {

using std::chrono::milliseconds;

constexpr double kDaySeconds = 86'400;

uint64_t ToNumber(const std::optional<std::string>& text) {
  return text.has_value() ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

bool IsPermission(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->kind() == ErrorKind::kPermission;
}

std::string Hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "X'";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text + "'";
}

uint64_t BytesOf(const std::vector<LogFile>& files) {
  uint64_t bytes = 0;
  for (const LogFile& file : files) bytes += file.bytes;
  return bytes;
}

// Not there: the account may not see it, which MySQL calls by several names.
arrow::Result<std::optional<Rows>> Look(Connection* connection, const std::string& sql) {
  auto rows = connection->Query(sql);
  if (rows.ok()) return std::optional(*std::move(rows));
  const ErrorDetail* const detail = GetErrorDetail(rows.status());
  const bool lost = detail == nullptr || detail->kind() == ErrorKind::kConnection ||
                    detail->kind() == ErrorKind::kInterrupted;
  return lost ? arrow::Result<std::optional<Rows>>(rows.status()) : std::optional<Rows>();
}

arrow::Result<std::optional<std::vector<LogFile>>> LookAtFiles(Connection* connection,
                                                               const ServerState& state) {
  using Files = std::optional<std::vector<LogFile>>;
  if (!state.IsOn("log_bin")) return Files();
  auto files = ReadLogFiles(connection);
  if (files.ok()) return Files(*std::move(files));
  if (IsPermission(files.status())) return Files();
  return files.status();
}

// formatID, gtrid_length, bqual_length, data.
std::string XidOf(const std::vector<std::optional<std::string>>& row) {
  const std::string data = row[3].value_or("");
  const auto global = std::min<size_t>(ToNumber(row[1]), data.size());
  return Hex(data.substr(0, global)) + ", " + Hex(data.substr(global)) + ", " + row[0].value_or("1");
}

std::string SizeText(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string Counted(uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string HoursText(double seconds) { return std::to_string(std::lround(seconds / 3'600)) + " h"; }

class HealthJudgement {
 public:
  HealthJudgement(const Health& health, const Inspected& inspected)
      : health_(health), inspected_(inspected), state_(inspected.state) {}

  std::vector<Finding> Judge() {
    Release();
    Log();
    PreparedOnes();
    OpenOnes();
    Connections();
    Cache();
    Replica();
    return std::move(findings_);
  }

 private:
  Finding& Add(FindingLevel level, const char* check, const std::string& text) {
    return findings_.emplace_back(Finding{.level = level, .check = check, .text = text});
  }
  void Unknown(const char* check, const std::string& text, const std::string& privilege) {
    Add(FindingLevel::kUnknown, check, text).sql =
        "GRANT " + privilege + " ON *.* TO " + QuoteAccount(inspected_.account);
  }
  int64_t Number(const std::string& name) const {
    return std::strtoll(state_.Variable(name).c_str(), nullptr, 10);
  }

  void Release() {
    const auto warning = WarnOfRelease(state_.flavor, state_.version);
    if (!warning.has_value()) {
      Add(FindingLevel::kOk, "release", "nothing is known against the release " + state_.version);
      return;
    }
    Add(FindingLevel::kWarning, "release", *warning).remedy = "upgrade the server";
  }

  void Log() {
    if (!health_.files.has_value()) return;  // said by those who ask for the right
    const std::vector<LogFile>& files = *health_.files;
    const auto bytes = static_cast<double>(BytesOf(files));
    std::string text = "the log is of " + Counted(files.size(), "file") + " with " + SizeText(bytes) +
                       ", from " + files.front().name + " on";
    const double rate = health_.bytes_per_s.value_or(0);
    if (rate > 0) text += "; " + SizeText(rate) + " are written a second";
    const auto kept = static_cast<double>(state_.retention_seconds());
    if (rate > 0 && kept > 0)
      text += ", and grow to " + SizeText(rate * kept) + " in the " + HoursText(kept) + " that they are kept";
    Add(FindingLevel::kOk, "log_size", text);
    for (const char* limit : {"max_binlog_total_size", "binlog_space_limit"}) LimitOfLog(limit, rate);
    const bool by_place = state_.flavor == Flavor::kMysql && !state_.only_committed();
    const bool huge = std::any_of(files.begin(), files.end(), [](const LogFile& f) { return f.bytes >> 32; });
    if (by_place && huge) {
      Add(FindingLevel::kWarning, "log_offsets",
          "a file of the log is larger than 4 GiB: without GTIDs no stream can begin behind that")
          .remedy = "turn gtid_mode on; make transactions smaller";
    }
  }

  // Files go by size before they go by age.
  void LimitOfLog(const char* name, double rate) {
    const auto limit = static_cast<double>(Number(name));
    if (limit <= 0) return;
    std::string text = "the server removes files of its log beyond " + SizeText(limit);
    const double lasts = rate > 0 ? limit / rate : kDaySeconds;
    if (rate > 0) text += ", at the present rate after " + HoursText(lasts);
    if (lasts >= kDaySeconds) {
      Add(FindingLevel::kNote, "log_limit", text + ": a stream that stands still beyond that cannot go on");
      return;
    }
    Finding& finding = Add(FindingLevel::kWarning, "log_limit",
                           text + ": a stream that stands still for longer cannot go on");
    finding.object = std::string("setting ") + name;
    finding.sql = SetGlobal(state_.flavor, name, std::to_string(std::llround(rate * 7 * kDaySeconds)));
  }

  void PreparedOnes() {
    if (!health_.prepared.has_value())
      return Unknown("prepared_transactions", "transactions that are prepared (XA)", "XA_RECOVER_ADMIN");
    for (const Health::Prepared& prepared : *health_.prepared) {
      Finding& finding = Add(FindingLevel::kWarning, "prepared_transactions",
                             "it is prepared and has not ended: until it does no position that is stored "
                             "passes it, and the log is needed from there on");
      finding.object = "XA transaction " + prepared.xid;
      finding.remedy = "where nobody will end it, end it; XA COMMIT keeps what it has done";
      finding.sql = "XA ROLLBACK " + prepared.xid;
    }
    if (health_.prepared->empty())
      Add(FindingLevel::kOk, "prepared_transactions", "no transaction is prepared (XA)");
  }

  void OpenOnes() {
    if (!health_.open.has_value())
      return Unknown("open_transactions", "transactions that have been open for long", "PROCESS");
    for (const Health::Transaction& open : *health_.open) {
      Finding& finding =
          Add(FindingLevel::kWarning, "open_transactions",
              "it has been open for " + std::to_string(open.seconds / 60) + " min and changed " +
                  Counted(open.rows, "row") + ": they come with its commit, all at once and that late");
      finding.object = "connection " + std::to_string(open.thread);
      finding.remedy = "end it; to end its connection, which takes back what it did:";
      finding.sql = "KILL " + std::to_string(open.thread);
    }
    if (health_.open->empty())
      Add(FindingLevel::kOk, "open_transactions", "no transaction has been open for 10 min and changed rows");
  }

  void Connections() {
    const auto most = static_cast<uint64_t>(std::max<int64_t>(Number("max_connections"), 0));
    if (most == 0) return;
    const std::string text =
        std::to_string(health_.connections) + " of " + std::to_string(most) + " connections are taken";
    if (health_.connections * 10 < most * 9) {
      Add(FindingLevel::kOk, "connections", text);
      return;
    }
    Finding& finding =
        Add(FindingLevel::kWarning, "connections", text + ": a stream that connects again may find none");
    finding.object = "setting max_connections";
    finding.sql = SetGlobal(state_.flavor, "max_connections", std::to_string(most * 2));
  }

  void Cache() {
    if (health_.cached_on_disk == 0 || health_.cached_on_disk * 10 < health_.cached) {
      Add(FindingLevel::kOk, "log_cache", "most transactions fit into binlog_cache_size until they commit");
      return;
    }
    Finding& finding =
        Add(FindingLevel::kNote, "log_cache",
            std::to_string(health_.cached_on_disk) + " of " + std::to_string(health_.cached) +
                " transactions did not fit into binlog_cache_size, and went to the log through a file");
    finding.object = "setting binlog_cache_size";
    finding.sql = SetGlobal(state_.flavor, "binlog_cache_size",
                            std::to_string(std::max<int64_t>(Number("binlog_cache_size"), 1 << 15) * 4));
  }

  void Replica() {
    if (!inspected_.is_replica) return;
    Add(FindingLevel::kNote, "replica", "the server is a replica: changes come as late as it applies them");
  }

  const Health& health_;
  const Inspected& inspected_;
  const ServerState& state_;
  std::vector<Finding> findings_;
};

// major.minor.patch of "10.11.14-MariaDB-0+deb12u2".
struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;

  static Version Parse(const std::string& text) {
    Version version;
    const char* const end = text.data() + text.size();
    auto read = std::from_chars(text.data(), end, version.major);
    if (read.ptr != end && *read.ptr == '.') read = std::from_chars(read.ptr + 1, end, version.minor);
    if (read.ptr != end && *read.ptr == '.') read = std::from_chars(read.ptr + 1, end, version.patch);
    return version;
  }
  bool Is(int a, int b, int c) const { return major == a && minor == b && patch == c; }
};

// Series whose last release has been made.
bool HasEnded(Flavor flavor, const Version& v) {
  if (flavor == Flavor::kMysql)
    return v.major < 8 || (v.major == 8 && v.minor < 4) || (v.major == 9 && v.minor < 7);
  if (v.major < 10) return true;
  if (v.major == 10) return v.minor != 11;
  return v.major == 11 && v.minor != 4 && v.minor != 8;
}

}  // namespace

std::optional<std::string> WarnOfRelease(Flavor flavor, const std::string& version) {
  const Version v = Version::Parse(version);
  if (flavor == Flavor::kMysql && (v.Is(8, 0, 38) || v.Is(8, 4, 1) || v.Is(9, 0, 0)))
    return "a server of the release " + version + " with more than 10,000 tables does not start again";
  if (HasEnded(flavor, v)) return "the series of the release " + version + " gets no repairs any more";
  return std::nullopt;
}

arrow::Result<Health> ReadHealth(Connection* connection, const ServerState& state, milliseconds between,
                                 const StopToken* stop) {
  Health health;
  ARROW_ASSIGN_OR_RAISE(const auto before, LookAtFiles(connection, state));
  const auto began = std::chrono::steady_clock::now();
  ARROW_ASSIGN_OR_RAISE(const auto prepared, Look(connection, "XA RECOVER"));
  if (prepared.has_value()) {
    health.prepared.emplace();
    for (const auto& row : *prepared) {
      if (row.size() == 4) health.prepared->push_back({XidOf(row)});
    }
  }
  ARROW_ASSIGN_OR_RAISE(
      const auto open,
      Look(connection,
           "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()), trx_rows_modified FROM "
           "information_schema.innodb_trx WHERE trx_rows_modified > 0 AND trx_mysql_thread_id > 0 AND "
           "trx_started < NOW() - INTERVAL 10 MINUTE ORDER BY trx_started LIMIT 10"));
  if (open.has_value()) {
    health.open.emplace();
    for (const auto& row : *open)
      health.open->push_back({ToNumber(row[0]), ToNumber(row[1]), ToNumber(row[2])});
  }
  ARROW_ASSIGN_OR_RAISE(const Rows counts,
                        connection->Query("SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', "
                                          "'Binlog_cache_use', 'Binlog_cache_disk_use')"));
  for (const auto& row : counts) {
    const std::string name = row[0].value_or("");
    const uint64_t value = ToNumber(row[1]);
    (name == "Threads_connected"  ? health.connections
     : name == "Binlog_cache_use" ? health.cached
                                  : health.cached_on_disk) = value;
  }
  if (!before.has_value()) return health;
  if (stop != nullptr) {
    stop->Wait(between);
  } else {
    std::this_thread::sleep_for(between);
  }
  ARROW_ASSIGN_OR_RAISE(health.files, LookAtFiles(connection, state));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!health.files.has_value() || seconds <= 0) return health;
  // A file may have been removed meanwhile.
  const auto was = static_cast<double>(BytesOf(*before));
  health.bytes_per_s = std::max(static_cast<double>(BytesOf(*health.files)) - was, 0.0) / seconds;
  return health;
}

std::vector<Finding> JudgeHealth(const Health& health, const Inspected& inspected) {
  return HealthJudgement(health, inspected).Judge();
}

}  // namespace arrowcdc::mysql
