// For the plugin's tests: a walsender that goes through START_REPLICATION again and again on one connection,
// as a client that never acknowledges anything. So the slot stands still, and each session must give the same
// stream.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "plugin/testing/test_stream.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::test {

class WalsenderStream {
 public:
  // A replication connection to `database` of SharedServer.
  static arrow::Result<std::unique_ptr<WalsenderStream>> Connect(const std::string& database);

  struct Outcome {
    std::vector<std::string> lines;  // as PluginTest::Lines gives them, with _ord
    std::string error;               // of the server; empty where we ended it
    bool connected = true;           // the connection can go on
  };
  // How a session ends that the server does not end. After CopyDone it is the last one of its connection:
  // PostgreSQL ends every further one at once. After a cancel request the connection can go on.
  enum class End { kCopyDone, kCancel };
  // Reads the slot until `wanted` lines have come or the server says an error, then ends the session. Errors:
  // IOError when neither happens in time, or the client cannot make sense of a frame.
  arrow::Result<Outcome> Run(const std::string& slot, PluginOptions options, size_t wanted,
                             End end = End::kCancel);

  // Commands between sessions.
  SqlConnection& sql() { return *sql_; }

 private:
  explicit WalsenderStream(std::unique_ptr<SqlConnection> sql) : sql_(std::move(sql)) {}
  std::unique_ptr<SqlConnection> sql_;
};

}  // namespace arrowcdc::test
