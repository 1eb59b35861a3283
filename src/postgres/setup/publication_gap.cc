// The catalog tells cheaply whether a publication is younger than what the slot still has to decode. Whether
// that matters only decoding can tell: by peeking, on a copy of the slot where it has to be moved.
#include "src/postgres/setup/publication_gap.h"

#include <algorithm>
#include <chrono>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPeekTime(5);
constexpr std::chrono::seconds kSearchTime(10);
constexpr int kPeekChanges = 10'000;

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

struct Peek {
  bool decodable = true;              // as far as it came
  std::optional<uint64_t> failed_at;  // the change for which there is no publication
};

// "... associated LSN 0/16B2D50": the text around the number is translated.
std::optional<uint64_t> LsnIn(const std::string& context) {
  const size_t slash = context.rfind('/');
  if (slash == std::string::npos) return std::nullopt;
  constexpr char kHex[] = "0123456789ABCDEFabcdef";
  size_t begin = slash;
  while (begin > 0 && std::string(kHex).find(context[begin - 1]) != std::string::npos) --begin;
  const size_t end = context.find_first_not_of(kHex, slash + 1);
  const auto lsn = ParseLsn(context.substr(begin, end == std::string::npos ? end : end - begin));
  return lsn.ok() ? std::optional(*lsn) : std::nullopt;
}

// Decodes without consuming.
arrow::Result<Peek> TryPeek(Connection& connection, const std::string& slot,
                            const std::vector<std::string>& publications, int changes) {
  ARROW_ASSIGN_OR_RAISE(const std::string slot_literal, QuoteLiteral(slot));
  ARROW_ASSIGN_OR_RAISE(const std::string names, JoinIdentifiers(publications));
  ARROW_ASSIGN_OR_RAISE(const std::string names_literal, QuoteLiteral(names));
  const std::string sql = "SELECT count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes(" +
                          slot_literal + ", NULL, " + std::to_string(changes) +
                          ", 'proto_min', '1', 'proto_max', '1', 'publication_names', " + names_literal + ")";
  ARROW_ASSIGN_OR_RAISE(const QueryResult result, connection.Execute(sql));
  if (PQresultStatus(result.raw()) == PGRES_TUPLES_OK) return Peek{};
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result.raw(), code);
    return std::string(text == nullptr ? "" : text);
  };
  ErrorContext context = connection.MakeContext(ErrorContext::Action::kStream);
  context.slot = slot;
  context.publications = publications;
  // 42704 of the plugin, and not of the function that looks for the slot.
  if (field(PG_DIAG_SQLSTATE) != "42704" || field(PG_DIAG_CONTEXT).find("wal2arrow") == std::string::npos)
    return ErrorFromResult(result.raw(), connection.raw(), context);
  return Peek{false, LsnIn(field(PG_DIAG_CONTEXT))};
}

// A copy of the slot that is gone with the session.
class SlotCopy {
 public:
  static arrow::Result<std::unique_ptr<SlotCopy>> Make(Connection& connection, const std::string& slot) {
    const std::string name = "arrowcdc_copy_" + std::to_string(PQbackendPID(connection.raw()));
    ARROW_ASSIGN_OR_RAISE(const std::string from, QuoteLiteral(slot));
    ARROW_ASSIGN_OR_RAISE(const std::string to, QuoteLiteral(name));
    ARROW_RETURN_NOT_OK(connection.Query("SELECT pg_catalog.pg_copy_logical_replication_slot(" + from + ", " +
                                         to + ", true)"));
    return std::unique_ptr<SlotCopy>(new SlotCopy(connection, name));
  }
  ~SlotCopy() { (void)connection_.Query("SELECT pg_catalog.pg_drop_replication_slot('" + name_ + "')"); }
  SlotCopy(const SlotCopy&) = delete;
  SlotCopy& operator=(const SlotCopy&) = delete;

  const std::string& name() const { return name_; }
  arrow::Status Advance(uint64_t lsn) {
    return connection_
        .Query("SELECT pg_catalog.pg_replication_slot_advance('" + name_ + "', '" + FormatLsn(lsn) + "')")
        .status();
  }

 private:
  SlotCopy(Connection& connection, std::string name) : connection_(connection), name_(std::move(name)) {}
  Connection& connection_;
  const std::string name_;
};

// Whether what commits after `lsn` can be decoded.
arrow::Result<bool> IsReadableFrom(Connection& connection, const std::string& slot,
                                   const std::vector<std::string>& names, uint64_t lsn) {
  ARROW_ASSIGN_OR_RAISE(const auto copy, SlotCopy::Make(connection, slot));
  ARROW_RETURN_NOT_OK(copy->Advance(lsn));
  ARROW_ASSIGN_OR_RAISE(const Peek peek, TryPeek(connection, copy->name(), names, kPeekChanges));
  return peek.decodable;
}

// The first position from which the rest can be decoded, by halves, as closely as time allows; `end` where it
// cannot be searched.
uint64_t FindReadable(Connection& connection, const std::string& slot, const std::vector<std::string>& names,
                      uint64_t lost, uint64_t end) {
  const auto deadline = Clock::now() + kSearchTime;
  while (end - lost > 1 && Clock::now() < deadline) {
    const uint64_t middle = lost + (end - lost) / 2;
    const auto readable = IsReadableFrom(connection, slot, names, middle);
    if (!readable.ok()) break;
    (*readable ? end : lost) = middle;
  }
  return end;
}

// Whether one of them was made, or altered, after what the slot has to decode next, as far as the catalog can
// tell: the slot's horizon may be that of an older slot. False is certain.
arrow::Result<bool> MayBeYounger(Connection& connection, const std::string& slot,
                                 const std::vector<std::string>& names) {
  ARROW_ASSIGN_OR_RAISE(const std::string literal, QuoteLiteral(slot));
  ARROW_ASSIGN_OR_RAISE(const std::string list, QuoteLiterals(names));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query("SELECT FROM pg_publication AS p, pg_replication_slots AS s WHERE s.slot_name = " +
                       literal + " AND p.pubname IN (" + list + ") AND age(p.xmin) <= age(s.catalog_xmin)"));
  return rows.rows() > 0;
}

// Looks only so long at what the slot holds.
class LimitedTime {
 public:
  static arrow::Result<std::unique_ptr<LimitedTime>> Begin(Connection& connection) {
    const std::string limit = std::to_string(std::chrono::milliseconds(kPeekTime).count());
    ARROW_RETURN_NOT_OK(connection.Query("SET statement_timeout = " + limit));
    return std::unique_ptr<LimitedTime>(new LimitedTime(connection));
  }
  ~LimitedTime() { (void)connection_.Query("SET statement_timeout = 0"); }
  LimitedTime(const LimitedTime&) = delete;
  LimitedTime& operator=(const LimitedTime&) = delete;

 private:
  explicit LimitedTime(Connection& connection) : connection_(connection) {}
  Connection& connection_;
};

arrow::Result<std::optional<PublicationGap>> Search(Connection& connection, const Inspection& inspected,
                                                    const std::vector<std::string>& names,
                                                    const std::vector<TableName>& tables) {
  const std::string& slot = inspected.slot->name;
  const auto peek = TryPeek(connection, slot, names, kPeekChanges);
  // Too much for a look, or it fails for another reason: the stream will tell.
  if (!peek.ok()) return std::nullopt;
  if (peek->decodable) return std::nullopt;
  PublicationGap gap;
  gap.first_lost = peek->failed_at.value_or(inspected.slot->confirmed_flush);
  const auto first = TryPeek(connection, slot, names, 1);
  gap.some_before = first.ok() && first->decodable;
  ARROW_ASSIGN_OR_RAISE(const QueryResult end, connection.Query("SELECT pg_current_wal_flush_lsn()"));
  ARROW_ASSIGN_OR_RAISE(gap.readable_from, end.Lsn(0, 0));
  gap.readable_from = FindReadable(connection, slot, names, gap.first_lost, gap.readable_from);
  const bool via_root = inspected.publications.empty() || inspected.publications[0].via_root;
  ARROW_ASSIGN_OR_RAISE(gap.survivors, FindSurvivors(connection, inspected, names, tables, via_root));
  return gap;
}

}  // namespace

arrow::Result<std::vector<std::string>> FindSurvivors(Connection& connection, const Inspection& inspected,
                                                      const std::vector<std::string>& names,
                                                      const std::vector<TableName>& tables, bool via_root) {
  std::vector<std::string> survivors;
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query("SELECT pubname FROM pg_publication ORDER BY 1"));
  std::vector<std::string> all_names;
  for (int row = 0; row < rows.rows(); ++row) all_names.push_back(rows.Text(row, 0));
  ARROW_ASSIGN_OR_RAISE(const auto publications, ReadPublications(connection, all_names));
  ARROW_ASSIGN_OR_RAISE(const auto limited, LimitedTime::Begin(connection));
  for (const PublicationInfo& publication : publications) {
    if (std::find(names.begin(), names.end(), publication.name) != names.end()) continue;
    const bool whole = publication.insert && publication.update && publication.remove &&
                       publication.truncate && publication.row_filtered.empty() &&
                       publication.via_root == via_root;
    const auto& all = inspected.catalog.tables();
    const bool covers = std::all_of(tables.begin(), tables.end(), [&](const TableName& name) {
      const auto table =
          std::find_if(all.begin(), all.end(), [&](const TableInfo& one) { return one.name == name; });
      return table != all.end() && inspected.catalog.IsPublished(*table, publication);
    });
    if (!whole || !covers) continue;
    const auto proof = TryPeek(connection, inspected.slot->name, {publication.name}, kPeekChanges);
    if (proof.ok() && proof->decodable) survivors.push_back(publication.name);
  }
  return survivors;
}

arrow::Result<std::optional<PublicationGap>> FindPublicationGap(Connection& connection,
                                                                const Inspection& inspected,
                                                                const std::vector<std::string>& names,
                                                                const std::vector<TableName>& tables) {
  ARROW_ASSIGN_OR_RAISE(const bool suspicious, MayBeYounger(connection, inspected.slot->name, names));
  if (!suspicious) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const auto limited, LimitedTime::Begin(connection));
  return Search(connection, inspected, names, tables);
}

arrow::Status GapError(const PublicationGap& gap, const std::string& publication, const std::string& slot) {
  const std::string from = FormatLsn(gap.first_lost);
  const std::string to = FormatLsn(gap.readable_from);
  std::string remedy;
  for (const std::string& survivor : gap.survivors) {
    remedy += remedy.empty() ? "publication " + Quoted(survivor) +
                                   " has been there all the time and publishes the same tables: stream with "
                                   "--publication " +
                                   survivor + " and nothing is lost. Without it: "
                             : "";
  }
  if (gap.some_before)
    remedy +=
        "stream once more: it delivers what was changed before the gap, and ends there with this error; "
        "then ";
  remedy += "run SELECT pg_replication_slot_advance('" + slot + "', '" + to +
            "') and stream with --accept-gap. Lost are the changes that committed between " + from + " and " +
            to + (gap.some_before ? "" : ", and nothing else") + ": the server cannot decode them";
  return MakeError(
      ErrorKind::kPublicationMissing,
      "the publication was dropped and made again after the slot: the slot cannot pass the change at " +
          from + ", which was made while there was no such publication",
      "publication " + Quoted(publication), remedy);
}

}  // namespace arrowcdc::postgres
