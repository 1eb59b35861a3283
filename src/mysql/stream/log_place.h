// Where in a binlog: a file's number and an offset, as Position::order and _commit_lsn hold them, and what a
// position's token says besides.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/position.h"
#include "src/mysql/decode/gtid_set.h"

namespace arrowcdc::mysql {

struct LogPlace {
  uint32_t file = 0;    // its number
  uint64_t offset = 0;  // of 64 bits, although events carry 32
  auto operator<=>(const LogPlace&) const = default;
};

inline constexpr uint32_t kEpochMax = 255;

// The epoch in the highest 8 bits, since rows of all epochs are compared by it; then the file in 20, the
// offset in 36. Errors: kUnsupported where it does not fit, naming the file.
arrow::Result<uint64_t> MakeOrder(uint32_t epoch, const LogPlace& place);
LogPlace PlaceOf(uint64_t order);

// "binlog.000003:1234", also with the number alone, or the order as FormatLsn writes it. Errors:
// kInvalidOption.
arrow::Result<LogPlace> ParsePlace(std::string_view text);
// "binlog.000003:1234" with the base name, else "file 3, offset 1234".
std::string ToString(const LogPlace& place, const std::string& base);

// The transaction that was delivered last.
struct LastTransaction {
  TransactionId id;
  int64_t commit_ts = 0;  // as GtidBody has it
  LogPlace begin;
  // MariaDB: what its domain was at before; none: the transaction was the first of the domain.
  std::optional<MariadbGtid> before;
};

// Position::token.
struct LogToken {
  Flavor flavor = Flavor::kMysql;
  std::string server;  // whose files: MySQL's server_uuid, MariaDB's server_id; empty: of files
  std::string base;    // the files' names without dot and number
  GtidState state;     // all that was delivered, and what was there before the stream began
  std::optional<LastTransaction> last;                        // none: nothing was since the stream began
  std::vector<TableName> gone = {};                           // as GoneNames has them
  std::map<std::string, std::set<std::string>> dropped = {};  // the same of databases
};

std::string WriteToken(const LogToken& token);
// Errors: kPositionGap, where the text is none of this version's.
arrow::Result<LogToken> ReadToken(const std::string& text);

}  // namespace arrowcdc::mysql
