#include "tests/same_wal/comparison.h"

#include <chrono>
#include <utility>

#include "arrowcdc/messages_table.h"
#include "arrowcdc/postgres.h"
#include "tests/same_wal/change_log.h"
#include "tests/same_wal/log_rows.h"
#include "tests/same_wal/test_decoding.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::string;

struct Mode {
  const char* name;
  OutputPlugin plugin;
  bool batching;
  bool streaming;
  bool text;
};
constexpr Mode kReference = {"wal2arrow", OutputPlugin::kWal2arrow, true, false, false};
constexpr Mode kModes[] = {
    {"wal2arrow, a batch a transaction", OutputPlugin::kWal2arrow, false, false, false},
    {"wal2arrow, streaming", OutputPlugin::kWal2arrow, true, true, false},
    {"pgoutput", OutputPlugin::kPgoutput, true, false, false},
    {"pgoutput, streaming", OutputPlugin::kPgoutput, true, true, false},
    {"pgoutput, values as text", OutputPlugin::kPgoutput, true, false, true},
    {"pgoutput, streaming, values as text", OutputPlugin::kPgoutput, true, true, true},
};

// Of pgoutput nothing comes in progress where messages do.
bool HasMessages(const Mode& mode) { return mode.plugin == OutputPlugin::kWal2arrow || !mode.streaming; }

// A slot is called as its plugin.
constexpr const char* kPlugins[] = {"wal2arrow", "pgoutput", "test_decoding"};

}  // namespace

arrow::Result<std::unique_ptr<PrivateServer>> MakeSameWalServer() {
  PrivateServerOptions options;
  options.settings = {{"logical_decoding_work_mem", "64kB"},
                      {"max_prepared_transactions", "10"},
                      {"max_replication_slots", "20"},
                      {"autovacuum", "off"},
                      {"max_wal_size", "4GB"}};
  return PrivateServer::Create(options);
}

SameWalSlots::SameWalSlots(const PrivateServer& server, string database, std::unique_ptr<SqlConnection> sql)
    : server_(server), database_(std::move(database)), sql_(std::move(sql)) {}

arrow::Result<std::unique_ptr<SameWalSlots>> SameWalSlots::Create(const PrivateServer& server,
                                                                  const string& database) {
  ARROW_ASSIGN_OR_RAISE(auto sql, server.Connect(database));
  for (const char* plugin : kPlugins) {
    ARROW_RETURN_NOT_OK(
        sql->Query("SELECT pg_create_logical_replication_slot('" + string(plugin) + "', '" + plugin + "')"));
  }
  return std::unique_ptr<SameWalSlots>(new SameWalSlots(server, database, std::move(sql)));
}

arrow::Result<Comparison> SameWalSlots::Compare(const Published& published) {
  const auto read = [&](const Mode& mode) {
    PostgresOptions options;
    options.conninfo = server_.conninfo(database_);
    options.plugin = mode.plugin;
    options.slot = OutputPluginName(mode.plugin);
    options.publications = published.publications;
    if (mode.text) options.publications.push_back(published.text_publication);
    options.batching = mode.batching;
    options.streaming = mode.streaming;
    options.messages = HasMessages(mode);
    return ReadChangeLog(options);
  };
  ARROW_ASSIGN_OR_RAISE(const ChangeLog reference, read(kReference));
  ARROW_ASSIGN_OR_RAISE(const auto rows, RowsInOrder(reference));
  Comparison result{.rows = reference.rows};
  ARROW_ASSIGN_OR_RAISE(const auto transactions, ReadTestDecoding(*sql_, "test_decoding"));
  const bool generated = PQserverVersion(sql_->raw()) >= 180000;
  result.difference = DifferenceFromTestDecoding(rows, transactions, published.leaves, generated);
  if (!result.difference.empty()) {
    result.difference.insert(0, "wal2arrow and test_decoding: ");
    return result;
  }
  if (published.replayed) {
    ARROW_ASSIGN_OR_RAISE(result.difference, DifferenceFromTables(rows, *sql_));
    if (!result.difference.empty()) return result;
  }
  ChangeLog without_messages = reference;
  without_messages.tables.erase(MessagesTable()->name);
  for (const Mode& mode : kModes) {
    if (mode.text && published.text_publication.empty()) continue;
    const auto log = read(mode);
    result.difference = log.ok() ? Difference(HasMessages(mode) ? reference : without_messages, *log)
                                 : log.status().ToString();
    if (result.difference.empty()) continue;
    result.difference.insert(0, string("wal2arrow and ") + mode.name + ": ");
    return result;
  }
  ARROW_ASSIGN_OR_RAISE(const auto blocks,
                        sql_->Query("SELECT slot_name, stream_count FROM pg_stat_replication_slots"));
  for (const auto& row : blocks) result.blocks[*row[0]] = std::stoll(*row[1]);
  return result;
}

arrow::Status SameWalSlots::Drop() {
  for (const string plugin : kPlugins) {
    // A walsender lets go of its slot some time after its client has gone.
    arrow::Status dropped;
    ARROW_RETURN_NOT_OK(WaitFor(
        [&] {
          dropped = sql_->Query("SELECT pg_drop_replication_slot('" + plugin + "')").status();
          return dropped.ok() || sql_->last_sqlstate() != "55006";
        },
        std::chrono::seconds(30), "the slot to be free"));
    ARROW_RETURN_NOT_OK(dropped);
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc::test
