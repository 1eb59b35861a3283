// PostgresSource with the real plugin: events, refusals before and during the stream, reconnects, positions.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arrow/array.h>

#include "arrowcdc/postgres.h"
#include "src/change/table_schema.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DetailOf;
using test::KindOf;
using test::PrivateServer;
using test::WaitFor;

constexpr seconds kLimit(30);
constexpr ResumeRequest kNew{.have = ResumeRequest::Have::kNothingYet};

class SourceServer : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = PrivateServer::Create({.tcp = true}).ValueOrDie(); }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    sql_ = server_->Connect().ValueOrDie();
    ARROWCDC_ASSERT_OK(
        sql_->Exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE users (id int PRIMARY "
                   "KEY, name text)"));
    options_.conninfo = server_->conninfo();
    options_.slot = "source_test";
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options_, {}));
    ARROWCDC_ASSERT_OK(ApplySetup(options_, plan, nullptr));
    source_ = MakePostgresSource(options_).ValueOrDie();
  }

  void TearDown() override {
    source_.reset();
    sql_ = server_->Connect().ValueOrDie();
    const auto dropped = [&] {
      return sql_->Query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots").ok();
    };
    ARROWCDC_EXPECT_OK(WaitFor(dropped, kLimit, "the slots"));
    ARROWCDC_EXPECT_OK(sql_->Exec(
        "DROP PUBLICATION IF EXISTS source_test; DROP PUBLICATION IF EXISTS source_test_insert_only"));
  }

  arrow::Status Begin() {
    ARROW_RETURN_NOT_OK(source_->Connect());
    ARROW_ASSIGN_OR_RAISE(const Position start, source_->Resume({}));
    return source_->Start(start);
  }

  // Events until `wanted` is true of one; keepalives and progress pass through it, too.
  arrow::Result<Event> Await(const std::function<bool(const Event&)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < deadline) {
      ARROW_ASSIGN_OR_RAISE(auto event, source_->Next(milliseconds(100)));
      if (event.has_value() && wanted(*event)) return *event;
    }
    return arrow::Status::IOError("the event did not come");
  }

  arrow::Result<ChangeBatch> AwaitBatch() {
    ARROW_ASSIGN_OR_RAISE(const Event event,
                          Await([](const Event& e) { return std::holds_alternative<ChangeBatch>(e); }));
    return std::get<ChangeBatch>(event);
  }

  arrow::Status End() {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < deadline) {
      auto event = source_->Next(milliseconds(100));
      if (!event.ok()) return event.status();
    }
    return arrow::Status::IOError("the stream did not end");
  }

  static int32_t Id(const ChangeBatch& batch) {
    return static_cast<const arrow::Int32Array&>(*batch.rows->column(0)).Value(0);
  }
  uint64_t ConfirmedFlush() { return GetSlotStatus(options_).ValueOrDie().confirmed_flush; }

  static std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<test::SqlConnection> sql_;
  PostgresOptions options_;
  std::unique_ptr<Source> source_;
};

std::unique_ptr<PrivateServer> SourceServer::server_;

// The same rows from a slot's copies, in fewer bytes.
TEST_F(SourceServer, Compression) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 20000) i"));
  const auto read = [&](WireCompression compression, const std::string& conninfo) {
    const std::string copy = "copy_" + std::to_string(static_cast<int>(compression)) +
                             (conninfo == options_.conninfo ? "_socket" : "_tcp");
    ARROWCDC_EXPECT_OK(sql_->Query("SELECT pg_copy_logical_replication_slot('source_test', '" + copy + "')"));
    PostgresOptions options = options_;
    options.conninfo = conninfo;
    options.slot = copy;
    options.publications = {"source_test"};
    options.compression = compression;
    source_ = MakePostgresSource(options).ValueOrDie();
    ARROWCDC_EXPECT_OK(Begin());
    int64_t rows = 0;
    while (rows < 20000) {
      auto batch = AwaitBatch();
      ARROWCDC_EXPECT_OK(batch);
      if (!batch.ok()) break;
      EXPECT_EQ(Id(*batch), rows + 1);
      rows += batch->rows->num_rows();
    }
    return source_->stats().received_bytes;
  };
  const uint64_t plain = read(WireCompression::kNone, options_.conninfo);
  EXPECT_LT(read(WireCompression::kLz4, options_.conninfo), plain * 7 / 10);
  EXPECT_LT(read(WireCompression::kZstd, options_.conninfo), plain / 2);
  EXPECT_GT(read(WireCompression::kAuto, options_.conninfo), plain * 9 / 10);
  EXPECT_GT(read(WireCompression::kAuto, options_.conninfo + " hostaddr=127.0.0.1"), plain * 9 / 10);
}

// A batch is full with 256 KiB, with 1 MiB where changes may wait.
TEST_F(SourceServer, BatchesAreLargerWhereChangesMayWait) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO users SELECT i, repeat('x', 1024) FROM generate_series(1, 4096) i"));
  const auto first_batch = [&](std::optional<milliseconds> latency) -> int64_t {
    PostgresOptions options = options_;
    options.latency = latency;
    source_ = MakePostgresSource(options).ValueOrDie();
    ARROWCDC_EXPECT_OK(Begin());
    const auto batch = AwaitBatch();
    ARROWCDC_EXPECT_OK(batch);
    return batch.ok() ? batch->rows->num_rows() : 0;
  };
  const int64_t at_once = first_batch(std::nullopt);
  EXPECT_GT(at_once, 200);
  EXPECT_LE(at_once, 256);
  const int64_t later = first_batch(milliseconds(10));
  EXPECT_GT(later, 900);
  EXPECT_LE(later, 1024);
}

TEST_F(SourceServer, InfoThenRowsThenAcknowledgement) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SourceInfo info, source_->Connect());
  EXPECT_EQ(info.stream.source.kind, "postgresql");
  EXPECT_EQ(info.stream.source.id,
            sql_->Scalar("SELECT system_identifier FROM pg_control_system()").ValueOrDie());
  EXPECT_EQ(info.end.epoch, 1u);
  EXPECT_EQ(info.stream.database, "postgres");
  EXPECT_EQ(info.stream.slot, "source_test");
  EXPECT_EQ(info.stream.publications, std::vector<std::string>{"source_test"});
  EXPECT_TRUE(info.stream.patterns.empty());
  PostgresOptions some = options_;
  some.tables = {"public.*", "!public.log"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SourceInfo patterned, MakePostgresSource(some).ValueOrDie()->Connect());
  EXPECT_EQ(patterned.stream.patterns, some.tables);
  EXPECT_GE(info.end.order, ConfirmedFlush());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source_->Resume(kNew));
  EXPECT_EQ(start, (Position{1, ConfirmedFlush()}));
  ARROWCDC_ASSERT_OK(source_->Start(start));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (7, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, AwaitBatch());
  EXPECT_EQ(batch.table->name, (TableName{"public", "users"}));
  EXPECT_EQ(batch.rows->num_rows(), 1);
  EXPECT_EQ(Id(batch), 7);
  EXPECT_TRUE(batch.group.group_end);
  source_->Acknowledge(*batch.group.safe);
  EXPECT_EQ(batch.group.safe->epoch, 1u);
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return ConfirmedFlush() == batch.group.safe->order; }, kLimit, "the slot"));
  EXPECT_GT(source_->stats().received_bytes, 0u);
  ARROWCDC_ASSERT_OK(source_->Stop());
  ARROWCDC_ASSERT_OK(source_->Stop());
  EXPECT_FALSE(GetSlotStatus(options_)->active);
  ARROWCDC_ASSERT_OK(source_->Connect());
  const arrow::Status used = source_->Resume(kNew).status();
  EXPECT_EQ(KindOf(used), ErrorKind::kPositionGap) << used.ToString();
  EXPECT_NE(used.message().find("already acknowledged elsewhere"), std::string::npos) << used.ToString();
  EXPECT_EQ(source_->Resume({}).ValueOrDie(), *batch.group.safe);
}

TEST_F(SourceServer, ReadWithoutAcknowledgementLeavesTheSlotUnused) {
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(AwaitBatch());
  ARROWCDC_ASSERT_OK(source_->Stop());
  ARROWCDC_ASSERT_OK(source_->Connect());
  ARROWCDC_ASSERT_OK(source_->Resume(kNew));
}

TEST_F(SourceServer, ReconnectsAfterATerminatedBackend) {
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch first, AwaitBatch());
  source_->Acknowledge(*first.group.safe);
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return ConfirmedFlush() == first.group.safe->order; }, kLimit, "the slot"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"));
  const arrow::Status ended = End();
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_TRUE(DetailOf(ended).retryable());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (2, 'y')"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Begin().ok(); }, kLimit, "the reconnect"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch second, AwaitBatch());
  EXPECT_EQ(Id(second), 2);
}

TEST_F(SourceServer, KeepaliveOnRequest) {
  ARROWCDC_ASSERT_OK(Begin());
  source_->RequestKeepalive();
  ARROWCDC_ASSERT_OK(Await([](const Event& e) { return std::holds_alternative<KeepaliveEvent>(e); }));
}

TEST_F(SourceServer, RefusalsBeforeTheStream) {
  const auto refused = [&](const PostgresOptions& options) {
    const arrow::Status status = MakePostgresSource(options).ValueOrDie()->Connect().status();
    EXPECT_FALSE(status.ok());
    return KindOf(status);
  };
  PostgresOptions options = options_;
  options.slot = "missing";
  EXPECT_EQ(refused(options), ErrorKind::kSlotMissing);
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_create_logical_replication_slot('other_plugin', 'test_decoding')"));
  options.slot = "other_plugin";
  EXPECT_EQ(refused(options), ErrorKind::kSlotMismatch);
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_physical_replication_slot('physical')"));
  options.slot = "physical";
  EXPECT_EQ(refused(options), ErrorKind::kSlotMismatch);
  options = options_;
  options.conninfo = server_->conninfo("template1");
  EXPECT_EQ(refused(options), ErrorKind::kSlotMismatch);
  options = options_;
  options.publications = {"nothing"};
  EXPECT_EQ(refused(options), ErrorKind::kPublicationMissing);
  ARROWCDC_ASSERT_OK(Begin());
  EXPECT_EQ(refused(options_), ErrorKind::kSlotActive);
  options.slot = "Not a slot";
  EXPECT_EQ(KindOf(MakePostgresSource(options).status()), ErrorKind::kInvalidOption);
}

TEST_F(SourceServer, PublicationDroppedInMidStream) {
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(AwaitBatch());
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP PUBLICATION source_test"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (2, 'x')"));
  const arrow::Status ended = End();
  EXPECT_EQ(KindOf(ended), ErrorKind::kPublicationMissing) << ended.ToString();
  EXPECT_EQ(DetailOf(ended).object(), "publication \"source_test\"");
  EXPECT_FALSE(DetailOf(ended).retryable());
}

TEST_F(SourceServer, InvalidatedSlot) {
  ARROWCDC_ASSERT_OK(server_->Set("max_slot_wal_keep_size", "1MB"));
  ARROWCDC_ASSERT_OK(server_->Reload());
  const auto lost = [&] {
    EXPECT_TRUE(sql_->Exec("SELECT pg_switch_wal()").ok());
    EXPECT_TRUE(sql_->Exec("INSERT INTO users SELECT i, repeat('x', 1000) FROM generate_series(1, 100) AS i; "
                           "TRUNCATE users")
                    .ok());
    EXPECT_TRUE(sql_->Exec("CHECKPOINT").ok());
    return GetSlotStatus(options_)->wal_status == "lost";
  };
  ARROWCDC_ASSERT_OK(WaitFor(lost, kLimit, "the invalidation"));
  EXPECT_EQ(KindOf(source_->Connect().status()), ErrorKind::kSlotInvalidated);
  EXPECT_EQ(KindOf(CheckObstacles(PlanSetup(options_, {}).ValueOrDie())), ErrorKind::kSlotInvalidated);
  EXPECT_EQ(PlanTeardown(options_)->steps.size(), 2u);
  ARROWCDC_ASSERT_OK(server_->Set("max_slot_wal_keep_size", "-1"));
  ARROWCDC_ASSERT_OK(server_->Reload());
}

TEST_F(SourceServer, InsertOnlyTablesComeToo) {
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('source_test')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP PUBLICATION source_test; CREATE TABLE log (line int)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options_, {.insert_only = true}));
  ARROWCDC_ASSERT_OK(ApplySetup(options_, plan, nullptr));
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO log VALUES (5); UPDATE log SET line = 6; INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch log, AwaitBatch());
  EXPECT_EQ(log.table->name.table, "log");
  EXPECT_EQ(log.rows->num_rows(), 1);
  EXPECT_EQ(Id(log), 5);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch users, AwaitBatch());
  EXPECT_EQ(users.table->name.table, "users");
}

TEST_F(SourceServer, FastShutdownWithTheClientAttached) {
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(AwaitBatch());
  sql_.reset();
  const auto begun = std::chrono::steady_clock::now();
  ARROWCDC_ASSERT_OK(server_->Stop(test::StopMode::kFast));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(2));
  const arrow::Status ended = End();
  EXPECT_TRUE(DetailOf(ended).retryable()) << ended.ToString();
  const arrow::Status away = source_->Connect().status();
  EXPECT_EQ(KindOf(away), ErrorKind::kConnection) << away.ToString();
  EXPECT_TRUE(DetailOf(away).retryable());
  ARROWCDC_ASSERT_OK(server_->Start());
}

// A session goes on as what it was when it began; the next one reads again who it is.
TEST_F(SourceServer, ARoleThatChangesMeanwhile) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto server,
      PrivateServer::Create({.hba =
                                 "local all all trust\nlocal replication all trust\nhost all,replication cdc "
                                 "127.0.0.1/32 scram-sha-256\n",
                             .tcp = true}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(
      sql->Exec("CREATE TABLE users (id int PRIMARY KEY); CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'one'"));
  PostgresOptions options;
  options.conninfo = server->conninfo();
  options.slot = "rotated";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(options, plan, nullptr));
  const auto passfile = server->data_directory().parent_path() / "passfile";
  const auto rotate = [&](const std::string& password) {
    std::ofstream(passfile) << "*:*:*:cdc:" << password << "\n";
    std::filesystem::permissions(passfile, std::filesystem::perms::owner_read);
  };
  rotate("one");
  options.conninfo = "host=127.0.0.1 dbname=postgres user=cdc port=" + std::to_string(server->port()) +
                     " passfile=" + passfile.string();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(source_, MakePostgresSource(options));
  const auto end_session = [&] {
    ARROWCDC_EXPECT_OK(sql->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"));
    EXPECT_TRUE(DetailOf(End()).retryable());
  };
  int32_t rows = 0;
  const auto expect_row = [&] {
    ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO users VALUES (" + std::to_string(++rows) + ")"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, AwaitBatch());
    EXPECT_EQ(Id(batch), rows);
    source_->Acknowledge(*batch.group.safe);
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          return sql->Scalar("SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots").ValueOr("") ==
                 std::to_string(batch.group.safe->order);
        },
        kLimit, "the slot"));
  };
  ARROWCDC_ASSERT_OK(Begin());
  expect_row();
  ARROWCDC_ASSERT_OK(sql->Exec("ALTER ROLE cdc PASSWORD 'two'"));
  expect_row();
  end_session();
  const arrow::Status old = Begin();
  EXPECT_EQ(KindOf(old), ErrorKind::kAuthentication) << old.ToString();
  std::filesystem::remove(passfile);
  rotate("two");
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Begin().ok(); }, kLimit, "the reconnect"));
  ARROWCDC_ASSERT_OK(sql->Exec("ALTER SYSTEM SET wal_sender_timeout = '7s'"));
  ARROWCDC_ASSERT_OK(sql->Query("SELECT pg_reload_conf()"));
  expect_row();
  ARROWCDC_ASSERT_OK(sql->Exec("ALTER ROLE cdc NOREPLICATION"));
  expect_row();
  end_session();
  arrow::Status refused;
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        refused = Begin();
        return !refused.ok() && !DetailOf(refused).retryable();
      },
      kLimit, "the refusal"));
  EXPECT_EQ(KindOf(refused), ErrorKind::kPermission) << refused.ToString();
  EXPECT_NE(refused.ToString().find("cdc"), std::string::npos) << refused.ToString();
  source_.reset();
}

// A file system of its own over a directory, with what the directory holds.
class SmallDisk {
 public:
  explicit SmallDisk(std::filesystem::path path) : path_(std::move(path)) {}
  ~SmallDisk() { umount2(path_.c_str(), MNT_DETACH); }

  bool Mount(const std::string& size) {
    struct stat owner;
    const auto kept = path_.parent_path().parent_path() / "kept";
    if (stat(path_.c_str(), &owner) != 0) return false;
    std::filesystem::copy(path_, kept);
    const std::string options = "mode=0700,size=" + size + ",uid=" + std::to_string(owner.st_uid) +
                                ",gid=" + std::to_string(owner.st_gid);
    if (mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) != 0) return false;
    for (const auto& file : std::filesystem::directory_iterator(kept)) {
      const auto copy = path_ / file.path().filename();
      std::filesystem::copy_file(file.path(), copy);
      if (chown(copy.c_str(), owner.st_uid, owner.st_gid) != 0) return false;
    }
    std::filesystem::remove_all(kept);
    return true;
  }
  bool Grow(const std::string& size) {
    return mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) == 0;
  }

 private:
  const std::filesystem::path path_;
};

// It spills a large transaction there. Once there is room the stream goes on, with all of it.
TEST_F(SourceServer, ADiskOfTheServerThatIsFull) {
  if (getuid() != 0) GTEST_SKIP() << "only root can mount a small file system";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server,
                                PrivateServer::Create({.settings = {{"logical_decoding_work_mem", "64kB"}}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE users (id int PRIMARY KEY)"));
  PostgresOptions options;
  options.conninfo = server->conninfo();
  options.slot = "full";
  options.streaming = false;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SetupPlan plan, PlanSetup(options, {}));
  ARROWCDC_ASSERT_OK(ApplySetup(options, plan, nullptr));
  sql.reset();
  ARROWCDC_ASSERT_OK(server->Stop(test::StopMode::kFast));
  SmallDisk disk(server->data_directory() / "pg_replslot" / "full");
  if (!disk.Mount("64k")) GTEST_SKIP() << "a small file system cannot be mounted";
  ARROWCDC_ASSERT_OK(server->Start());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO users SELECT generate_series(1, 20000)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(source_, MakePostgresSource(options));
  for (int session = 0; session < 2; ++session) {
    ARROWCDC_ASSERT_OK(Begin());
    const arrow::Status full = End();
    EXPECT_EQ(DetailOf(full).sqlstate(), "53100") << full.ToString();
    EXPECT_TRUE(DetailOf(full).retryable()) << full.ToString();
  }
  ASSERT_TRUE(disk.Grow("64m"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Begin().ok(); }, kLimit, "the reconnect"));
  for (int32_t rows = 0; rows < 20000;) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, AwaitBatch());
    EXPECT_EQ(Id(batch), rows + 1);
    rows += static_cast<int32_t>(batch.rows->num_rows());
  }
  source_.reset();
  sql.reset();
  ARROWCDC_ASSERT_OK(server->Stop(test::StopMode::kFast));
}

// A recovery to the end of the WAL gives the cluster a new timeline, as a failover does.
TEST_F(SourceServer, PositionsOverAPromotion) {
  const uint64_t before = GetSlotStatus(options_)->current_lsn;
  ARROWCDC_ASSERT_OK(server_->Stop(test::StopMode::kFast));
  const auto signal = server_->data_directory() / "recovery.signal";
  std::ofstream(signal).close();
  if (server_->run_as().has_value()) {
    ASSERT_EQ(chown(signal.c_str(), server_->run_as()->uid, server_->run_as()->gid), 0);
  }
  ARROWCDC_ASSERT_OK(server_->Set("restore_command", "false"));
  ARROWCDC_ASSERT_OK(server_->Start());
  sql_ = server_->Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return sql_->Scalar("SELECT pg_is_in_recovery()").ValueOr("t") == "f"; },
                             kLimit, "the promotion"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SourceInfo info, source_->Connect());
  ASSERT_EQ(info.end.epoch, 2u);
  const auto stored = [&](uint32_t timeline, uint64_t lsn) {
    return source_->Resume({ResumeRequest::Have::kStored, {timeline, lsn}});
  };
  EXPECT_EQ(stored(1, before).ValueOrDie(), (Position{2, before}));
  const arrow::Status diverged = stored(1, info.end.order).status();
  EXPECT_EQ(KindOf(diverged), ErrorKind::kPositionGap) << diverged.ToString();
  EXPECT_NE(diverged.message().find("has diverged"), std::string::npos) << diverged.ToString();
  EXPECT_EQ(KindOf(stored(3, before).status()), ErrorKind::kPositionGap);
  EXPECT_EQ(source_->Rebase({1, before}).ValueOrDie(), (Position{2, before}));
  EXPECT_EQ(source_->ParsePosition("0/10").ValueOrDie(), (Position{2, 0x10}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, source_->CurrentEnd());
  EXPECT_EQ(end.position.epoch, 2u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, stored(1, before));
  ARROWCDC_ASSERT_OK(source_->Start(start));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, AwaitBatch());
  EXPECT_EQ(batch.group.safe->epoch, 2u);
}

// What is said of a type before the start is what its column is then.
TEST_F(SourceServer, TablesSayWhatTheirColumnsWillBe) {
  const std::vector<std::string> types = {
      "bool", "int2", "int4", "int8", "float4", "float8", "\"char\"", "oid", "regclass", "regrole", "xid8",
      "pg_lsn", "numeric", "numeric(10,2)", "numeric(60,2)", "money", "text", "varchar(3)", "char(3)", "name",
      "bytea", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb",
      "xml", "inet", "macaddr", "bit(3)", "varbit", "point", "int4range", "int4multirange", "tsvector",
      "int2vector", "oidvector", "refcursor", "mood", "pair", "words", "words[]", "digits", "spans", "lists",
      "listed",
      // arrays
      "bool[]", "int2[]", "int4[]", "float8[]", "\"char\"[]", "regclass[]", "xid8[]", "pg_lsn[]", "numeric[]",
      "money[]", "text[]", "varchar(3)[]", "char(3)[]", "name[]", "bytea[]", "date[]", "time[]", "timetz[]",
      "timestamptz[]", "interval[]", "uuid[]", "jsonb[]", "xml[]", "inet[]", "bit(3)[]", "point[]",
      "int4range[]", "int2vector[]", "refcursor[]", "mood[]", "pair[]", "digits[]", "lists[]"};
  std::string sql =
      "CREATE TYPE mood AS ENUM ('calm'); CREATE TYPE pair AS (a int, b int);"
      "CREATE DOMAIN digits AS varchar(9); CREATE DOMAIN spans AS interval; CREATE DOMAIN lists AS int[];"
      "CREATE DOMAIN listed AS lists;"
      // As citext is made: another type whose functions are text's.
      "CREATE TYPE words;"
      "CREATE FUNCTION words_in(cstring) RETURNS words LANGUAGE internal STRICT IMMUTABLE AS 'textin';"
      "CREATE FUNCTION words_out(words) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'textout';"
      "CREATE TYPE words (input = words_in, output = words_out, internallength = variable);"
      "CREATE TABLE typed (id int PRIMARY KEY";
  for (size_t i = 0; i < types.size(); ++i) sql += ", c" + std::to_string(i) + " " + types[i];
  ARROWCDC_ASSERT_OK(sql_->Exec(sql + "); ALTER PUBLICATION source_test ADD TABLE typed"));
  ARROWCDC_ASSERT_OK(source_->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, source_->Tables());
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].name, (TableName{"public", "typed"}));
  EXPECT_EQ(tables[1].name, (TableName{"public", "users"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source_->Resume({}));
  ARROWCDC_ASSERT_OK(source_->Start(start));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO typed (id) VALUES (1)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch batch, AwaitBatch());
  ASSERT_EQ(tables[0].columns.size(), static_cast<size_t>(batch.table->column_count));
  int others = 0;
  for (int i = 0; i < batch.table->column_count; ++i) {
    const arrow::Field& field = *batch.table->schema->field(i);
    const SourceTable::Column& column = tables[0].columns[static_cast<size_t>(i)];
    EXPECT_EQ(column.name, field.name());
    const auto id = field.type()->id();
    const bool plain =
        id != arrow::Type::LIST && id != arrow::Type::STRUCT && id != arrow::Type::INTERVAL_MONTH_DAY_NANO;
    EXPECT_EQ(column.plain, plain) << column.type << " becomes " << field.type()->ToString();
    others += plain ? 0 : 1;
  }
  EXPECT_GT(others, 20);
}

// Keys in key order, columns that are sent, the name that changes come under.
TEST_F(SourceServer, TablesSayWhichColumnsAreTheKey) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE a (x int, y int, z int GENERATED ALWAYS AS (x + 1) STORED, PRIMARY KEY (y, x));"
      "CREATE TABLE b (x int, y int NOT NULL, w text); CREATE UNIQUE INDEX bi ON b (y) INCLUDE (w);"
      "ALTER TABLE b REPLICA IDENTITY USING INDEX bi;"
      "CREATE TABLE c (x int PRIMARY KEY, y int); ALTER TABLE c REPLICA IDENTITY FULL;"
      "CREATE TABLE d (x int PRIMARY KEY DEFERRABLE); CREATE TABLE e (x int PRIMARY KEY);"
      "ALTER TABLE e REPLICA IDENTITY NOTHING;"
      "CREATE TABLE p (x int PRIMARY KEY) PARTITION BY RANGE (x);"
      "CREATE TABLE p1 PARTITION OF p DEFAULT;"
      "CREATE TABLE q (x int PRIMARY KEY, y int, dropped int); ALTER TABLE q DROP COLUMN dropped;"
      "CREATE TABLE r (x int, y int, g int GENERATED ALWAYS AS (x + 1) STORED, h int GENERATED ALWAYS AS (x "
      "+ 2) "
      "STORED, PRIMARY KEY (y, g));"
      "CREATE TABLE s (x int, g int GENERATED ALWAYS AS (x + 1) STORED, PRIMARY KEY (x, g));"
      "CREATE TABLE t (x int, y int, PRIMARY KEY (x, y));"
      "ALTER PUBLICATION source_test SET TABLE a, b, c, d, e, p, q (x), r, s (x), t (y)"));
  ARROWCDC_ASSERT_OK(source_->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto tables, source_->Tables());
  std::string text;
  for (const SourceTable& table : tables) {
    text += table.name.table + ":" + ReplicaIdentityLetter(table.replica_identity);
    for (const auto& column : table.columns)
      text += " " + column.name + (column.key_place > 0 ? std::to_string(column.key_place) : "");
    text += "; ";
  }
  EXPECT_EQ(text,
            "a:d x2 y1; b:i x y1 w; c:f x y; d:d x; e:n x; p:d x1; q:d x1; r:d x y1 g2; s:d x; t:d y; ");
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION source_test SET (publish_via_partition_root = false)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto leaves, source_->Tables());
  EXPECT_EQ(leaves[5].name.table, "p1");
  EXPECT_EQ(leaves.size(), tables.size());
  // While it streams, too.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source_->Resume({}));
  ARROWCDC_ASSERT_OK(source_->Start(start));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, source_->Tables());
  EXPECT_EQ(streamed.size(), tables.size());
}

}  // namespace
}  // namespace arrowcdc::postgres
