// Publications of a stream that leaves nothing behind. Whether one is in use is told by two things, of which
// one is always there: a lock of the session that made it, and the temporary slot of the same name.
#include <array>
#include <cstdio>
#include <random>
#include <set>

#include "arrowcdc/error.h"
#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/publication.h"

namespace arrowcdc {
namespace {

using postgres::Connection;
using postgres::ConnectionMode;
using postgres::QueryResult;

// TemporarySetup::in_use.
struct Hold {
  std::unique_ptr<Connection> connection;  // has the lock
  postgres::ServerPlace place;             // of a connection string that may lead to several
};

constexpr std::string_view kPrefix = "arrowcdc_tail_";
constexpr size_t kDigits = 12;
constexpr char kComment[] = "made by arrowcdc tail, and gone with it";

std::string NewName() {
  std::random_device random;
  const uint64_t number = uint64_t{random()} << 32 | random();
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
  return std::string(kPrefix) + std::string(digits.data(), kDigits);
}

// True: nobody else has it, and this session has it now.
arrow::Result<bool> TryLock(Connection& connection, const std::string& name, const char* function) {
  ARROW_ASSIGN_OR_RAISE(const std::string key, postgres::QuoteLiteral("publication " + name));
  ARROW_ASSIGN_OR_RAISE(const QueryResult taken,
                        connection.Query("SELECT pg_catalog." + std::string(function) +
                                         "(pg_catalog.hashtextextended(" + key + ", 0))"));
  return taken.Bool(0, 0);
}

arrow::Status DropPublications(Connection& connection, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ARROW_ASSIGN_OR_RAISE(const std::string quoted, postgres::QuoteIdentifier(name));
    ARROW_RETURN_NOT_OK(
        connection.Query("DROP PUBLICATION IF EXISTS " + quoted,
                         connection.MakeContext(postgres::ErrorContext::Action::kPublication)));
  }
  return arrow::Status::OK();
}

// Both that a name may stand for.
std::vector<std::string> PublicationsOf(const std::string& name) {
  PostgresOptions source;
  source.slot = name;
  return {postgres::PublicationName(source), postgres::InsertOnlyPublicationName(source)};
}

arrow::Status DropIfLeftOver(Connection& connection, const std::string& name,
                             std::vector<std::string>* notes) {
  ARROW_ASSIGN_OR_RAISE(const bool locked, TryLock(connection, name, "pg_try_advisory_lock"));
  if (!locked) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string slot, postgres::QuoteLiteral(name));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult streams,
      connection.Query("SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = " + slot));
  if (streams.rows() == 0) {
    const arrow::Status dropped = DropPublications(connection, PublicationsOf(name));
    const ErrorDetail* const detail = GetErrorDetail(dropped);
    if (!dropped.ok() && (detail == nullptr || detail->kind() == ErrorKind::kConnection ||
                          detail->kind() == ErrorKind::kInterrupted))
      return dropped;
    notes->push_back(dropped.ok() ? "dropped publication \"" + name + "\", which one that was killed had left"
                                  : "publication \"" + name +
                                        "\", which one that was killed has left, could not be dropped: " +
                                        dropped.message());
  }
  return TryLock(connection, name, "pg_advisory_unlock").status();
}

arrow::Status DropLeftOvers(Connection& connection, std::vector<std::string>* notes) {
  ARROW_ASSIGN_OR_RAISE(const std::string comment, postgres::QuoteLiteral(kComment));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query("SELECT p.pubname FROM pg_catalog.pg_publication AS p WHERE "
                                         "pg_catalog.obj_description(p.oid, 'pg_publication') = " +
                                         comment + " AND pg_catalog.pg_has_role(p.pubowner, 'USAGE')"));
  std::set<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) {
    const std::string name = rows.Text(row, 0);
    if (name.starts_with(kPrefix)) names.insert(name.substr(0, kPrefix.size() + kDigits));
  }
  for (const std::string& name : names) ARROW_RETURN_NOT_OK(DropIfLeftOver(connection, name, notes));
  return arrow::Status::OK();
}

// What setup suggests to a role that may not, without what would stay.
arrow::Status CheckPlan(SetupPlan plan) {
  for (SetupObstacle& obstacle : plan.obstacles) {
    if (!obstacle.by_administrator) continue;
    const ErrorDetail* const detail = GetErrorDetail(obstacle.status);
    obstacle.status = MakeError(
        detail->kind(), obstacle.status.message(), detail->object(),
        "run it as a role that owns the tables and may CREATE in the database, or as a superuser; or let an "
        "administrator make a slot that stays ('arrowcdc setup --print-sql'), and stream that: arrowcdc "
        "stream --sink console --slot NAME");
  }
  return CheckObstacles(plan);
}

arrow::Status MakePublications(Connection& connection, const SetupPlan& plan, const std::string& name,
                               std::vector<std::string>* notes) {
  ARROW_ASSIGN_OR_RAISE(const std::string comment, postgres::QuoteLiteral(kComment));
  const std::vector<std::string> names = PublicationsOf(name);
  for (const SetupStep& step : plan.steps) {
    if (step.kind != SetupStepKind::kCreatePublication) continue;
    std::string of;
    for (const std::string& one : names) {
      ARROW_ASSIGN_OR_RAISE(const std::string quoted, postgres::QuoteIdentifier(one));
      if (step.sql.starts_with("CREATE PUBLICATION " + quoted + " ")) of = quoted;
    }
    // One transaction: it is never there without its comment.
    postgres::ErrorContext context = connection.MakeContext(postgres::ErrorContext::Action::kPublication);
    context.publications = {name};
    ARROW_RETURN_NOT_OK(
        connection.Query(step.sql + "; COMMENT ON PUBLICATION " + of + " IS " + comment, context));
    notes->push_back(step.what);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<TemporarySetup> MakeTemporarySetup(const PostgresOptions& source) {
  TemporarySetup setup{source, {}, {}, nullptr};
  setup.source.slot = NewName();
  setup.source.publications.clear();
  setup.source.temporary = true;
  const auto hold = std::make_shared<Hold>();
  ARROW_ASSIGN_OR_RAISE(hold->connection,
                        Connection::Open(source.conninfo, ConnectionMode::kSql, source.stop));
  ARROW_ASSIGN_OR_RAISE(hold->place, hold->connection->ReadPlace());
  setup.in_use = hold;
  Connection& connection = *hold->connection;
  ARROW_RETURN_NOT_OK(DropLeftOvers(connection, &setup.notes));
  ARROW_ASSIGN_OR_RAISE(const SetupPlan plan, PlanSetup(setup.source, {.insert_only = true}));
  ARROW_RETURN_NOT_OK(CheckPlan(plan));
  setup.source.plugin = plan.plugin;
  setup.tables = plan.tables;
  setup.notes.insert(setup.notes.end(), plan.warnings.begin(), plan.warnings.end());
  ARROW_RETURN_NOT_OK(TryLock(connection, setup.source.slot, "pg_try_advisory_lock"));
  const arrow::Status made = MakePublications(connection, plan, setup.source.slot, &setup.notes);
  if (!made.ok()) {
    (void)DropTemporarySetup(setup);
    return made;
  }
  return setup;
}

arrow::Status DropTemporarySetup(const TemporarySetup& setup) {
  constexpr std::chrono::milliseconds kPatience{500};
  const auto stop = std::make_shared<StopToken>();
  stop->StopAfter(kPatience);
  ARROW_ASSIGN_OR_RAISE(const auto connection,
                        Connection::OpenAt(std::static_pointer_cast<Hold>(setup.in_use)->place,
                                           setup.source.conninfo, ConnectionMode::kSql, stop));
  return DropPublications(*connection, PublicationsOf(setup.source.slot));
}

}  // namespace arrowcdc
