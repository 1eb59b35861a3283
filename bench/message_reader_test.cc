#include "bench/message_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc::bench {
namespace {

std::string BigEndian(uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::unique_ptr<MessageReader> Make(Reader reader) { return MakeMessageReader(reader, *FindTable("narrow")); }

TEST(MessageReaderTest, PgoutputCountsChangesAndKeepsTheCommitTime) {
  const auto reader = Make(Reader::kPgoutput);
  ARROWCDC_ASSERT_OK(reader->Read("B" + BigEndian(1) + BigEndian(5) + "xid_"));
  for (const char* message : {"R...", "I...", "U...", "D...", "Y..."}) {
    ARROWCDC_ASSERT_OK(reader->Read(message));
    EXPECT_FALSE(reader->at_commit());
  }
  ARROWCDC_ASSERT_OK(reader->Read("C..."));
  EXPECT_TRUE(reader->at_commit());
  EXPECT_EQ(reader->rows(), 3);
  EXPECT_EQ(reader->transactions(), 1);
  EXPECT_EQ(reader->commit_time(), 946'684'800'000'005);  // 2000-01-01 and five microseconds
  EXPECT_FALSE(reader->Read("").ok());
}

TEST(MessageReaderTest, PgoutputStreamsATransactionBeforeItsCommit) {
  const auto reader = Make(Reader::kPgoutput);
  for (const char* message : {"Sxid_f", "Rxid_", "Ixid_N", "E", "Sxid_f", "Ixid_N", "E"}) {
    ARROWCDC_ASSERT_OK(reader->Read(message));
    EXPECT_FALSE(reader->at_commit());
  }
  ARROWCDC_ASSERT_OK(reader->Read("cxid_"));
  EXPECT_TRUE(reader->at_commit());
  EXPECT_EQ(reader->rows(), 2);
  EXPECT_EQ(reader->transactions(), 1);
}

TEST(MessageReaderTest, TextPlugins) {
  const auto decoding = Make(Reader::kTestDecoding);
  for (const char* message : {"BEGIN 1", "table public.t: INSERT: id[bigint]:1", "COMMIT 1"})
    ARROWCDC_ASSERT_OK(decoding->Read(message));
  EXPECT_EQ(decoding->rows(), 1);
  EXPECT_TRUE(decoding->at_commit());
  const auto json = Make(Reader::kWal2json);
  for (const char* message :
       {R"({"action":"B"})", R"({"action":"U","schema":"public"})", R"({"action":"C"})"}) {
    ARROWCDC_ASSERT_OK(json->Read(message));
  }
  EXPECT_EQ(json->rows(), 1);
  EXPECT_EQ(json->transactions(), 1);
}

TEST(MessageReaderTest, Wal2jsonFormat1CountsTheChangesOfATransaction) {
  const auto reader = Make(Reader::kWal2jsonV1);
  ARROWCDC_ASSERT_OK(reader->Read(
      R"({"change":[{"kind":"insert","columnvalues":["{\"kind\":\"insert"]},{"kind":"delete","oldkeys":{}}]})"));
  ARROWCDC_ASSERT_OK(reader->Read(R"({"change":[]})"));
  EXPECT_EQ(reader->rows(), 2);
  EXPECT_EQ(reader->transactions(), 2);
  EXPECT_TRUE(reader->at_commit());
  EXPECT_FALSE(reader->Read(R"({"action":"B"})").ok());
}

TEST(MessageReaderTest, DecoderbufsFindsTheOperation) {
  const auto reader = Make(Reader::kDecoderbufs);
  const std::string head("\x08\x96\x01\x10\x05", 5);  // transaction 150, commit time 5
  ARROWCDC_ASSERT_OK(reader->Read(head + std::string("\x20\x03", 2)));
  ARROWCDC_ASSERT_OK(reader->Read(head + std::string("\x1a\x03"
                                                     "a.b\x20\x01",
                                                     7)));
  EXPECT_EQ(reader->rows(), 1);
  ARROWCDC_ASSERT_OK(reader->Read(head + std::string("\x20\x04", 2)));
  EXPECT_TRUE(reader->at_commit());
  EXPECT_EQ(reader->commit_time(), 5);
  EXPECT_FALSE(reader->Read(head).ok());
}

TEST(MessageReaderTest, TheDoNothingPluginSaysItsRows) {
  const auto reader = Make(Reader::kNoop);
  ARROWCDC_ASSERT_OK(reader->Read(BigEndian(5000) + BigEndian(0)));
  EXPECT_EQ(reader->rows(), 5000);
  EXPECT_FALSE(reader->Read("short").ok());
}

}  // namespace
}  // namespace arrowcdc::bench
