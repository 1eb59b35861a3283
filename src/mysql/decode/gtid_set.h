// Which transactions: MySQL's sets of global transaction identifiers, with tags, and MariaDB's positions by
// domain. No I/O.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "src/mysql/decode/flavor.h"

namespace arrowcdc::mysql {

using Uuid = std::array<uint8_t, 16>;
std::string ToString(const Uuid& uuid);
// Errors: kProtocol.
arrow::Result<Uuid> ParseUuid(std::string_view text);

// MySQL's: who, a tag or none, and the number.
struct Gtid {
  struct Source {
    Uuid uuid{};
    std::string tag;
    auto operator<=>(const Source&) const = default;
  };
  Source source;
  int64_t number = 0;
  bool operator==(const Gtid&) const = default;
};

// MariaDB's.
struct MariadbGtid {
  uint32_t domain = 0;
  uint32_t server_id = 0;
  uint64_t number = 0;
  auto operator<=>(const MariadbGtid&) const = default;
};

// None: a transaction that has no identifier (MySQL with gtid_mode=OFF).
using TransactionId = std::variant<std::monostate, Gtid, MariadbGtid>;
// As the servers write it; empty for none.
std::string ToString(const TransactionId& id);
// Errors: kProtocol.
arrow::Result<TransactionId> ParseTransactionId(std::string_view text);

// MySQL's set.
class GtidSet {
 public:
  // As gtid_executed has it. Errors: kProtocol.
  static arrow::Result<GtidSet> Parse(std::string_view text);

  void Add(const Gtid& gtid) { AddInterval(gtid.source, gtid.number, gtid.number + 1); }
  void Add(const GtidSet& other);
  void Remove(const Gtid& gtid);
  bool Contains(const Gtid& gtid) const;
  bool Contains(const GtidSet& other) const;
  bool SharesSource(const GtidSet& other) const;
  bool empty() const { return sources_.empty(); }

  std::string ToString() const;
  // As COM_BINLOG_DUMP_GTID takes it.
  std::string Encode() const;

 private:
  struct Interval {
    int64_t begin;
    int64_t end;  // behind the last
  };
  void AddInterval(const Gtid::Source& source, int64_t begin, int64_t end);
  std::map<Gtid::Source, std::vector<Interval>> sources_;  // sorted, apart from each other
};

// All that has been delivered, of either family: a set, or the last of each domain.
class GtidState {
 public:
  explicit GtidState(Flavor flavor = Flavor::kMysql) : flavor_(flavor) {}
  // Errors: kProtocol.
  static arrow::Result<GtidState> Parse(Flavor flavor, std::string_view text);

  void Add(const TransactionId& id);
  void Add(const GtidState& later);

  Flavor flavor() const { return flavor_; }
  const GtidSet& set() const { return set_; }
  GtidSet& set() { return set_; }
  // By domain.
  const std::map<uint32_t, MariadbGtid>& domains() const { return domains_; }
  std::map<uint32_t, MariadbGtid>& domains() { return domains_; }

  std::string ToString() const;

 private:
  Flavor flavor_;
  GtidSet set_;
  std::map<uint32_t, MariadbGtid> domains_;
};

// Of gtid_binlog_state: a list in which a domain may be several times, by server. Errors: kProtocol.
arrow::Result<std::vector<MariadbGtid>> ParseMariadbGtids(std::string_view text);

}  // namespace arrowcdc::mysql
