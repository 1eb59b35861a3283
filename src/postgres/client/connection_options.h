// What we add to a user's connection string, and never what the user set: conninfo, PG* variables and service
// file win, but for the settings that the session depends on. No network here.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"

namespace arrowcdc::postgres {

enum class ConnectionMode {
  kSql,
  kReplication,  // replication=database
};

struct ConnectionOptions {
  // For PQconnectStartParams with expand_dbname; the first entry is the user's conninfo.
  std::vector<std::pair<std::string, std::string>> parameters;
  int connect_timeout_seconds = 0;
  bool several_hosts = false;
  // For messages: where to and as whom. Never the password.
  std::string server;
  std::string user;
  std::string database;
};

// Errors: kInvalidOption without any part of the conninfo, which may hold a password.
arrow::Result<ConnectionOptions> MakeConnectionOptions(const std::string& conninfo, ConnectionMode mode);

// True for sockets and loopback addresses: what does not leave the machine. Comma-separated lists, as libpq
// has them.
bool IsLocal(const std::string& hosts, const std::string& host_addresses);

// The plugin's name of the codec to ask for; empty: none, and nothing is asked.
std::string ServerCodec(WireCompression wanted, bool is_local);

// libpq's view after conninfo, service file and environment; keys without a value are absent, and so is the
// password.
arrow::Result<std::map<std::string, std::string>> EffectiveOptions(const std::string& conninfo);

}  // namespace arrowcdc::postgres
