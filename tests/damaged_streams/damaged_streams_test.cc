// What a real server sends through both output plugins and COPY, cut and changed at every byte, messages left
// out, sent twice and out of order. What comes of it is a typed error or valid batches, and memory stays
// within four times the input and 16 MiB.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "format/frame_reader.h"
#include "plugin/testing/test_stream.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/copy/copy_decoder.h"
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/testing/memory_spool.h"
#include "src/postgres/decode/wal2arrow/testing/frames.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/damaged_streams/allocated_memory.h"
#include "tests/damaged_streams/recorded_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;

constexpr int64_t kCasesMin = 200'000;
constexpr int64_t kMemoryMax = int64_t{16} << 20;
constexpr int64_t kMemoryPerInputByte = 4;
constexpr int kBits[] = {0, 1, 3, 5, 7};  // that are changed of each byte

// Over all tests of the program.
struct Count {
  int64_t cases = 0;
  int64_t errors = 0;
  int64_t peak_bytes = 0;
} total;

using Messages = std::vector<std::shared_ptr<arrow::Buffer>>;

// Feeds all messages to a new decoder, until one is refused; looks at the events as they come.
using Decode = std::function<arrow::Status(const Messages&)>;

// One format: how its messages are decoded, and what a damaged one needs around it.
struct Format {
  size_t offset = 0;  // where a message begins in its buffer
  Decode decode;
  // The part of the stream in which message `*which` is decoded when it alone is damaged; *which becomes its
  // place there. Not set: all of it.
  std::function<RecordedStream(const RecordedStream&, size_t* which)> shorten;
  // How many bytes of a message are damaged, from its beginning on. Not set: all.
  std::function<size_t(const RecordedMessage&)> damaged_bytes;
  // Makes of the messages, of which this one is damaged, what is not refused for a checksum alone.
  std::function<void(const RecordedStream&, size_t, Messages*)> repair;
};

class DamagedStreams : public PluginTest {
 protected:
  // A workload in a database that has a slot of each plugin.
  void Record();
  string PgoutputCall(const string& options) const;

  // Every damage to every message of `stream` from `first` on, and all of them in other orders.
  static void DamageAll(const string& name, const RecordedStream& stream, const Format& format,
                        size_t first = 0);

  std::unique_ptr<SqlConnection> connection_;

 private:
  static void Try(const Messages& messages, const Format& format);
  static void DamageMessage(const RecordedStream& stream, size_t which, const Format& format);
  static void ReorderMessages(const Messages& good, const Format& format);
};

Messages MessagesOf(const RecordedStream& stream, const Format& format) {
  Messages messages;
  for (const RecordedMessage& message : stream) messages.push_back(ExactCopy(message.bytes, format.offset));
  return messages;
}

void ExpectValid(const ChangeBatch& batch) {
  ASSERT_GT(batch.rows->num_rows(), 0);
  ASSERT_TRUE(batch.rows->schema()->Equals(*batch.table->schema));
  ASSERT_TRUE(batch.rows->ValidateFull().ok()) << batch.rows->ValidateFull();
  const auto changes = ChangeRows::Make(*batch.table, *batch.rows);
  ASSERT_TRUE(changes.ok()) << changes.status();
}

void ExpectValid(const Event& event) {
  if (const auto* batch = std::get_if<ChangeBatch>(&event)) ExpectValid(*batch);
  const auto* const truncate = std::get_if<TruncateEvent>(&event);
  ASSERT_TRUE(truncate == nullptr || !truncate->tables.empty());
}

void ExpectTyped(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  ASSERT_NE(detail, nullptr) << status;
  ASSERT_TRUE(detail->kind() == ErrorKind::kProtocol || detail->kind() == ErrorKind::kUnsupported) << status;
  ASSERT_FALSE(status.message().empty());
}

void DamagedStreams::Try(const Messages& messages, const Format& format) {
  int64_t input_bytes = 0;
  for (const auto& message : messages) input_bytes += message->size();
  const AllocatedMemory memory;
  const arrow::Status status = format.decode(messages);
  ++total.cases;
  total.peak_bytes = std::max(total.peak_bytes, memory.peak_bytes());
  ASSERT_LE(memory.peak_bytes(), kMemoryPerInputByte * input_bytes + kMemoryMax) << status;
  if (status.ok()) return;
  ++total.errors;
  ExpectTyped(status);
}

void DamagedStreams::DamageMessage(const RecordedStream& stream, size_t which, const Format& format) {
  const RecordedStream session = format.shorten ? format.shorten(stream, &which) : stream;
  const Messages good = MessagesOf(session, format);
  ARROWCDC_ASSERT_OK(format.decode(good));
  const auto attempt = [&](const string& bytes) {
    Messages damaged = good;
    damaged[which] = ExactCopy(bytes, format.offset);
    if (format.repair) format.repair(session, which, &damaged);
    Try(damaged, format);
  };
  const string& message = session[which].bytes;
  const size_t bytes = format.damaged_bytes ? format.damaged_bytes(session[which]) : message.size();
  string changed = message;
  for (size_t at = 0; at < bytes; ++at) {
    SCOPED_TRACE(at);
    for (const int bit : kBits) {
      changed[at] = static_cast<char>(message[at] ^ (1 << bit));
      ASSERT_NO_FATAL_FAILURE(attempt(changed)) << "bit " << bit;
    }
    changed[at] = message[at];
    ASSERT_NO_FATAL_FAILURE(attempt(message.substr(0, at))) << "cut";
  }
  ASSERT_NO_FATAL_FAILURE(attempt(message + '\0'));
}

void DamagedStreams::ReorderMessages(const Messages& good, const Format& format) {
  const auto at = [](Messages& messages, size_t i) {
    return messages.begin() + static_cast<std::ptrdiff_t>(i);
  };
  for (size_t i = 0; i < good.size(); ++i) {
    SCOPED_TRACE("message " + std::to_string(i) + " in another place");
    Messages without = good;
    without.erase(at(without, i));
    ASSERT_NO_FATAL_FAILURE(Try(without, format));
    Messages cut = good;
    cut.erase(at(cut, i), cut.end());
    ASSERT_NO_FATAL_FAILURE(Try(cut, format));
    for (size_t other = 0; other < good.size(); ++other) {
      Messages twice = good;
      twice.insert(at(twice, other), good[i]);
      ASSERT_NO_FATAL_FAILURE(Try(twice, format));
      Messages swapped = good;
      std::swap(swapped[i], swapped[other]);
      ASSERT_NO_FATAL_FAILURE(Try(swapped, format));
    }
  }
}

void DamagedStreams::DamageAll(const string& name, const RecordedStream& stream, const Format& format,
                               size_t first) {
  SCOPED_TRACE(name);
  const Messages good = MessagesOf(stream, format);
  ARROWCDC_ASSERT_OK(format.decode(good));
  const int64_t before = total.cases;
  const clock_t started = clock();
  ASSERT_NO_FATAL_FAILURE(ReorderMessages(good, format));
  size_t bytes = 0;
  for (size_t which = first; which < stream.size(); ++which) {
    SCOPED_TRACE("message " + std::to_string(which));
    ASSERT_NO_FATAL_FAILURE(DamageMessage(stream, which, format));
    bytes += stream[which].bytes.size();
  }
  std::cout << name << ": " << stream.size() - first << " messages of " << bytes << " bytes, "
            << total.cases - before << " cases in " << (clock() - started) / (CLOCKS_PER_SEC / 1000)
            << " ms of CPU time" << std::endl;
}

// --- what is recorded ---

constexpr char kTables[] = R"(
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN price AS numeric(8,3);
CREATE TABLE items (id int PRIMARY KEY, name text, body text, price price, mood mood, day date);
ALTER TABLE items ALTER body SET STORAGE EXTERNAL;
CREATE TABLE nested (tags text[], pair pair, span int4range, free numeric, at timestamptz);
ALTER TABLE nested REPLICA IDENTITY FULL;
INSERT INTO items VALUES (1, 'one', repeat('b', 3000), 1.5, 'sad', '2000-01-02');
CREATE TABLE types (b bool, i2 int2, i8 int8, f4 float4, f8 float8, m money, t time, tz timetz, ts timestamp,
  iv interval, u uuid, j json, jb jsonb, by bytea, ip inet, bits bit(3), mac macaddr, c "char", n name, x xid8,
  lsn pg_lsn, d date[], moods mood[], spans int4multirange, wide numeric(60,5));
CREATE PUBLICATION p FOR TABLE items, nested, types)";

const char* const kStatements[] = {
    "INSERT INTO items VALUES (2, 'two', NULL, -0.125, 'ok', 'infinity'), (3, '', 'x', NULL, NULL, NULL)",
    "UPDATE items SET name = 'eins' WHERE id = 1; UPDATE items SET id = 4 WHERE id = 2; DELETE FROM items "
    "WHERE id = 3",
    R"(INSERT INTO nested VALUES ('{a,NULL,"b c"}', '(1,"x,y")', '[1,5)', 12345.678, '2020-01-01 00:00:00Z'),
       ('{}', NULL, 'empty', 'NaN', '-infinity'))",
    "UPDATE nested SET free = 1 WHERE span = 'empty'; DELETE FROM nested WHERE free = 1",
    R"(INSERT INTO types VALUES (true, -2, 1e15, 1.5, '-0', 12.34, '23:59:59', '12:00+02', '2020-02-29 01:02:03',
       '1 mon 2 days 3s', '30313233-3435-3637-3839-616263646566', '{"a": 1}', '[1, null, "x"]', '\x00ff', '10.0.0.1/8',
       '101', '08:00:2b:01:02:03', 'c', 'a name', '18446744073709551615', '1/0', '{2000-01-01,NULL}', '{ok,sad}',
       '{[1,3),[5,7)}', -12345678901234567890.5); INSERT INTO types VALUES (NULL))",
    "SELECT pg_logical_emit_message(true, 'prefix', 'content'); TRUNCATE items, nested RESTART IDENTITY",
};

void DamagedStreams::Record() {
  ASSERT_NO_FATAL_FAILURE(Prepare(kTables));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(connection_, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK(
      connection_->Query("SELECT pg_create_logical_replication_slot('" + slot() + "_pgoutput', 'pgoutput')"));
  for (const char* const sql : kStatements) ASSERT_NO_FATAL_FAILURE(Sql(sql));
}

// --- wal2arrow ---

arrow::Status DecodeFrames(const Messages& messages) {
  MemorySpool spool;
  Wal2arrowDecoder decoder(arrow::system_memory_pool(), 1, kPayloadBytesMax, {.spool = &spool});
  for (const auto& message : messages) {
    auto event = decoder.Decode(message, format::kXLogDataHeaderBytes);
    while (event.ok() && (event->has_value() || decoder.has_more())) {
      if (event->has_value()) ExpectValid(**event);
      event = decoder.Next();
    }
    ARROW_RETURN_NOT_OK(event.status());
  }
  return arrow::Status::OK();
}

format::FrameKind KindOf(const RecordedMessage& frame) {
  return static_cast<format::FrameKind>(frame.bytes[offsetof(format::FrameHeader, kind)]);
}

// The fingerprint's bytes in a schema frame.
string FingerprintOf(const RecordedMessage& schema) {
  format::Frame frame;
  format::FrameError error;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(schema.bytes.data());
  EXPECT_TRUE(ReadFrame(bytes, schema.bytes.size(), &frame, &error)) << error.what;
  return schema.bytes.substr(frame.section(format::SectionTag::kTable).offset, sizeof(uint64_t));
}

// Hello, the schemas that the frame names, and itself, numbered anew.
RecordedStream ShortSession(const RecordedStream& stream, size_t* which) {
  RecordedStream session;
  for (size_t i = 0; i <= *which; ++i) {
    const bool needed = i == 0 || i == *which ||
                        (KindOf(stream[i]) == format::FrameKind::kSchema &&
                         stream[*which].bytes.find(FingerprintOf(stream[i])) != string::npos);
    if (!needed) continue;
    const auto sequence = static_cast<uint32_t>(session.size());
    session.push_back(stream[i]);
    memcpy(session.back().bytes.data() + offsetof(format::FrameHeader, sequence), &sequence,
           sizeof(sequence));
  }
  *which = session.size() - 1;
  return session;
}

// A schema's fingerprint guards its payload; here it is made to fit, in all frames that name it, so that the
// damage gets through to Arrow.
void RepairFingerprint(const RecordedStream& stream, size_t which, Messages* messages) {
  const arrow::Buffer& damaged = *(*messages)[which];
  const uint8_t* const bytes = damaged.data() + format::kXLogDataHeaderBytes;
  format::Frame frame;
  format::FrameError error;
  if (!ReadFrame(bytes, static_cast<size_t>(damaged.size()) - format::kXLogDataHeaderBytes, &frame, &error) ||
      frame.header.kind != static_cast<uint8_t>(format::FrameKind::kSchema) ||
      frame.section(format::SectionTag::kTable).bytes < sizeof(uint64_t)) {
    return;
  }
  const uint64_t place = frame.section(format::SectionTag::kTable).offset;
  const uint64_t fingerprint = format::Fingerprint(frame.payload, frame.payload_bytes);
  const string repaired(reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint));
  const string original = stream[which].bytes.substr(place, sizeof(fingerprint));
  for (size_t i = 0; i < messages->size(); ++i) {
    string frame_bytes = (*messages)[i]->ToString().substr(format::kXLogDataHeaderBytes);
    const size_t found = i == which ? place : frame_bytes.find(original);
    if (found == string::npos) continue;
    frame_bytes.replace(found, repaired.size(), repaired);
    (*messages)[i] = ExactCopy(frame_bytes, format::kXLogDataHeaderBytes);
  }
}

const Format kFrames{.offset = format::kXLogDataHeaderBytes,
                     .decode = DecodeFrames,
                     .shorten = ShortSession,
                     .repair = RepairFingerprint};

bool IsBatch(const RecordedMessage& frame) { return KindOf(frame) == format::FrameKind::kBatch; }

TEST_F(DamagedStreams, Wal2arrow) {
  ASSERT_NO_FATAL_FAILURE(Record());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const RecordedStream stream, RecordChanges(connection_.get(), PeekCall({})));
  DamageAll("wal2arrow", stream, kFrames);
}

constexpr char kOneTable[] = "CREATE TABLE t (a int, b text); CREATE PUBLICATION p FOR TABLE t";

// Other frames than those of batches are not compressed.
TEST_F(DamagedStreams, Wal2arrowCompressed) {
  ASSERT_NO_FATAL_FAILURE(Prepare(kOneTable));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(connection_, SharedServer().Connect(database()));
  ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO t SELECT g, 'text ' || g % 7 FROM generate_series(1, 100) g"));
  for (const char* const codec : {"lz4", "zstd"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const RecordedStream stream,
                                  RecordChanges(connection_.get(), PeekCall({{"compression", codec}})));
    ASSERT_EQ(stream.size(), 3u);
    ASSERT_TRUE(IsBatch(stream[2]));
    ASSERT_NO_FATAL_FAILURE(DamageAll(string("wal2arrow ") + codec, stream, kFrames, 2));
  }
}

// A payload in several frames, as the server cuts those of more than 1 GB.
TEST_F(DamagedStreams, Wal2arrowInParts) {
  ASSERT_NO_FATAL_FAILURE(Prepare(kOneTable));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(connection_, SharedServer().Connect(database()));
  ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO t VALUES (1, 'one'), (2, NULL)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(RecordedStream stream, RecordChanges(connection_.get(), PeekCall({})));
  ASSERT_EQ(stream.size(), 3u);
  ASSERT_TRUE(IsBatch(stream[2]));
  FrameFactory make;
  make.sequence = 3;
  const std::vector<string> parts = make.Split(stream[2].bytes, 200);
  ASSERT_GT(parts.size(), 2u);
  stream.pop_back();
  for (const string& part : parts) stream.push_back({0, part});
  Format format = kFrames;
  format.shorten = nullptr;
  format.repair = nullptr;
  DamageAll("wal2arrow in parts", stream, format, 2);
}

// --- pgoutput ---

string DamagedStreams::PgoutputCall(const string& options) const {
  return "pg_logical_slot_peek_binary_changes('" + slot() +
         "_pgoutput', NULL, NULL, 'publication_names', 'p', " + options + ")";
}

arrow::Status TakeEvents(PgoutputDecoder* decoder) {
  while (decoder->has_more()) {
    ARROW_ASSIGN_OR_RAISE(const auto event, decoder->Next());
    if (event.has_value()) ExpectValid(*event);
  }
  return arrow::Status::OK();
}

arrow::Status DecodeMessages(uint64_t lsn, RecordedCatalog* catalog, const Messages& messages) {
  MemorySpool spool;
  PgoutputDecoder decoder(arrow::system_memory_pool(), 1, catalog, {}, {.spool = &spool});
  for (const auto& message : messages) {
    const std::string_view bytes(reinterpret_cast<const char*>(message->data()),
                                 static_cast<size_t>(message->size()));
    ARROW_RETURN_NOT_OK(decoder.Decode(bytes, ++lsn));
    ARROW_RETURN_NOT_OK(TakeEvents(&decoder));
  }
  ARROW_RETURN_NOT_OK(decoder.Flush());
  return TakeEvents(&decoder);
}

// The relations that were announced, the message's transaction up to it, and its end.
RecordedStream ShortTransaction(const RecordedStream& stream, size_t* which) {
  const auto kind = [&](size_t i) { return stream[i].bytes[0]; };
  size_t begin = *which;
  while (begin > 0 && kind(begin) != 'B') --begin;
  RecordedStream session;
  size_t place = 0;
  for (size_t i = 0; i < stream.size(); ++i) {
    const bool needed = i == begin || i == *which || (i < *which && kind(i) == 'R');
    if (i == *which) place = session.size();
    if (needed) session.push_back(stream[i]);
    if (i >= *which && kind(i) == 'C') {
      if (i > *which) session.push_back(stream[i]);
      break;
    }
  }
  *which = place;
  return session;
}

TEST_F(DamagedStreams, Pgoutput) {
  ASSERT_NO_FATAL_FAILURE(Record());
  const std::pair<const char*, const char*> kForms[] = {
      {"pgoutput text", "'proto_version', '1', 'messages', 'true'"},
      {"pgoutput binary", "'proto_version', '1', 'messages', 'true', 'binary', 'true'"},
  };
  for (const auto& [name, options] : kForms) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const RecordedStream stream,
                                  RecordChanges(connection_.get(), PgoutputCall(options)));
    RecordedCatalog catalog(SharedServer().conninfo(database()));
    Format format;
    format.decode = [&](const Messages& messages) {
      return DecodeMessages(stream[0].lsn, &catalog, messages);
    };
    format.shorten = ShortTransaction;
    ARROWCDC_ASSERT_OK(format.decode(MessagesOf(stream, format)));
    catalog.Freeze();
    ASSERT_NO_FATAL_FAILURE(DamageAll(name, stream, format));
  }
}

// --- transactions in progress ---

// Of frames with hundreds of rows what stands in front of these.
size_t HeaderBytes(const RecordedMessage& frame) {
  uint32_t bytes;
  memcpy(&bytes, frame.bytes.data() + offsetof(format::FrameHeader, header_bytes), sizeof(bytes));
  return bytes;
}

// The first `count` of each run of inserts: of the others there is nothing more to be learnt.
RecordedStream WithFewInserts(const RecordedStream& stream, int count) {
  RecordedStream some;
  int run = 0;
  for (const RecordedMessage& message : stream) {
    run = message.bytes[0] == 'I' ? run + 1 : 0;
    if (run <= count) some.push_back(message);
  }
  return some;
}

// Blocks, a part that is rolled back, a transaction that is, and what follows. Nothing follows
// the part: of pgoutput it would be refused.
TEST_F(DamagedStreams, TransactionsInProgress) {
  ASSERT_NO_FATAL_FAILURE(Prepare(kOneTable));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(connection_, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK(
      connection_->Query("SELECT pg_create_logical_replication_slot('" + slot() + "_pgoutput', 'pgoutput')"));
  const string rows = "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 600) g;";
  const string more = "INSERT INTO t SELECT g, 'x' FROM generate_series(1001, 1600) g;";
  ASSERT_NO_FATAL_FAILURE(Sql("BEGIN;" + rows + "TRUNCATE t; INSERT INTO t VALUES (0, 'kept');" + rows +
                              "SAVEPOINT s;" + more + "ROLLBACK TO s; COMMIT"));
  ASSERT_NO_FATAL_FAILURE(Sql("BEGIN;" + rows + "ROLLBACK"));
  ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO t VALUES (5000, 'after')"));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const RecordedStream frames,
      RecordChanges(connection_.get(), PeekCall({{"streaming", "on"}, {"compression", "zstd"}})));
  Format format = kFrames;
  format.shorten = nullptr;
  format.repair = nullptr;
  format.damaged_bytes = HeaderBytes;
  EXPECT_TRUE(std::any_of(frames.begin(), frames.end(), [](const RecordedMessage& frame) {
    return KindOf(frame) == format::FrameKind::kStreamStart;
  }));
  ASSERT_NO_FATAL_FAILURE(DamageAll("wal2arrow, in progress", frames, format, 2));

  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const RecordedStream whole,
      RecordChanges(connection_.get(), PgoutputCall("'proto_version', '2', 'streaming', 'on'")));
  const RecordedStream messages = WithFewInserts(whole, 2);
  EXPECT_TRUE(std::any_of(messages.begin(), messages.end(),
                          [](const RecordedMessage& message) { return message.bytes[0] == 'S'; }));
  RecordedCatalog catalog(SharedServer().conninfo(database()));
  Format form;
  form.decode = [&](const Messages& some) { return DecodeMessages(messages[0].lsn, &catalog, some); };
  ARROWCDC_ASSERT_OK(form.decode(MessagesOf(messages, form)));
  catalog.Freeze();
  DamageAll("pgoutput, in progress", messages, form);
}

// --- COPY ---

// The statement of the snapshot: as text those columns that are only read so.
string CopyCommand(const MappedColumns& columns) {
  string sql = "COPY (SELECT ";
  for (size_t i = 0; i < columns.fields.size(); ++i) {
    const string& name = columns.fields[i]->name();
    if (i > 0) sql += ", ";
    sql += (columns.forms[i] == ValueForm::kBinary
                ? name
                : "CASE WHEN num_nulls(" + name + ") = 0 THEN format('%s', " + name + ") END");
  }
  return sql + " FROM types) TO STDOUT (FORMAT binary)";
}

TEST_F(DamagedStreams, Copy) {
  ASSERT_NO_FATAL_FAILURE(Record());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto types, connection_->Query("SELECT atttypid, atttypmod, attname FROM pg_attribute WHERE "
                                           "attrelid = 'types'::regclass AND attnum > 0 ORDER BY attnum"));
  std::vector<ColumnDescription> columns;
  for (const SqlRow& row : types) {
    columns.emplace_back().attribute = {*row[2], static_cast<uint32_t>(std::stoul(*row[0])),
                                        std::stoi(*row[1])};
  }
  RecordedCatalog catalog(SharedServer().conninfo(database()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedColumns mapped_once, MapColumns(columns, {}, &catalog));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const RecordedStream stream,
                                RecordCopy(connection_.get(), CopyCommand(mapped_once)));
  Format format;
  format.decode = [&](const Messages& messages) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(MappedColumns mapped, MapColumns(columns, {}, &catalog));
    ARROW_ASSIGN_OR_RAISE(auto table, MakeTableSchema({"public", "types"}, 1, 2, ReplicaIdentity::kDefault,
                                                      mapped.fields, nullptr));
    ARROW_ASSIGN_OR_RAISE(auto rows,
                          RowReader::Make(std::move(table), std::move(mapped), arrow::system_memory_pool()));
    CopyDecoder decoder(std::move(rows), {});
    std::vector<ChangeBatch> batches;
    for (const auto& message : messages) {
      ARROW_RETURN_NOT_OK(decoder.Decode(
          {reinterpret_cast<const char*>(message->data()), static_cast<size_t>(message->size())}, &batches));
    }
    ARROW_RETURN_NOT_OK(decoder.Finish(&batches));
    for (const ChangeBatch& batch : batches) ExpectValid(batch);
    return arrow::Status::OK();
  };
  DamageAll("COPY", stream, format);
}

// Behind the tests above.
class DamagedStreamsCount : public ::testing::Environment {
  void TearDown() override {
    std::cout << total.cases << " cases, " << total.errors << " of them refused; at most " << total.peak_bytes
              << " bytes allocated" << (CountsAllocatedMemory() ? "" : " (not counted without ASan)")
              << std::endl;
    if (::testing::GTEST_FLAG(filter) == "*") {
      EXPECT_GE(total.cases, kCasesMin);
    }
  }
};
const auto* const kCount = ::testing::AddGlobalTestEnvironment(new DamagedStreamsCount);

}  // namespace
}  // namespace arrowcdc::test
