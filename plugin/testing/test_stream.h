// For the plugin's tests against a real server: a database of its own per test, a slot, and what the slot
// gives, decoded by the client's decoder and written as one line a row.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_batch.h"
#include "tests/testing/private_server.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::test {

using PluginOptions = std::map<std::string, std::string>;

// The server all tests of the process share. Its teardown fails the run when a process of it has crashed.
PrivateServer& SharedServer();

// As the wire has it.
inline char LetterOf(ReplicaIdentity identity) { return "difn"[static_cast<int>(identity)]; }

// The event's rows as PluginTest::Lines writes them; none for other events.
void AppendLines(const Event& event, bool ord, std::vector<std::string>* lines);

// What `call`, one of an SQL function that reads a slot, gives.
arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> FramesOf(SqlConnection* connection,
                                                                    const std::string& call);

class PluginTest : public ::testing::Test {
 protected:
  // A fresh database in `encoding`, `ddl` run in it, then the slot made.
  void Prepare(const std::string& ddl, const std::string& encoding = "UTF8");
  void TearDown() override;

  void Sql(const std::string& sql);

  // The call of the SQL function that reads the slot without moving it. publication_names is "p" unless
  // given.
  std::string PeekCall(PluginOptions options) const;
  // The frames that the slot holds, without moving it, by SQL. publication_names is "p" unless given.
  arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> Frames(PluginOptions options = {});
  arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> Frames(SqlConnection* connection,
                                                                    PluginOptions options) const;
  // They decoded.
  arrow::Result<std::vector<Event>> Peek(PluginOptions options = {});
  // The same from a walsender, up to the end of the WAL.
  arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> StreamFrames(PluginOptions options = {});
  arrow::Result<std::vector<Event>> Stream(PluginOptions options = {});
  // The error a session with these options ends in; empty where it does not. SQL and walsender must agree.
  std::string PeekError(PluginOptions options);

  // One line a row: "insert t(1, x, null)". A cell that was not carried is ~, one without an Arrow form !.
  // "#n" follows with `ord`. Truncates: "truncate a b", "cascade" and "restart" behind them. Fails the test
  // where a walsender, with batches across transactions or without, with the drain loop or without, gives
  // something else than SQL.
  std::vector<std::string> Lines(PluginOptions options = {}, bool ord = false);

  // A walsender tells of its error, or misses its client, before it lets go of the slot.
  arrow::Status AwaitFreeSlot();

  // Peek and Stream leave notices out, unless a test is about them.
  bool with_notices_ = false;

  const std::string& slot() const { return name_; }
  const std::string& database() const { return name_; }

 private:
  arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> ReadStream(const PluginOptions& options);
  arrow::Result<std::vector<Event>> DecodeAll(const std::vector<std::shared_ptr<arrow::Buffer>>& frames);

  std::string name_;
  std::unique_ptr<SqlConnection> sql_;
};

}  // namespace arrowcdc::test
