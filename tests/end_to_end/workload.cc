#include "tests/end_to_end/workload.h"

#include <functional>
#include <memory>
#include <mutex>
#include <random>

#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE w_journal (id bigserial PRIMARY KEY, at pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn());
CREATE TABLE w_account (id bigint PRIMARY KEY, owner text, balance numeric(14,2), active bool, opened timestamptz, meta jsonb);
CREATE TABLE w_document (id bigint PRIMARY KEY, revision int, body text, attachment bytea);
ALTER TABLE w_document ALTER body SET STORAGE EXTERNAL, ALTER attachment SET STORAGE EXTERNAL;
CREATE TABLE w_bag (kind int, amount float8, label text);
ALTER TABLE w_bag REPLICA IDENTITY FULL;
CREATE TABLE w_pair (a int, b text, n bigint, PRIMARY KEY (b, a));
CREATE TABLE w_indexed (id int, code uuid NOT NULL, tags int[]);
CREATE UNIQUE INDEX w_indexed_code ON w_indexed (code);
ALTER TABLE w_indexed REPLICA IDENTITY USING INDEX w_indexed_code;
CREATE TABLE w_shape (id bigint PRIMARY KEY, a int);
CREATE TABLE w_part (id bigint, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE w_part_1 PARTITION OF w_part FOR VALUES IN (1);
CREATE TABLE w_part_2 (v text, region int NOT NULL, id bigint NOT NULL);
ALTER TABLE w_part ATTACH PARTITION w_part_2 FOR VALUES IN (2);
)";

class Generator {
 public:
  Generator(uint64_t seed, int thread) : random_(seed * 1000003 + static_cast<uint64_t>(thread)) {}

  std::string Id() { return std::to_string(Below(400)); }
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // One statement or several; each is right whatever the tables hold.
  std::string Statement() {
    switch (Below(20)) {
      case 0:
      case 1:
        return "INSERT INTO w_account VALUES (" + Id() + ", 'owner " + Id() + "', " + Amount() +
               ", random() < 0.5, now(), jsonb_build_object('k', " + Id() +
               ", 'list', '[1, 2.50, null]'::jsonb)) "
               "ON CONFLICT (id) DO UPDATE SET balance = EXCLUDED.balance, meta = NULL";
      case 2:
        return "INSERT INTO w_account SELECT g, repeat('x', g % 50), g / 7.0, NULL, now(), NULL FROM "
               "generate_series(" +
               Id() + ", " + Id() + ") g ON CONFLICT DO NOTHING";
      case 3:
        return "UPDATE w_account SET balance = balance + " + Amount() +
               " WHERE id % 17 = " + std::to_string(Below(17));
      case 4:
        return "UPDATE w_account SET id = id + 100000 WHERE id = " + Id() +
               " AND NOT EXISTS (SELECT FROM w_account o WHERE o.id = w_account.id + 100000)";
      case 5:
        return "DELETE FROM w_account WHERE id % 29 = " + std::to_string(Below(29));
      case 6:
      case 7:
        return "INSERT INTO w_document VALUES (" + Id() + ", 0, repeat(md5(random()::text), " +
               std::to_string(Below(400)) + "), decode(repeat(md5(random()::text), " +
               std::to_string(Below(300)) +
               "), 'hex')) "
               "ON CONFLICT (id) DO UPDATE SET revision = w_document.revision + 1";
      case 8:
        return "UPDATE w_document SET revision = revision + 1 WHERE id % 13 = " + std::to_string(Below(13));
      case 9:
        return "UPDATE w_document SET body = body || 'more' WHERE id = " + Id();
      case 10:
        return "DELETE FROM w_document WHERE id = " + Id();
      case 11:
        return "INSERT INTO w_bag SELECT g % 3, CASE g % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE g::float8 "
               "END, 'label' FROM generate_series(1, " +
               std::to_string(1 + Below(40)) + ") g";
      case 12:
        return "UPDATE w_bag SET label = label || '.' WHERE ctid IN (SELECT ctid FROM w_bag LIMIT " +
               std::to_string(Below(5)) + ")";
      case 13:
        return "DELETE FROM w_bag WHERE ctid IN (SELECT ctid FROM w_bag LIMIT " + std::to_string(Below(20)) +
               ")";
      case 14:
        return "INSERT INTO w_pair VALUES (" + Id() + ", 'b" + std::to_string(Below(5)) +
               "', 1) ON CONFLICT (b, a) DO UPDATE SET n = w_pair.n + 1";
      case 15:
        return "UPDATE w_pair SET b = b || 'z' WHERE a = " + Id() +
               " AND length(b) < 5 AND NOT EXISTS "
               "(SELECT FROM w_pair o WHERE o.a = w_pair.a AND o.b = w_pair.b || 'z')";
      case 16:
        return "INSERT INTO w_indexed VALUES (" + Id() + ", gen_random_uuid(), ARRAY[1, NULL, " + Id() +
               "]); "
               "UPDATE w_indexed SET code = gen_random_uuid(), tags = '{}' WHERE id = " +
               Id();
      case 17:
        return "INSERT INTO w_part VALUES (" + Id() + ", " + std::to_string(1 + Below(2)) +
               ", 'v') ON CONFLICT DO NOTHING; "
               "UPDATE w_part SET v = v || 'u' WHERE id = " +
               Id() + " AND length(v) < 50";
      case 18:
        return "UPDATE w_part SET region = 3 - region WHERE id = " + Id() +
               " AND NOT EXISTS (SELECT FROM w_part o WHERE o.id = w_part.id AND o.region = 3 - "
               "w_part.region)";
      default:
        return "INSERT INTO w_shape (id) VALUES (" + Id() +
               ") ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id";
    }
  }

  // The columns that remain come back to the same names and types from time to time, so that replayed values
  // stay comparable.
  std::string SchemaChange() {
    switch (Below(6)) {
      case 0:
        return "ALTER TABLE w_shape ADD COLUMN IF NOT EXISTS b text DEFAULT 'dflt'";
      case 1:
        return "ALTER TABLE w_shape DROP COLUMN IF EXISTS b";
      case 2:
        return "DO $$ BEGIN ALTER TABLE w_shape RENAME COLUMN a TO a_renamed; EXCEPTION WHEN "
               "undefined_column THEN "
               "ALTER TABLE w_shape RENAME COLUMN a_renamed TO a; END $$";
      case 3:
        return "ALTER TABLE w_shape ADD COLUMN IF NOT EXISTS c int; UPDATE w_shape SET c = 5 WHERE id % 3 = "
               "0";
      case 4:
        return "ALTER TABLE w_shape DROP COLUMN IF EXISTS c";
      default:
        return "ALTER TABLE w_shape ADD COLUMN IF NOT EXISTS d int; ALTER TABLE w_shape ALTER COLUMN d TYPE "
               "bigint; "
               "ALTER TABLE w_shape DROP COLUMN d";
    }
  }

 private:
  std::string Amount() { return std::to_string(Below(1000000)) + ".25"; }

  std::mt19937_64 random_;
};

}  // namespace

arrow::Status CreateWorkloadTables(SqlConnection& sql) { return sql.Exec(kTables); }

std::vector<std::string> WorkloadTables() {
  return {"public.w_journal", "public.w_account", "public.w_document", "public.w_bag",
          "public.w_pair",    "public.w_indexed", "public.w_shape",    "public.w_part"};
}

Workload::Workload(const PrivateServer& server, uint64_t seed, int threads) {
  for (int thread = 0; thread < threads; ++thread) {
    threads_.emplace_back(
        [this, conninfo = server.conninfo(), seed, thread] { Run(conninfo, seed, thread); });
  }
}

Workload::~Workload() { Stop(); }

void Workload::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::string Workload::last_refusal() const {
  const std::lock_guard lock(mutex_);
  return last_refusal_;
}

void Workload::Run(const std::string& conninfo, uint64_t seed, int thread) {
  Generator generator(seed, thread);
  std::unique_ptr<SqlConnection> sql;
  while (!stop_) {
    if (sql == nullptr) {
      auto connected = SqlConnection::Connect(conninfo);
      if (!connected.ok()) {
        (void)WaitFor([this] { return stop_.load(); }, std::chrono::milliseconds(20), "the server is away");
        continue;
      }
      sql = std::move(*connected);
      (void)sql->Exec("SET lock_timeout = '2s'; SET client_min_messages = error");
    }
    const uint64_t kind = generator.Below(100);
    const bool schema_change = kind < 3 && thread == 0;
    std::string text = "BEGIN; INSERT INTO w_journal DEFAULT VALUES; ";
    const uint64_t statements = 1 + generator.Below(4);
    for (uint64_t i = 0; i < statements; ++i) {
      const bool undone = generator.Below(8) == 0;
      if (undone) text += "SAVEPOINT s; ";
      text += generator.Statement() + "; ";
      if (undone) text += generator.Below(2) == 0 ? "ROLLBACK TO s; " : "RELEASE s; ";
    }
    if (schema_change)
      text += generator.SchemaChange() + "; " + "INSERT INTO w_shape (id) VALUES (" + generator.Id() +
              ") ON CONFLICT DO NOTHING; ";
    if (kind == 3) text += "TRUNCATE w_bag, w_pair; ";
    text += generator.Below(10) == 0 ? "ROLLBACK" : "COMMIT";
    const arrow::Status done = sql->Exec(text);
    if (done.ok()) {
      ++transactions_;
      if (schema_change) ++schema_changes_;
      continue;
    }
    // Deadlocks, serialization failures and lock timeouts are part of life under this load; a lost connection
    // shows as no transaction to roll back.
    const std::string state = sql->last_sqlstate();
    if (!sql->Exec("ROLLBACK").ok()) {
      sql.reset();
    } else if (!state.starts_with("40") && state != "55P03" && state != "57P01" && state != "23505") {
      ++refused_;
      const std::lock_guard lock(mutex_);
      last_refusal_ = done.message();
    }
  }
}

}  // namespace arrowcdc::test
