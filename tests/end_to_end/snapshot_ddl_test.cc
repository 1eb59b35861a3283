// A table that is dropped, renamed, detached, altered, rewritten or truncated while its rows are copied, when
// some parts of it are there or before the first is read; in the first copy, and beside a stream.
// What the files hold then is what docs/snapshot.md says.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <tuple>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr seconds kLimit(120);

struct Change {
  const char* name;
  const char* sql;
  const char* table;    // whose rows are copied
  const char* becomes;  // what its rows come under then; empty: there are none
  bool noticed = true;  // it is copied at another point
};

constexpr Change kChanges[] = {
    {"Drop", "DROP TABLE big", "big", ""},
    {"Rename", "ALTER TABLE big RENAME TO large", "big", "large"},
    {"DetachPartition", "ALTER TABLE parted DETACH PARTITION parted_2", "parted", "parted"},
    // Copied rows do not have it, nor does a change that does not touch it.
    {"AddColumn", "ALTER TABLE big ADD more int DEFAULT 3; UPDATE big SET n = n", "big", "big", false},
    {"DropColumn", "ALTER TABLE big DROP n", "big", "big"},
    {"VacuumFull", "VACUUM FULL big", "big", "big"},
    {"AlterType", "ALTER TABLE big ALTER n TYPE bigint", "big", "big"},
    {"Truncate", "TRUNCATE big", "big", "big"},
};

// Behind it, by name: what the stream brings of the table.
constexpr char kAfter[] =
    "DO $$ BEGIN "
    "IF to_regclass('public.big') IS NOT NULL THEN INSERT INTO big (id, note) VALUES (-1, 'after'); "
    "DELETE FROM big WHERE id = 7; END IF; "
    "IF to_regclass('public.large') IS NOT NULL THEN INSERT INTO large (id, note) VALUES (-1, 'after'); "
    "DELETE FROM large WHERE id = 7; END IF; "
    "UPDATE parted SET note = 'after' WHERE id = 7; END $$";

enum Moment { kBetweenParts, kBeforeItIsRead };
enum Way { kFirstCopy, kBesideTheStream };

class SnapshotOfTablesThatChange : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)"));
  }

  SubprocessOptions Client(const std::string& part_bytes, bool until_now) {
    SubprocessOptions options;
    options.argv = {ARROWCDC_SMALL_PARTS_CLIENT, server_->conninfo(), files_.path(), part_bytes};
    if (until_now) options.argv.emplace_back("--until-now");
    return options;
  }
  void RunUntilNow() { ARROWCDC_ASSERT_OK(RunProgram(Client("67108864", true), kLimit).status()); }

  void SetUpSlot(const std::string& plugin) {
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", plugin}));
  }

  size_t Count(const std::string& table, const std::string& suffix, bool hidden) const {
    size_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / ("public." + table), none)) {
      const std::string name = entry.path().filename();
      count += name.ends_with(suffix) && name.starts_with('.') == hidden ? 1 : 0;
    }
    return count;
  }
  size_t CopiedFiles(const std::string& table) const { return Count(table, "-snapshot.parquet", false); }

  // That of finished parts of the table, the latest; empty: there are none.
  std::string PointOf(const std::string& table) const {
    std::string point;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / ("public." + table), none)) {
      const std::string name = entry.path().filename();
      if (name.ends_with("-snapshot.inprogress")) point = std::max(point, name.substr(1, 16));
    }
    return point;
  }

  nlohmann::json Snapshot() const {
    std::ifstream file(files_.path() / "_arrowcdc_manifest.json");
    const auto manifest = nlohmann::json::parse(file, nullptr, false);
    return manifest.is_object() && manifest.contains("snapshot") ? manifest["snapshot"] : nlohmann::json();
  }
  bool IsCopied(const std::string& table) const {
    const nlohmann::json snapshot = Snapshot();
    if (!snapshot.contains("tables")) return false;
    return std::any_of(snapshot["tables"].begin(), snapshot["tables"].end(),
                       [&](const auto& copied) { return copied["name"] == table; });
  }

  // Returns while parts of the table are there, others are not, and the client stands still.
  void HoldInCopyOf(const std::string& table) {
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return Count(table, "-snapshot.inprogress", true) >= 5 || !client_->Running(); },
                kLimit, "parts of " + table));
    ARROWCDC_ASSERT_OK(client_->Signal(SIGSTOP));
    ASSERT_GE(Count(table, "-snapshot.inprogress", true), 5u) << client_->error();
    ASSERT_EQ(CopiedFiles(table), 0u) << "the table is too small: its copy is over";
  }

  // It may have to wait for the part that is being read.
  void ChangeIt(const std::string& change) {
    auto changed = std::async(std::launch::async, [&] {
      ARROW_ASSIGN_OR_RAISE(const auto sql, server_->Connect());
      return sql->Exec(change);
    });
    const arrow::Status queued = WaitFor(
        [&] {
          return changed.wait_for(seconds(0)) == std::future_status::ready ||
                 sql_->Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
                         .ValueOr("0") != "0";
        },
        kLimit, "the change, or that it waits for a lock");
    const arrow::Status goes_on = client_->Signal(SIGCONT);
    ARROWCDC_ASSERT_OK(changed.get());
    ARROWCDC_ASSERT_OK(queued);
    ARROWCDC_ASSERT_OK(goes_on);
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<Subprocess> client_;
};

class SnapshotDdl : public SnapshotOfTablesThatChange,
                    public ::testing::WithParamInterface<std::tuple<Change, Moment, Way>> {
 protected:
  // The largest is copied first, and a table's leaves one after the other.
  void MakeTables() {
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE first (id int PRIMARY KEY, n int, note text);"
                   "CREATE TABLE big (id int PRIMARY KEY, n int, note text);"
                   "CREATE TABLE parted (id int PRIMARY KEY, n int, note text) PARTITION BY RANGE (id);"
                   "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (15000);"
                   "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (15000) TO (90000)"));
    const auto fill = [&](const std::string& table, int rows) {
      return sql_->Exec("INSERT INTO " + table + " SELECT i, i, repeat('x', 300) FROM generate_series(1, " +
                        std::to_string(rows) + ") AS i");
    };
    const auto& [change, moment, way] = GetParam();
    const std::string table = change.table;
    ARROWCDC_ASSERT_OK(fill(table, 20000));
    ARROWCDC_ASSERT_OK(fill(table == "big" ? "parted" : "big", 100));
    ARROWCDC_ASSERT_OK(fill("first", moment == kBetweenParts ? 100 : 40000));
  }

  void StartCopy() {
    if (std::get<Way>(GetParam()) == kFirstCopy) {
      ASSERT_NO_FATAL_FAILURE(MakeTables());
      ASSERT_NO_FATAL_FAILURE(SetUpSlot("wal2arrow"));
      ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Client("65536", false)));
      return;
    }
    ASSERT_NO_FATAL_FAILURE(SetUpSlot("pgoutput"));
    ASSERT_NO_FATAL_FAILURE(RunUntilNow());
    ASSERT_NO_FATAL_FAILURE(MakeTables());
    ASSERT_NO_FATAL_FAILURE(SetUpSlot("pgoutput"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Client("65536", false)));
  }
};

TEST_P(SnapshotDdl, TheFilesHoldTheTableThatThereIs) {
  const auto& [change, moment, way] = GetParam();
  ASSERT_NO_FATAL_FAILURE(StartCopy());
  ASSERT_NO_FATAL_FAILURE(HoldInCopyOf(moment == kBetweenParts ? change.table : "first"));
  ASSERT_NO_FATAL_FAILURE(ChangeIt(change.sql));
  ARROWCDC_ASSERT_OK(sql_->Exec(kAfter));
  const std::string becomes = change.becomes;
  // What is in the way of one table is said behind all the others.
  const auto said = [&] {
    return !change.noticed || client_->error().find("while its rows were copied") != std::string::npos;
  };
  const auto is_done = [&] {
    if (!client_->Running()) return true;
    return IsCopied(becomes.empty() ? "first" : becomes) && IsCopied("first") && IsCopied("parted") && said();
  };
  ARROWCDC_ASSERT_OK(WaitFor(is_done, kLimit, "the copy"));
  ASSERT_TRUE(client_->Running()) << client_->error();
  client_->Kill();
  ASSERT_NO_FATAL_FAILURE(RunUntilNow());
  std::vector<std::string> tables = {"public.other", "public.first", "public.parted"};
  if (!becomes.empty() && becomes != "parted") tables.push_back("public." + becomes);
  if (becomes == "parted") tables.emplace_back("public.big");
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), tables));
  if (becomes != change.table) {
    EXPECT_EQ(CopiedFiles(change.table), 0u) << "of a table that is not there any more";
  }
  EXPECT_EQ(Count(change.table, "-snapshot.inprogress", true), 0u) << "parts that count no more";
  EXPECT_TRUE(said()) << client_->error();
}

INSTANTIATE_TEST_SUITE_P(
    All, SnapshotDdl,
    ::testing::Combine(::testing::ValuesIn(kChanges), ::testing::Values(kBetweenParts, kBeforeItIsRead),
                       ::testing::Values(kFirstCopy, kBesideTheStream)),
    [](const auto& info) {
      return std::string(std::get<Change>(info.param).name) +
             (std::get<Moment>(info.param) == kBetweenParts ? "BetweenParts" : "BeforeItIsRead") +
             (std::get<Way>(info.param) == kFirstCopy ? "InTheFirstCopy" : "BesideTheStream");
    });

// The largest is read first. What is copied with it is complete with the first point.
TEST_F(SnapshotOfTablesThatChange, OneThatIsChangedAgainAndAgainIsInTheWayOfNoOther) {
  for (const auto& [table, rows] : {std::pair{"hot", 30000}, std::pair{"calm", 20000}}) {
    const std::string name = table;
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE " + name + " (id int PRIMARY KEY, note text); INSERT INTO " +
                                  name + " SELECT i, repeat('x', 300) FROM generate_series(1, " +
                                  std::to_string(rows) + ") AS i"));
  }
  ASSERT_NO_FATAL_FAILURE(SetUpSlot("wal2arrow"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Client("65536", false)));
  constexpr int kChanged = 3;
  std::string point;
  for (int i = 0; i < kChanged; ++i) {
    // Parts of a point before are there until the next one is taken.
    const auto is_later = [&] { return PointOf("hot") > point || !client_->Running(); };
    ARROWCDC_ASSERT_OK(WaitFor(is_later, kLimit, "parts of another point\n" + client_->error()));
    EXPECT_TRUE(i == 0 || (IsCopied("calm") && IsCopied("other"))) << client_->error();
    ASSERT_NO_FATAL_FAILURE(HoldInCopyOf("hot"));
    point = PointOf("hot");
    ASSERT_NO_FATAL_FAILURE(ChangeIt("VACUUM FULL hot"));
  }
  ARROWCDC_ASSERT_OK(WaitFor([&] { return IsCopied("hot") || !client_->Running(); }, kLimit, "the copy"));
  ASSERT_TRUE(client_->Running()) << client_->error();
  client_->Kill();
  ASSERT_NO_FATAL_FAILURE(RunUntilNow());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.hot", "public.calm", "public.other"}));
}

}  // namespace
}  // namespace arrowcdc::test
