// Frames of our own writers and of a real server, read by npm's apache-arrow and compared with what was put
// in.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <gtest/gtest.h>

#include "format/frame_reader.h"
#include "format/frame_writer.h"
#include "format/ipc_writer.h"
#include "format/testing/buffer.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/private_server.h"

namespace arrowcdc {
namespace {

using format::ArrowTypeId;
using format::FrameKind;
using format::SectionTag;

// Writes each message into a file of its own and returns what read_frames.mjs says, line by line.
arrow::Result<std::vector<std::string>> ReadWithJavaScript(const std::vector<std::string>& messages) {
  std::string name = (std::filesystem::temp_directory_path() / "arrowcdc-frames-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return arrow::Status::IOError("no temporary directory");
  std::filesystem::path directory = name;
  for (size_t i = 0; i < messages.size(); ++i) {
    std::string number = std::to_string(i);
    std::ofstream(directory / (std::string(6 - number.size(), '0') + number), std::ios::binary)
        << messages[i];
  }
  auto output = test::RunProgram({.argv = {"node", ARROWCDC_READ_FRAMES, directory.string()}});
  std::filesystem::remove_all(directory);
  ARROW_RETURN_NOT_OK(output.status());
  std::vector<std::string> lines;
  std::stringstream text(*output);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// --- Frames of format/ alone ---------------------------------------------------------------------

struct Body {
  std::string bytes;
  std::vector<format::FieldNode> nodes;
  std::vector<format::BufferRef> buffers;

  void Node(int64_t length, int64_t null_count) { nodes.push_back({length, null_count}); }
  void Buffer(const std::string& data) {
    buffers.push_back({static_cast<int64_t>(bytes.size()), static_cast<int64_t>(data.size())});
    bytes += data;
    bytes.resize(format::RoundUp(bytes.size(), format::kBufferAlignment), '\0');
  }
};

template <typename T>
std::string Packed(std::initializer_list<T> values) {
  std::string text;
  for (T value : values) text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  return text;
}

std::string Message(const format::TestBuffer& frame, const std::string& payload) {
  return std::string(25, 'w') + std::string(frame.view()) + payload;
}

TEST(ApacheArrowJs, FramesOfTheWriters) {
  format::Field item = {"item", ArrowTypeId::kInt16, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false};
  format::Field parts[] = {{"x", ArrowTypeId::kInt32, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false},
                           {"y", ArrowTypeId::kUtf8, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false}};
  format::KeyValue metadata = {"key", "value"};
  format::Field fields[] = {
      {"number", ArrowTypeId::kInt64, false, 0, 0, 0, 0, &metadata, 1, nullptr, 0, false},
      {"text", ArrowTypeId::kUtf8, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false},
      {"price", ArrowTypeId::kDecimal128, false, 0, 0, 10, 2, nullptr, 0, nullptr, 0, false},
      {"when", ArrowTypeId::kTimestampUs, true, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false},
      {"fixed", ArrowTypeId::kFixedSizeBinary, false, 3, 0, 0, 0, nullptr, 0, nullptr, 0, false},
      {"list", ArrowTypeId::kList, false, 0, 0, 0, 0, nullptr, 0, &item, 1, false},
      {"pair", ArrowTypeId::kStruct, false, 0, 0, 0, 0, nullptr, 0, parts, 2, false},
      {"flag", ArrowTypeId::kBool, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false},
      {"span", ArrowTypeId::kMonthDayNano, false, 0, 0, 0, 0, nullptr, 0, nullptr, 0, false},
  };
  format::TestBuffer schema;
  format::WriteSchemaMessage(fields, std::size(fields), &metadata, 1, schema.get());

  Body body;  // two rows, of which the second is null but for the number
  body.Node(2, 0), body.Buffer(""), body.Buffer(Packed<int64_t>({-9007199254740993, 2}));
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer(Packed<int32_t>({0, 4, 4})), body.Buffer("h\xc3\xa9!");
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer(Packed<int64_t>({-1234, -1, 0, 0}));
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer(Packed<int64_t>({1795406400250001, 0}));
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer("abc\1\2\3");
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer(Packed<int32_t>({0, 2, 2}));
  body.Node(2, 1), body.Buffer("\x02"), body.Buffer(Packed<int16_t>({0, -7}));
  body.Node(2, 1), body.Buffer("\x01");
  body.Node(2, 0), body.Buffer(""), body.Buffer(Packed<int32_t>({5, 0}));
  body.Node(2, 0), body.Buffer(""), body.Buffer(Packed<int32_t>({0, 1, 1})), body.Buffer("y");
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer("\x01");
  body.Node(2, 1), body.Buffer("\x01"), body.Buffer(Packed<int32_t>({1, 2, 3, 0, 0, 0, 0, 0}));

  format::TestBuffer schema_header;
  const format::TableSection table = {77, 1, 'd', {}, 0, 0, 0};
  const format::Section table_section = {SectionTag::kTable, &table, sizeof(table)};
  format::AppendFrameHeader({.kind = FrameKind::kSchema,
                             .sections = &table_section,
                             .section_count = 1,
                             .metadata_bytes = schema.size(),
                             .payload_bytes = schema.size()},
                            schema_header.get());

  auto nodes = static_cast<int32_t>(body.nodes.size());
  auto buffers = static_cast<int32_t>(body.buffers.size());
  size_t metadata_bytes = format::RecordBatchMetadataBytes(nodes, buffers);
  format::TestBuffer batch;
  const format::BatchSection rows = {77, 1, 2};
  const format::Section batch_section = {SectionTag::kBatch, &rows, sizeof(rows)};
  format::AppendFrameHeader({.kind = FrameKind::kBatch,
                             .sequence = 1,
                             .sections = &batch_section,
                             .section_count = 1,
                             .metadata_bytes = metadata_bytes,
                             .payload_bytes = metadata_bytes + body.bytes.size()},
                            batch.get());
  format::WriteRecordBatchMetadata(2, body.nodes.data(), nodes, body.buffers.data(), buffers,
                                   static_cast<int64_t>(body.bytes.size()), batch.get());

  auto lines =
      ReadWithJavaScript({Message(schema_header, std::string(schema.view())), Message(batch, body.bytes)});
  ARROWCDC_ASSERT_OK(lines);
  ASSERT_EQ(lines->size(), 1u);
  EXPECT_EQ(
      lines->at(0),
      R"({"columns":["number: Int64","text: Utf8","price: Decimal[10e+2]","when: Timestamp<MICROSECOND, UTC>",)"
      R"("fixed: FixedSizeBinary[3]","list: List<Int16>","pair: Struct<{x:Int32, y:Utf8}>","flag: Bool",)"
      R"("span: Interval<MONTH_DAY_NANO>"],"rows":[)"
      R"(["-9007199254740993","hé!","-12.34","1795406400250001","616263",[null,-7],{"x":5,"y":"y"},true,[1,2,3,0]],)"
      R"(["2",null,null,null,null,null,null,null,null]]})");
}

// --- Frames of a server --------------------------------------------------------------------------

// Starts streaming and returns the 'w' messages up to the end of the first group that holds a batch.
arrow::Result<std::vector<std::string>> Stream(const std::string& conninfo, const std::string& slot = "js",
                                               const std::string& compression = "none") {
  ARROW_ASSIGN_OR_RAISE(auto connection, test::SqlConnection::Connect(conninfo + " replication=database"));
  const std::string command = "START_REPLICATION SLOT " + slot +
                              " LOGICAL 0/0 (proto_min '1', proto_max '1', publication_names 'js', "
                              "compression '" +
                              compression + "')";
  PGresult* result = PQexec(connection->raw(), command.c_str());
  bool started = PQresultStatus(result) == PGRES_COPY_BOTH;
  PQclear(result);
  if (!started) return arrow::Status::IOError(PQerrorMessage(connection->raw()));
  std::vector<std::string> messages;
  bool has_batch = false;
  while (true) {
    char* data = nullptr;
    int bytes = PQgetCopyData(connection->raw(), &data, 0);
    if (bytes < 0) return arrow::Status::IOError(PQerrorMessage(connection->raw()));
    std::string message(data, static_cast<size_t>(bytes));
    PQfreemem(data);
    if (message[0] != 'w') continue;
    messages.push_back(message);
    format::Frame frame;
    format::FrameError error;
    if (!ReadFrame(reinterpret_cast<const uint8_t*>(message.data()) + 25, message.size() - 25, &frame,
                   &error)) {
      return arrow::Status::Invalid(error.what);
    }
    has_batch |= frame.header.kind == static_cast<uint8_t>(FrameKind::kBatch);
    if (has_batch && (frame.header.flags & format::kFlagGroupEnd)) return messages;
  }
}

TEST(ApacheArrowJs, FramesOfAServer) {
  auto created = test::PrivateServer::Create();
  ARROWCDC_ASSERT_OK(created);
  test::PrivateServer& server = **created;
  auto connected = server.Connect();
  ARROWCDC_ASSERT_OK(connected);
  test::SqlConnection& sql = **connected;
  ARROWCDC_ASSERT_OK(sql.Exec(R"(
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE TABLE js (id int4 PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric(10,2),
        wide numeric(50,5), free numeric, t text, c char(4), bytes bytea, d date, tm time, ts timestamp, tz timestamptz,
        u uuid, j json, jb jsonb, o oid, a int4[], ta text[], m mood, net inet);
      ALTER TABLE js REPLICA IDENTITY FULL;
      CREATE PUBLICATION js FOR TABLE js)"));
  ARROWCDC_ASSERT_OK(sql.Query("SELECT pg_create_logical_replication_slot('js', 'wal2arrow')"));
  ARROWCDC_ASSERT_OK(sql.Exec(R"(
      INSERT INTO js VALUES (1, true, -32768, 9223372036854775807, 1.5, -0.25, -12.34, 12345678901234567890.54321,
        3.14159265358979323846264338327950288, 'h' || chr(233) || ' "quoted"', 'ab', '\x00ff', '1970-01-02', '00:00:01',
        '1970-01-01 00:00:01.000001', '1970-01-01 01:00:00+01', '00112233-4455-6677-8899-aabbccddeeff', '{"a":  1}',
        '{"a":  1}', 4294967295, '{1,NULL,3}', '{x,"y z",NULL}', 'bad', '10.0.0.1/8');
      INSERT INTO js VALUES (2);
      UPDATE js SET i2 = 7 WHERE id = 2;
      DELETE FROM js WHERE id = 2)"));

  auto messages = Stream(server.conninfo());
  ARROWCDC_ASSERT_OK(messages);
  auto lines = ReadWithJavaScript(*messages);
  ARROWCDC_ASSERT_OK(lines);

  // The rows without _lsn and _ord, which differ from run to run.
  const std::string kFirst =
      R"([1,true,-32768,"9223372036854775807",1.5,-0.25,"-12.34","12345678901234567890.54321",)"
      R"("3.14159265358979323846264338327950288","hé \"quoted\"","ab  ","00ff",1,"1000000","1000001","0",)"
      R"("00112233445566778899aabbccddeeff","{\"a\":  1}","{\"a\": 1}",4294967295,[1,null,3],["x","y z",null],"bad",)"
      R"("10.0.0.1/8",0,)";
  auto second = [](const char* i2, int op) {
    std::string row = std::string("[2,null,") + i2;
    for (int i = 0; i < 21; ++i) row += ",null";
    return row + "," + std::to_string(op) + ",";
  };
  std::string all;
  for (const auto& line : *lines) all += line + "\n";
  size_t at = 0;
  for (const std::string& row :
       {kFirst, second("null", 0), second("null", 1), second("7", 2), second("7", 3)}) {
    size_t found = all.find(row, at);
    ASSERT_NE(found, std::string::npos) << "wanted, behind " << at << ":\n" << row << "\nin:\n" << all;
    at = found + row.size();
  }
  EXPECT_NE(
      all.find(
          R"("columns":["id: Int32","b: Bool","i2: Int16","i8: Int64","f4: Float32","f8: Float64",)"
          R"("n: Decimal[10e+2]","wide: Decimal[50e+5]","free: Utf8","t: Utf8","c: Utf8","bytes: Binary",)"
          R"("d: Date32<DAY>","tm: Time64<MICROSECOND>","ts: Timestamp<MICROSECOND>",)"
          R"("tz: Timestamp<MICROSECOND, UTC>","u: FixedSizeBinary[16]","j: Utf8","jb: Utf8","o: Uint32",)"
          R"("a: List<Int32>","ta: List<Utf8>","m: Utf8","net: Utf8","_op: Int8","_lsn: Uint64","_ord: Uint16"])"),
      std::string::npos)
      << all;

  // The same bytes, by our own decoder.
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
  int64_t rows = 0;
  for (const auto& message : *messages) {
    auto event = decoder.Decode(arrow::Buffer::FromString(message), 25);
    ARROWCDC_ASSERT_OK(event);
    if (event->has_value() && std::holds_alternative<ChangeBatch>(**event)) {
      rows += std::get<ChangeBatch>(**event).rows->num_rows();
    }
  }
  EXPECT_EQ(rows, 5);
}

// Compressed by the server's libraries, decompressed by others: the same rows.
TEST(ApacheArrowJs, CompressedFramesOfAServer) {
  auto created = test::PrivateServer::Create();
  ARROWCDC_ASSERT_OK(created);
  test::PrivateServer& server = **created;
  auto connected = server.Connect();
  ARROWCDC_ASSERT_OK(connected);
  test::SqlConnection& sql = **connected;
  ARROWCDC_ASSERT_OK(sql.Exec(
      "CREATE TABLE js (id int4 PRIMARY KEY, big int8, ok bool, n numeric(10,2), wide numeric(50,5), "
      "t text, noise bytea, at timestamptz, u uuid, a int4[], span interval);"
      "CREATE PUBLICATION js FOR TABLE js"));
  const std::string kCompressions[] = {"none", "lz4", "zstd"};
  for (const std::string& compression : kCompressions) {
    ARROWCDC_ASSERT_OK(
        sql.Query("SELECT pg_create_logical_replication_slot('js_" + compression + "', 'wal2arrow')"));
  }
  ARROWCDC_ASSERT_OK(
      sql.Exec("INSERT INTO js SELECT i, i * 1000003::int8, i % 3 = 0, i / 100.0, i * 12345678901.5, 'the "
               "text of row ' "
               "|| i, sha256(i::text::bytea), '2026-01-01'::timestamptz + i * interval '1 second', "
               "md5(i::text)::uuid, "
               "ARRAY[i, NULL, i % 7], i * interval '1 minute' FROM generate_series(1, 3000) i"));

  std::vector<std::string> plain;
  size_t plain_bytes = 0;
  for (const std::string& compression : kCompressions) {
    SCOPED_TRACE(compression);
    auto messages = Stream(server.conninfo(), "js_" + compression, compression);
    ARROWCDC_ASSERT_OK(messages);
    size_t bytes = 0;
    for (const auto& message : *messages) bytes += message.size();
    auto lines = ReadWithJavaScript(*messages);
    ARROWCDC_ASSERT_OK(lines);
    if (compression == "none") {
      plain = *lines;
      plain_bytes = bytes;
      ASSERT_NE(plain.at(0).find("\"the text of row 1\""), std::string::npos);
    } else {
      EXPECT_LT(bytes, plain_bytes * 7 / 10);
      EXPECT_TRUE(*lines == plain);  // too long to be printed
    }
  }
}

}  // namespace
}  // namespace arrowcdc
