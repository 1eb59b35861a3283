// A copy that was interrupted within a table: what was finished stays where it is, and with what is read at
// the next point and the changes in between the files hold the table as it is.
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr int kRows = 60'000;

// Changes rows of `big` and `parted`, with savepoints, until it goes.
class Writers {
 public:
  Writers(const PrivateServer& server, uint64_t seed, int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, conninfo = server.conninfo(), seed, i] {
        Run(conninfo, seed * 1000003 + static_cast<uint64_t>(i));
      });
    }
  }
  ~Writers() { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  uint64_t transactions() const { return transactions_; }
  uint64_t refused() const { return refused_; }

 private:
  static std::string Statement(std::mt19937_64& random) {
    const std::string id = std::to_string(random() % kRows);
    switch (random() % 9) {
      case 0:
        return "INSERT INTO big SELECT nextval('ids'), 0, 'new', NULL FROM generate_series(1, 20)";
      case 1:  // to another place, with the large value as it is
        return "UPDATE big SET n = n + 1, note = note || '+' WHERE id BETWEEN " + id + " AND " + id + " + 20";
      case 2:
        return "UPDATE big SET id = nextval('ids') WHERE id = " + id;
      case 3:
        return "DELETE FROM big WHERE id BETWEEN " + id + " AND " + id + " + 5";
      case 4:
        return "INSERT INTO big VALUES (" + id +
               ", 0, 'back', repeat('b', 3000)) ON CONFLICT (id) DO UPDATE SET doc = 'small'";
      case 5:
        return "DELETE FROM big WHERE id = " + id + "; INSERT INTO big VALUES (" + id +
               ", 1, 'at once', NULL)";
      case 6:
        return "UPDATE parted SET part = 3 - part WHERE id = " + id;
      case 7:
        return "UPDATE parted SET id = nextval('ids'), note = 'moved' WHERE id = " + id;
      default:
        return "DELETE FROM parted WHERE id = " + id +
               "; INSERT INTO parted VALUES (nextval('ids'), 2, 'new')";
    }
  }

  void Run(const std::string& conninfo, uint64_t seed) {
    std::mt19937_64 random(seed);
    auto connected = SqlConnection::Connect(conninfo);
    if (!connected.ok()) return;
    SqlConnection& sql = **connected;
    while (!stop_) {
      std::string text = "BEGIN; ";
      for (uint64_t i = 0; i < 1 + random() % 4; ++i) {
        const uint64_t kind = random() % 4;
        if (kind < 3) text += "SAVEPOINT s; ";
        text += Statement(random) + "; ";
        if (kind < 3) text += kind == 0 ? "ROLLBACK TO s; " : "RELEASE s; ";
      }
      text += random() % 8 == 0 ? "ROLLBACK" : "COMMIT";
      if (sql.Exec(text).ok()) {
        ++transactions_;
        continue;
      }
      const std::string state = sql.last_sqlstate();
      (void)sql.Exec("ROLLBACK");
      // Deadlocks, and rows that another one has put in meanwhile.
      if (!state.starts_with("40") && state != "23505") ++refused_;
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> transactions_{0};
  std::atomic<uint64_t> refused_{0};
  std::vector<std::thread> threads_;
};

using Inodes = std::map<std::string, ino_t>;  // of files, by name

class SnapshotResumeTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    // Numbers of transactions beyond 32 bits.
    if (std::string(GetParam()) == "pgoutput") {
      ASSERT_NO_FATAL_FAILURE(RaiseEpoch());
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  }

  void RaiseEpoch() {
    ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto program, ServerProgram("pg_resetwal"));
    SubprocessOptions reset;
    reset.argv = {program, "-e", "5", server_->data_directory()};
    reset.run_as = server_->run_as();
    ARROWCDC_ASSERT_OK(RunProgram(reset).status());
    ARROWCDC_ASSERT_OK(server_->Start());
  }

  void MakeTables() {
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "CREATE SEQUENCE ids START 1000000;"
        "CREATE TABLE big (id int PRIMARY KEY, n int, note text, doc text);"
        "ALTER TABLE big ALTER doc SET STORAGE EXTERNAL;"
        "INSERT INTO big SELECT i, 0, repeat('x', 300), CASE WHEN i % 50 = 0 THEN repeat('d', 3000) END FROM "
        "generate_series(1, 60000) AS i;"
        "CREATE TABLE parted (id int, part int, note text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);"
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);"
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);"
        "INSERT INTO parted SELECT i, i % 2 + 1, repeat('p', 100) FROM generate_series(1, 60000) AS i;"
        "CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2)"));
  }
  static std::vector<std::string> Tables() { return {"public.big", "public.parted", "public.small"}; }

  void SetUpSlot(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables", "public.*", "--yes", "--plugin", GetParam()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", arguments));
  }

  // Parts of 64 KiB, some hundreds a table; larger ones where nobody waits for them.
  SubprocessOptions Client(bool until_now = false) {
    SubprocessOptions options;
    options.argv = {ARROWCDC_SMALL_PARTS_CLIENT, server_->conninfo(), files_.path(),
                    until_now ? "1048576" : "65536"};
    if (until_now) options.argv.emplace_back("--until-now");
    return options;
  }

  nlohmann::json Snapshot() const {
    std::ifstream file(files_.path() / "_arrowcdc_manifest.json");
    std::stringstream text;
    text << file.rdbuf();
    const auto manifest = nlohmann::json::parse(text.str(), nullptr, false);
    return manifest.is_object() && manifest.contains("snapshot") ? manifest["snapshot"] : nlohmann::json();
  }
  bool CopyIsComplete() const { return Snapshot().value("complete", false); }

  static ino_t InodeOf(const std::filesystem::path& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
  }

  // The files of a table's finished parts, by the names that they are to have.
  Inodes FinishedParts(const std::string& name) const {
    Inodes parts;
    const nlohmann::json snapshot = Snapshot();
    if (!snapshot.contains("parts")) return parts;
    for (const auto& copy : snapshot["parts"]) {
      if (copy["name"] != name) continue;
      for (const auto& part : copy["parts"]) {
        const std::string file = part["file"];
        if (file.empty()) continue;
        const std::string hidden = "." + file.substr(0, file.size() - 8) + ".inprogress";
        parts[file] = InodeOf(files_.path() / ("public." + name) / hidden);
        EXPECT_NE(parts[file], 0u) << file;
      }
    }
    return parts;
  }

  Inodes SnapshotFiles(const std::string& table) const {
    Inodes found;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table)) {
      const std::string name = entry.path().filename();
      if (name.ends_with("-snapshot.parquet")) found[name] = InodeOf(entry.path());
    }
    return found;
  }

  // The points of a table's copied rows, less one.
  std::set<std::string> PointsOf(const std::string& table) const {
    std::set<std::string> points;
    for (const auto& [name, inode] : SnapshotFiles(table)) points.insert(name.substr(0, 16));
    return points;
  }

  static void ExpectAmong(const Inodes& files, const Inodes& all) {
    for (const auto& [name, inode] : files) {
      const auto found = all.find(name);
      ASSERT_NE(found, all.end()) << name;
      EXPECT_EQ(found->second, inode) << name;
    }
  }

  // Runs a client until `count` more parts of the table are kept, and kills it.
  Inodes KillAfter(const std::string& table, size_t count) {
    const size_t before = FinishedParts(table).size();
    auto client = Subprocess::Start(Client()).ValueOrDie();
    const auto enough = [&] { return FinishedParts(table).size() >= before + count || !client->Running(); };
    EXPECT_TRUE(WaitFor(enough, seconds(120), "finished parts").ok()) << client->error();
    EXPECT_TRUE(client->Running()) << client->error();
    client->Kill();
    EXPECT_FALSE(CopyIsComplete());
    return FinishedParts(table);
  }

  // Parts that the last run has found there.
  int StreamUntilNow(const std::string& table) {
    auto client = Subprocess::Start(Client(true)).ValueOrDie();
    const auto ended = client->Wait(seconds(300));
    EXPECT_TRUE(ended.ok() && ended->ok()) << client->error();
    int kept = 0;
    std::istringstream lines(client->output());
    std::string point;
    std::string name;
    int parts_kept = 0;
    for (int parts = 0; lines >> point >> name >> parts_kept >> parts;) {
      if (name == table) kept = parts_kept;
    }
    return kept;
  }

  void Compare(const std::vector<std::string>& tables = Tables()) {
    ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
    ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), tables));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_P(SnapshotResumeTest, KilledAgainAndAgainWhileOthersWrite) {
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  Writers writers(*server_, Seed(), 3);
  std::mt19937_64 random(Seed());
  Inodes kept;
  for (int kill = 0; kill < 5; ++kill) {
    const Inodes now = KillAfter("big", 5 + random() % 30);
    ExpectAmong(kept, now);
    ASSERT_GT(now.size(), kept.size());
    kept = now;
    // Rows behind what is finished go to where that was, and the other way round.
    ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 40 = " + std::to_string(kill)));
    ARROWCDC_ASSERT_OK(sql_->Exec(kill % 2 == 0 ? "VACUUM (FREEZE) big" : "VACUUM (FREEZE) parted"));
    ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE big SET note = 'short' WHERE id % 30 = " + std::to_string(kill)));
    const uint64_t before = writers.transactions();
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return writers.transactions() > before + 50; }, seconds(60), "changes in between"));
  }
  // To the end, while they write; then what they have written since.
  EXPECT_GT(StreamUntilNow("public.big"), 20);
  ASSERT_TRUE(CopyIsComplete());
  writers.Stop();
  EXPECT_EQ(writers.refused(), 0u);
  std::printf("%llu transactions, %zu parts kept\n", static_cast<unsigned long long>(writers.transactions()),
              kept.size());
  StreamUntilNow("public.big");
  ExpectAmong(kept, SnapshotFiles("public.big"));
  EXPECT_GE(PointsOf("public.big").size(), 6u);
  EXPECT_EQ(Snapshot()["tables"].size(), 3u);
  EXPECT_FALSE(Snapshot().contains("parts"));
  ASSERT_NO_FATAL_FAILURE(Compare());
}

// The sessions that copy, and the one that holds the snapshot, are ended, and then the server crashes: the
// same process goes on.
TEST_P(SnapshotResumeTest, ALostSnapshotLosesNoPart) {
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  SubprocessOptions options = Client();
  options.argv.emplace_back("--until-now");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(options));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return FinishedParts("big").size() >= 10; }, seconds(60), "finished parts"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGSTOP));
  const Inodes kept = FinishedParts("big");
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 40 = 0; UPDATE big SET n = 7 WHERE id % 30 = 0"));
  ARROWCDC_ASSERT_OK(sql_->Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'arrowcdc' AND "
      "backend_type = 'client backend'"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGCONT));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return FinishedParts("big").size() >= kept.size() + 10; }, seconds(60),
                             "parts of another point"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGSTOP));  // it is not to be done before the server is away
  ARROWCDC_ASSERT_OK(server_->Restart(StopMode::kImmediate));
  ARROWCDC_ASSERT_OK(client->Signal(SIGCONT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 40 = 1; UPDATE big SET n = 8 WHERE id % 30 = 1"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(300)));
  EXPECT_TRUE(ended.ok()) << client->error();
  EXPECT_NE(client->error().find("again: "), std::string::npos) << "nothing was lost";
  ExpectAmong(kept, SnapshotFiles("public.big"));
  EXPECT_GE(PointsOf("public.big").size(), 3u);
  ASSERT_NO_FATAL_FAILURE(Compare());
}

// What makes the rows that were copied, or the changes since, others than those of the table that there is.
TEST_P(SnapshotResumeTest, TablesThatWereChangedStartAnew) {
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)"));
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"VACUUM FULL big", "big"},
      {"ALTER TABLE big ALTER n TYPE bigint", "big"},
      {"TRUNCATE big; INSERT INTO big SELECT i, 0, repeat('t', 300), NULL FROM generate_series(1, 50000) AS "
       "i",
       "big"},
      {"ALTER TABLE big ADD more int DEFAULT 3", "big"},
      {"ALTER PUBLICATION arrowcdc DROP TABLE big; DELETE FROM big WHERE id % 3 = 0; ALTER PUBLICATION "
       "arrowcdc "
       "ADD TABLE big",
       "big"},
      {"VACUUM FULL parted_2", "parted"},
      {"ALTER TABLE parted DETACH PARTITION parted_2; DELETE FROM parted_2 WHERE id % 3 = 0; ALTER TABLE "
       "parted "
       "ATTACH PARTITION parted_2 FOR VALUES IN (2)",
       "parted"},
  };
  for (const auto& [change, table] : changes) {
    SCOPED_TRACE(change);
    ASSERT_NO_FATAL_FAILURE(SetUpSlot());
    const Inodes kept = KillAfter(table, 5);
    ARROWCDC_ASSERT_OK(sql_->Exec(change));
    EXPECT_EQ(StreamUntilNow("public." + table), 0);
    EXPECT_EQ(PointsOf("public." + table).size(), 1u);
    for (const auto& [name, inode] : kept) EXPECT_FALSE(SnapshotFiles("public." + table).contains(name));
    ASSERT_NO_FATAL_FAILURE(Compare());
    // A new one, for the next change.
    for (const auto& entry : std::filesystem::directory_iterator(files_.path()))
      std::filesystem::remove_all(entry.path());
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "teardown", {"--yes"}));
    if (HasFailure()) break;
  }
}

// A row cannot be told from another one that is equal: copies at two points would have it twice.
TEST_P(SnapshotResumeTest, TablesWithoutAKeyStartAnew) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE big (id int, note text); ALTER TABLE big REPLICA IDENTITY FULL;"
                 "INSERT INTO big SELECT i % 1000, repeat('x', 300) FROM generate_series(1, 60000) AS i"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(Client()));
  const auto hidden = [&] {
    size_t count = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / "public.big", ignored))
      count += entry.path().extension() == ".inprogress" ? 1 : 0;
    return count;
  };
  ARROWCDC_ASSERT_OK(WaitFor([&] { return hidden() >= 10; }, seconds(60), "parts"));
  client->Kill();
  ASSERT_FALSE(CopyIsComplete());
  EXPECT_FALSE(Snapshot().contains("parts"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DELETE FROM big WHERE id % 7 = 0; UPDATE big SET note = 'y' WHERE id % 5 = 0"));
  EXPECT_EQ(StreamUntilNow("public.big"), 0);
  EXPECT_EQ(PointsOf("public.big").size(), 1u);
  ASSERT_NO_FATAL_FAILURE(Compare({"public.big"}));
}

// Nothing of what the files had before counts any more. Changes come beside its copy, which begins anew.
TEST_P(SnapshotResumeTest, ATableThatIsReadAnewBeginsAnew) {
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  StreamUntilNow("public.big");
  const Inodes first = SnapshotFiles("public.big");
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.big"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 10 = 0; UPDATE big SET n = 1 WHERE id % 10 = 1"));
  KillAfter("big", 10);
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 10 = 2; UPDATE big SET n = 3 WHERE id % 10 = 3"));
  EXPECT_EQ(StreamUntilNow("public.big"), 0);
  ExpectAmong(first, SnapshotFiles("public.big"));
  EXPECT_EQ(PointsOf("public.big").size(), 2u);
  EXPECT_EQ(PointsOf("public.parted").size(), 1u);
  ASSERT_NO_FATAL_FAILURE(Compare());
}

// A table is added, its copy is interrupted, and the stream goes on without the rest of it.
TEST_P(SnapshotResumeTest, TheStreamWentOnWithoutTheRest) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  StreamUntilNow("public.small");
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE small"));
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  ASSERT_NO_FATAL_FAILURE(SetUpSlot());
  KillAfter("big", 10);
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM big WHERE id % 10 = 0; UPDATE big SET n = 1 WHERE id % 10 = 1"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "stream",
                                {"--tables", "public.small", "--accept-tables", "--snapshot", "never",
                                 "--sink", "parquet:" + files_.path().string(), "--until", "now"}));
  EXPECT_GE(FinishedParts("big").size(), 10u);
  EXPECT_EQ(StreamUntilNow("public.big"), 0);
  EXPECT_EQ(PointsOf("public.big").size(), 1u);
  ASSERT_NO_FATAL_FAILURE(Compare({"public.big", "public.parted"}));
}

INSTANTIATE_TEST_SUITE_P(Plugins, SnapshotResumeTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
