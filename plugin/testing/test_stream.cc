// Fixture of the plugin's tests.
#include "plugin/testing/test_stream.h"

#include <algorithm>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/position.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {

namespace {

constexpr std::chrono::seconds kStreamLimit{60};

std::unique_ptr<PrivateServer> shared_server;

class ServerTeardown : public ::testing::Environment {
  void TearDown() override {
    if (!shared_server) return;
    EXPECT_EQ(shared_server->CountServerRestarts(), 0) << "a process of the server crashed";
    shared_server.reset();
  }
};
const auto* const kTeardown = ::testing::AddGlobalTestEnvironment(new ServerTeardown);

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::shared_ptr<arrow::Buffer> FromHex(const std::string& hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes(hex.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
  }
  return arrow::Buffer::FromString(std::move(bytes));
}

std::string Hex(const arrow::Buffer& bytes) {
  std::string out;
  for (const char c : bytes.ToString()) {
    out += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

std::string Cell(const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return "null";
  if (column.type_id() == arrow::Type::EXTENSION) {
    return Cell(*static_cast<const arrow::ExtensionArray&>(column).storage(), row);
  }
  const bool is_bytes =
      column.type_id() == arrow::Type::BINARY || column.type_id() == arrow::Type::FIXED_SIZE_BINARY;
  const auto scalar = column.GetScalar(row).ValueOrDie();
  return is_bytes ? Hex(*static_cast<const arrow::BaseBinaryScalar&>(*scalar).value) : scalar->ToString();
}

void AppendBatch(const ChangeBatch& batch, bool ord, std::vector<std::string>* lines) {
  const ChangeRows changes = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    std::string line = std::string(OpName(changes.op(row))) + " " + batch.table->name.table + "(";
    for (int field = 0; field < batch.table->column_count; ++field) {
      if (field > 0) line += ", ";
      const std::string cell = Cell(*batch.rows->column(field), row);
      if (changes.IsUnchanged(row, field)) {
        line += cell == "null" ? "~" : "carried but marked unchanged";
      } else if (changes.IsUnrepresentable(row, field)) {
        line += cell == "null" ? "!" : "there but marked unrepresentable";
      } else {
        line += cell;
      }
    }
    line += ")";
    if (ord) line += " #" + std::to_string(changes.ord(row));
    lines->push_back(line);
  }
}

void AppendTruncate(const TruncateEvent& truncate, std::vector<std::string>* lines) {
  std::string line = "truncate";
  for (const auto& table : truncate.tables) line += " " + table->name.table;
  if (truncate.cascade) line += " cascade";
  if (truncate.restart_identity) line += " restart";
  lines->push_back(line);
}

bool IsNotice(const Event& event) { return std::holds_alternative<NoticeEvent>(event); }

}  // namespace

void AppendLines(const Event& event, bool ord, std::vector<std::string>* lines) {
  if (const auto* batch = std::get_if<ChangeBatch>(&event)) AppendBatch(*batch, ord, lines);
  if (const auto* truncate = std::get_if<TruncateEvent>(&event)) AppendTruncate(*truncate, lines);
}

arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> FramesOf(SqlConnection* connection,
                                                                    const std::string& call) {
  ARROW_ASSIGN_OR_RAISE(const auto rows, connection->Query("SELECT encode(data, 'hex') FROM " + call));
  std::vector<std::shared_ptr<arrow::Buffer>> frames;
  for (const SqlRow& row : rows) frames.push_back(FromHex(*row[0]));
  return frames;
}

PrivateServer& SharedServer() {
  if (!shared_server) {
    shared_server = PrivateServer::Create({.settings = {{"max_prepared_transactions", "4"},
                                                        {"logical_decoding_work_mem", "64kB"}}})
                        .ValueOrDie();
  }
  return *shared_server;
}

void PluginTest::Prepare(const std::string& ddl, const std::string& encoding) {
  static int number = 0;
  name_ = "plugin_" + std::to_string(++number);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto admin, SharedServer().Connect());
  ARROWCDC_ASSERT_OK(
      admin->Exec("CREATE DATABASE " + name_ + " ENCODING '" + encoding + "' LOCALE 'C' TEMPLATE template0"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, SharedServer().Connect(name_));
  // Statements are sent as they are written, in the database's own encoding.
  ARROWCDC_ASSERT_OK(sql_->Exec("SET client_encoding = '" + encoding + "'"));
  if (!ddl.empty()) ARROWCDC_ASSERT_OK(sql_->Exec(ddl));
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_create_logical_replication_slot(" + Quoted(name_) + ", 'wal2arrow')"));
}

void PluginTest::TearDown() {
  if (!sql_) return;
  ARROWCDC_EXPECT_OK(AwaitFreeSlot());
  ARROWCDC_EXPECT_OK(sql_->Query("SELECT pg_drop_replication_slot(" + Quoted(name_) + ")"));
}

arrow::Status PluginTest::AwaitFreeSlot() {
  ARROW_ASSIGN_OR_RAISE(const auto admin, SharedServer().Connect(name_));
  const std::string query =
      "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = " + Quoted(name_);
  return WaitFor([&] { return admin->Scalar(query).ValueOr("") == "0"; }, kStreamLimit,
                 "the slot to be free");
}

void PluginTest::Sql(const std::string& sql) { ARROWCDC_ASSERT_OK(sql_->Exec(sql)); }

namespace {

arrow::Status Decode(Wal2arrowDecoder* decoder, const std::shared_ptr<arrow::Buffer>& frame,
                     std::vector<Event>* events) {
  ARROW_ASSIGN_OR_RAISE(auto event, decoder->Decode(frame, 0));
  if (!event) return arrow::Status::OK();
  if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
    ARROW_RETURN_NOT_OK(batch->rows->ValidateFull());
  }
  events->push_back(std::move(*event));
  return arrow::Status::OK();
}

std::vector<std::string> LinesOf(const std::vector<Event>& events, bool ord) {
  std::vector<std::string> lines;
  for (const Event& event : events) AppendLines(event, ord, &lines);
  return lines;
}

// A batch across transactions keeps the order within a table, and truncates stay where they are.
std::vector<std::string> ByTable(std::vector<std::string> lines) {
  const auto is_truncate = [](const std::string& line) { return line.rfind("truncate", 0) == 0; };
  const auto table = [](const std::string& line) {
    const size_t begin = line.find(' ') + 1;
    return line.substr(begin, line.find('(') - begin);
  };
  for (auto begin = lines.begin(); begin != lines.end();) {
    if (is_truncate(*begin)) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, lines.end(), is_truncate);
    std::stable_sort(begin, end, [&](const auto& a, const auto& b) { return table(a) < table(b); });
    begin = end;
  }
  return lines;
}

}  // namespace

std::string PluginTest::PeekCall(PluginOptions options) const {
  options.emplace("publication_names", "p");
  std::string call = "pg_logical_slot_peek_binary_changes(" + Quoted(name_) + ", NULL, NULL";
  for (const auto& [name, value] : options) call += ", " + Quoted(name) + ", " + Quoted(value);
  return call + ")";
}

arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> PluginTest::Frames(PluginOptions options) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, SharedServer().Connect(name_));
  return Frames(connection.get(), std::move(options));
}

arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> PluginTest::Frames(SqlConnection* connection,
                                                                              PluginOptions options) const {
  return FramesOf(connection, PeekCall(std::move(options)));
}

arrow::Result<std::vector<Event>> PluginTest::DecodeAll(
    const std::vector<std::shared_ptr<arrow::Buffer>>& frames) {
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
  std::vector<Event> events;
  for (const auto& frame : frames) ARROW_RETURN_NOT_OK(Decode(&decoder, frame, &events));
  if (!with_notices_) std::erase_if(events, IsNotice);
  return events;
}

arrow::Result<std::vector<Event>> PluginTest::Peek(PluginOptions options) {
  ARROW_ASSIGN_OR_RAISE(const auto frames, Frames(std::move(options)));
  return DecodeAll(frames);
}

arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> PluginTest::StreamFrames(PluginOptions options) {
  options.emplace("publication_names", "p");
  auto frames = ReadStream(options);
  ARROW_RETURN_NOT_OK(AwaitFreeSlot());
  return frames;
}

arrow::Result<std::vector<Event>> PluginTest::Stream(PluginOptions options) {
  ARROW_ASSIGN_OR_RAISE(const auto frames, StreamFrames(std::move(options)));
  return DecodeAll(frames);
}

arrow::Result<std::vector<std::shared_ptr<arrow::Buffer>>> PluginTest::ReadStream(
    const PluginOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto sql, SharedServer().Connect(name_));
  ARROW_ASSIGN_OR_RAISE(const std::string end_text, sql->Scalar("SELECT pg_current_wal_flush_lsn()"));
  ARROW_ASSIGN_OR_RAISE(const uint64_t end, ParseLsn(end_text));
  ARROW_ASSIGN_OR_RAISE(const auto client,
                        WalsenderClient::Start(SharedServer().conninfo(name_), name_, options));
  std::vector<std::shared_ptr<arrow::Buffer>> frames;
  for (;;) {
    ARROW_ASSIGN_OR_RAISE(const auto message, client->Next(kStreamLimit));
    if (!message) return arrow::Status::IOError("the stream stands still");
    // Nothing was ever confirmed, so whatever it holds back a keepalive does not speak of it.
    if (message->keepalive && message->wal_end >= end) break;
    if (!message->keepalive) frames.push_back(arrow::Buffer::FromString(message->frame));
  }
  ARROW_RETURN_NOT_OK(client->End());
  return frames;
}

std::string PluginTest::PeekError(PluginOptions options) {
  const auto events = Peek(options);
  const auto streamed = Stream(options);
  EXPECT_EQ(events.ok(), streamed.ok()) << streamed.status().ToString();
  if (events.ok()) return "";
  const std::string error = events.status().ToString();
  return error.substr(0, error.find("\nin: "));  // without the statement, which SqlConnection adds
}

std::vector<std::string> PluginTest::Lines(PluginOptions options, bool ord) {
  const auto events = Peek(options);
  if (!events.ok()) return {events.status().ToString()};
  const std::vector<std::string> lines = LinesOf(*events, ord);
  for (const bool batching : {false, true}) {
    for (const bool drain : {false, true}) {
      options["batching"] = batching ? "on" : "off";
      options["drain"] = drain ? "on" : "off";
      const auto streamed = Stream(options);
      EXPECT_TRUE(streamed.ok()) << streamed.status().ToString();
      if (!streamed.ok()) continue;
      const std::vector<std::string> other = LinesOf(*streamed, ord);
      EXPECT_EQ(batching ? ByTable(other) : other, batching ? ByTable(lines) : lines)
          << "batching " << batching << ", drain " << drain;
    }
  }
  return lines;
}

}  // namespace arrowcdc::test
