// The benchmark's own PostgreSQL: the private server of the tests with the settings of a server that only
// decodes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "tests/testing/private_server.h"

namespace arrowcdc::bench {

inline constexpr char kDatabase[] = "postgres";  // whose changes are read

class Server {
 public:
  static arrow::Result<std::unique_ptr<Server>> Start(bool fsync);

  test::SqlConnection& sql() { return *sql_; }
  std::string conninfo(bool tcp) const;
  std::string log() const { return server_->Log(); }
  pid_t postmaster() const { return server_->postmaster_pid(); }

  // A new slot at the end of the WAL, or at the place of the slot `origin`.
  arrow::Status MakeSlot(const std::string& slot, const std::string& plugin, const std::string& origin = "");
  // Waits for its reader to be gone.
  arrow::Status DropSlot(const std::string& slot);
  // Writes out what is dirty, so that nothing does it during a measurement. Returns the end of the WAL
  // before.
  arrow::Result<uint64_t> Settle();
  // Waits until the slot's reader has confirmed what is before `lsn`.
  arrow::Status AwaitConfirmed(const std::string& slot, uint64_t lsn);
  arrow::Result<int64_t> Number(const std::string& query);
  // Runs pgbench and returns what it prints.
  arrow::Result<std::string> Pgbench(std::vector<std::string> arguments,
                                     const std::string& database = kDatabase);
  arrow::Result<std::unique_ptr<test::SqlConnection>> Connect(const std::string& database);

 private:
  Server() = default;

  std::unique_ptr<test::PrivateServer> server_;
  std::unique_ptr<test::SqlConnection> sql_;
};

// The process that reads a slot, or a copy of it by SQL; 0: none.
pid_t SlotProcess(test::SqlConnection* sql, const std::string& slot);

}  // namespace arrowcdc::bench
