// Compressed batches of a real server: rows are the same, bytes are fewer, and nothing is compressed that
// does not become smaller. (Values of every type: wal2arrow_types_test.cc.)
#include <arrow/array.h>

#include "format/frame_reader.h"
#include "plugin/testing/test_stream.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using ::std::string;
using Strings = std::vector<string>;

const Strings kCodecs = {"lz4", "zstd"};

class Compression : public PluginTest {
 protected:
  // Bytes of the frames behind hello, which says how they are compressed.
  int64_t Bytes(const PluginOptions& options) {
    const auto frames = Frames(options);
    EXPECT_TRUE(frames.ok()) << frames.status();
    int64_t bytes = 0;
    for (size_t i = 1; frames.ok() && i < frames->size(); ++i) bytes += frames->at(i)->size();
    return bytes;
  }

  // The same lines whatever the compression; they are returned.
  Strings ExpectSameLines(PluginOptions options = {}) {
    Strings plain = Lines(options, true);
    for (const string& codec : kCodecs) {
      options["compression"] = codec;
      const Strings lines = Lines(options, true);
      EXPECT_EQ(lines.size(), plain.size()) << codec;
      EXPECT_TRUE(lines == plain) << codec;  // too long to be printed
    }
    return plain;
  }
};

TEST_F(Compression, HelloSaysIt) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  for (const string wanted : {"none", "lz4", "zstd"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames({{"compression", wanted}}));
    format::Frame hello;
    format::FrameError error;
    ASSERT_TRUE(
        format::ReadFrame(frames.at(0)->data(), static_cast<size_t>(frames.at(0)->size()), &hello, &error));
    const format::SectionData& section = hello.section(format::SectionTag::kOptions);
    const string options(reinterpret_cast<const char*>(section.data), section.bytes);
    EXPECT_NE(("\n" + options).find("\ncompression=" + wanted + "\n"), string::npos) << options;
  }
}

TEST_F(Compression, FewerBytesTheSameRows) {
  Prepare(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text, price numeric(12,2), at timestamptz, tags text[], "
      "pair point, ok bool);"
      "ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t SELECT i, 'customer ' || i % 100, i / 100.0, '2026-01-01'::timestamptz + i * interval "
      "'1 "
      "second', ARRAY['a', NULL, 'tag ' || i % 7], point(i, -i), i % 3 = 0 FROM generate_series(1, 5000) i;"
      "UPDATE t SET name = NULL WHERE id % 5 = 0; DELETE FROM t WHERE id % 7 = 0");
  for (const string batch_bytes : {"4096", "262144"}) {
    EXPECT_EQ(ExpectSameLines({{"batch_bytes", batch_bytes}}).size(), 5000u + 2 * 1000 + 714);
  }
  const auto plain = static_cast<double>(Bytes({}));
  EXPECT_LT(static_cast<double>(Bytes({{"compression", "lz4"}})) / plain, 0.6);
  EXPECT_LT(static_cast<double>(Bytes({{"compression", "zstd"}})) / plain, 0.4);
}

TEST_F(Compression, NullsEmptyValuesAndTablesWithoutColumns) {
  Prepare(
      "CREATE TABLE n (a int, b text, c int[], d numeric(5,1), e bytea); CREATE TABLE z ();"
      "CREATE PUBLICATION p FOR TABLE n, z");
  Sql("INSERT INTO n SELECT FROM generate_series(1, 3000); INSERT INTO z SELECT FROM generate_series(1, "
      "3000);"
      "INSERT INTO n SELECT NULL, '', '{}', NULL, '' FROM generate_series(1, 3000)");
  const Strings lines = ExpectSameLines();
  ASSERT_EQ(lines.size(), 9000u);
  EXPECT_EQ(lines.front().substr(0, 41), "insert n(null, null, null, null, null) #0");
}

// Batches that hold nothing worth a try are those of a session without compression, byte for byte.
TEST_F(Compression, SmallBatchesAreLeftAlone) {
  Prepare("CREATE TABLE t (id int, name text); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1, 'x')");
  Sql("INSERT INTO t VALUES (2, NULL), (3, '')");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto plain, Frames());
  for (const string& codec : kCodecs) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames({{"compression", codec}}));
    ASSERT_EQ(frames.size(), plain.size());
    for (size_t i = 1; i < frames.size(); ++i) EXPECT_TRUE(frames[i]->Equals(*plain[i])) << i;
  }
}

// Bytes of a cryptographic hash: of their column nothing becomes smaller, of the others something.
TEST_F(Compression, WhatDoesNotBecomeSmallerStays) {
  Prepare("CREATE TABLE t (noise bytea); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t SELECT string_agg(sha512((i || '.' || j)::bytea), '') FROM generate_series(1, 60) i, "
      "generate_series(1, 100) j GROUP BY i");
  EXPECT_EQ(ExpectSameLines().size(), 60u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto plain, Peek());
  for (const string& codec : kCodecs) {
    EXPECT_LT(Bytes({{"compression", codec}}), Bytes({})) << codec;
    // A buffer left as it is is a slice of the frame still.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames({{"compression", codec}}));
    Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
    int64_t batches = 0;
    for (const auto& frame : frames) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto event, decoder.Decode(frame, 0));
      if (!event.has_value() || !std::holds_alternative<ChangeBatch>(*event)) continue;
      ++batches;
      const auto& bytes = *std::get<ChangeBatch>(*event).rows->column_data(0)->buffers[2];
      EXPECT_GE(bytes.data(), frame->data());
      EXPECT_LE(bytes.data() + bytes.size(), frame->data() + frame->size());
    }
    EXPECT_GT(batches, 0);
  }
}

// Rows far over the cap, in two tables at once, between ordinary ones; the buffer of one is too large to be
// tried.
TEST_F(Compression, GiantRows) {
  Prepare(
      "CREATE TABLE t (id int, a text, b bytea); CREATE TABLE u (id int, a text); CREATE PUBLICATION p FOR "
      "TABLE t, u");
  Sql("BEGIN; INSERT INTO u SELECT i, 'small' FROM generate_series(1, 1000) i;"
      "INSERT INTO t VALUES (1, repeat('giant ', 2000000), decode(repeat('00ff', 3000000), 'hex'));"
      "INSERT INTO u VALUES (1001, repeat('x', 70000000));"
      "INSERT INTO t SELECT i, 'small', NULL FROM generate_series(2, 1000) i; COMMIT");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto plain, Peek());
  for (const string& codec : kCodecs) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Peek({{"compression", codec}}));
    ASSERT_EQ(events.size(), plain.size());
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_TRUE(std::get<ChangeBatch>(events[i]).rows->Equals(*std::get<ChangeBatch>(plain[i]).rows))
          << codec << " " << i;
    }
  }
  EXPECT_LT(Bytes({{"compression", "zstd"}}), 72000000);
}

// Sessions that end in an ERROR behind compressed batches leave nothing in the backend.
TEST_F(Compression, AnErrorLeavesNothingBehind) {
  Prepare(
      "CREATE TABLE t (id int, name text); CREATE TABLE f (id int, n int);"
      "CREATE PUBLICATION p FOR TABLE t, f; CREATE PUBLICATION q FOR TABLE f (id)");
  Sql("BEGIN; INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20000) i; INSERT INTO f VALUES "
      "(7); "
      "COMMIT");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, SharedServer().Connect(database()));
  const auto used = [&] {
    return std::stoll(sql->Scalar("SELECT sum(total_bytes) FROM pg_backend_memory_contexts").ValueOrDie());
  };
  const auto fail = [&](const string& codec) {
    const auto result =
        sql->Query("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('" + slot() +
                   "', NULL, NULL, 'publication_names', 'p,q', 'compression', '" + codec + "')");
    ASSERT_FALSE(result.ok());
    ASSERT_NE(result.status().message().find("send different columns"), string::npos) << result.status();
  };
  for (const string& codec : kCodecs) ASSERT_NO_FATAL_FAILURE(fail(codec));
  const int64_t before = used();
  for (int i = 0; i < 20; ++i) {
    for (const string& codec : kCodecs) ASSERT_NO_FATAL_FAILURE(fail(codec));
  }
  EXPECT_LT(used(), before + (64 << 10));
}

}  // namespace
}  // namespace arrowcdc::test
