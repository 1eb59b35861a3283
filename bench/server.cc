#include "bench/server.h"

#include <cstdlib>
#include <utility>

#include "arrowcdc/position.h"
#include "tests/testing/wait.h"

namespace arrowcdc::bench {

using std::chrono::seconds;

arrow::Result<std::unique_ptr<Server>> Server::Start(bool fsync) {
  std::unique_ptr<Server> self(new Server());
  test::PrivateServerOptions options;
  options.tcp = true;
  options.libraries = {test::PluginPath(), ARROWCDC_BENCH_NOOP_PLUGIN};
  options.settings = {{"fsync", fsync ? "on" : "off"},
                      {"shared_buffers", "256MB"},
                      // No checkpoint, no vacuum and no time-out in the middle of a measurement.
                      {"max_wal_size", "64GB"},
                      {"checkpoint_timeout", "1d"},
                      {"autovacuum", "off"},
                      {"wal_sender_timeout", "0"},
                      {"max_replication_slots", "30"},
                      {"max_wal_senders", "20"},
                      {"jit", "off"}};
  ARROW_ASSIGN_OR_RAISE(self->server_, test::PrivateServer::Create(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(self->sql_, self->server_->Connect());
  // Older minor releases do not have the setting and allow every plugin.
  ARROW_ASSIGN_OR_RAISE(const auto listed,
                        self->sql_->Query("SELECT FROM pg_settings WHERE name = 'output_plugin_libraries'"));
  if (!listed.empty()) {
    ARROW_RETURN_NOT_OK(
        self->server_->Set("output_plugin_libraries",
                           "pgoutput, test_decoding, wal2arrow, wal2json, decoderbufs, arrowcdc_noop"));
    ARROW_RETURN_NOT_OK(self->server_->Restart());
    ARROW_ASSIGN_OR_RAISE(self->sql_, self->server_->Connect());
  }
  return self;
}

std::string Server::conninfo(bool tcp) const {
  const std::string socket = server_->conninfo();
  return tcp ? "host=127.0.0.1 port=" + std::to_string(server_->port()) + " user=postgres dbname=postgres"
             : socket;
}

arrow::Status Server::MakeSlot(const std::string& slot, const std::string& plugin,
                               const std::string& origin) {
  const std::string make =
      origin.empty()
          ? "pg_create_logical_replication_slot('" + slot + "', '" + plugin + "')"
          : "pg_copy_logical_replication_slot('" + origin + "', '" + slot + "', false, '" + plugin + "')";
  return sql_->Query("SELECT " + make).status();
}

arrow::Status Server::DropSlot(const std::string& slot) {
  ARROW_RETURN_NOT_OK(test::WaitFor([&] { return SlotProcess(sql_.get(), slot) == 0; }, seconds(60),
                                    "slot " + slot + " to be free"));
  return sql_->Query("SELECT pg_drop_replication_slot('" + slot + "')").status();
}

arrow::Result<uint64_t> Server::Settle() {
  ARROW_ASSIGN_OR_RAISE(const std::string lsn, sql_->Scalar("SELECT pg_current_wal_insert_lsn()"));
  ARROW_RETURN_NOT_OK(sql_->Exec("CHECKPOINT"));
  return ParseLsn(lsn);
}

arrow::Status Server::AwaitConfirmed(const std::string& slot, uint64_t lsn) {
  const std::string query = "SELECT confirmed_flush_lsn >= '" + FormatLsn(lsn) +
                            "' FROM pg_replication_slots WHERE slot_name = '" + slot + "'";
  return test::WaitFor([&] { return sql_->Scalar(query).ValueOr("") == "t"; }, seconds(60),
                       "slot " + slot + " to be confirmed");
}

arrow::Result<int64_t> Server::Number(const std::string& query) {
  ARROW_ASSIGN_OR_RAISE(const std::string text, sql_->Scalar(query));
  return std::strtoll(text.c_str(), nullptr, 10);
}

arrow::Result<std::unique_ptr<test::SqlConnection>> Server::Connect(const std::string& database) {
  return server_->Connect(database);
}

arrow::Result<std::string> Server::Pgbench(std::vector<std::string> arguments, const std::string& database) {
  ARROW_ASSIGN_OR_RAISE(const auto program, test::ServerProgram("pgbench"));
  test::SubprocessOptions options;
  options.argv = {program.string(), "--no-vacuum", "--host=" + server_->directory().string(),
                  "--port=" + std::to_string(server_->port()), "--username=postgres"};
  for (auto& argument : arguments) options.argv.push_back(std::move(argument));
  options.argv.emplace_back(database);
  return test::RunProgram(std::move(options), std::chrono::minutes(10));
}

pid_t SlotProcess(test::SqlConnection* sql, const std::string& slot) {
  const auto found =
      sql->Scalar("SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE slot_name = '" + slot +
                  "' OR slot_name LIKE 'arrowcdc_catch_up_%'");
  return found.ok() ? std::atoi(found->c_str()) : 0;
}

}  // namespace arrowcdc::bench
