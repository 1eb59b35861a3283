// The frame's two ends against bytes laid by hand from docs/wire.md, against each other, and against damage.
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "format/frame_reader.h"
#include "format/frame_writer.h"
#include "format/testing/buffer.h"

namespace arrowcdc::format {
namespace {

// Little-endian bytes by hand.
struct Bytes {
  std::string text;
  Bytes& Int(uint64_t value, int width) {
    for (int i = 0; i < width; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Bytes& Text(const std::string& value) {
    text += value;
    return *this;
  }
  Bytes& Zeros(int count) {
    text.append(count, '\0');
    return *this;
  }
};

bool Read(const std::string& bytes, Frame* frame, FrameError* error) {
  // A block of exactly this size, so that a read beyond it is seen.
  static std::vector<uint8_t> block;
  block = std::vector<uint8_t>(bytes.begin(), bytes.end());
  block.shrink_to_fit();
  return ReadFrame(block.data(), block.size(), frame, error);
}

std::string HelloByHand() {
  Bytes b;
  b.Text("WA")
      .Int(1, 1)
      .Int(1, 1)
      .Int(0, 2)
      .Int(32, 2)
      .Int(80, 4)
      .Int(0, 4)
      .Int(0x1122334455667788, 8)
      .Int(0, 8);
  b.Int(1, 2).Int(0, 2).Int(16, 4).Int(1, 2).Int(0, 2).Int(150018, 4).Int(7300000000000000001, 8);
  b.Int(2, 2).Int(0, 2).Int(4, 4).Text("a=b\n").Zeros(4);
  b.Int(0, 2).Zeros(6);
  return b.text;
}

TEST(FrameReader, HelloLaidByHand) {
  Frame frame;
  FrameError error;
  ASSERT_TRUE(Read(HelloByHand(), &frame, &error)) << error.what << error.offset;
  EXPECT_EQ(frame.header.kind, 1);
  EXPECT_EQ(frame.header.safe_lsn, 0x1122334455667788u);
  HelloSection hello;
  ASSERT_TRUE(ReadHello(frame, &hello, &error));
  EXPECT_EQ(hello.protocol_version, 1);
  EXPECT_EQ(hello.server_version_num, 150018u);
  EXPECT_EQ(hello.system_identifier, 7300000000000000001u);
  const SectionData& options = frame.section(SectionTag::kOptions);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(options.data), options.bytes), "a=b\n");
  EXPECT_EQ(options.offset, 64u);
  EXPECT_EQ(frame.section(SectionTag::kPluginVersion).data, nullptr);
  EXPECT_EQ(frame.payload_bytes, 0u);
}

TEST(FrameReader, NoticeLaidByHand) {
  Bytes b;
  b.Text("WA").Int(1, 1).Int(15, 1).Int(1, 2).Int(32, 2).Int(112, 4).Int(3, 4).Int(0, 8).Int(0, 8);
  b.Int(10, 2).Int(0, 2).Int(24, 4);
  b.Int(0x1500100, 8).Int(16386, 4).Int(2, 1).Int(0, 1).Int(5, 1).Int(0, 1).Int(16384, 4).Int(0, 4);
  b.Int(11, 2).Int(0, 2).Int(33, 4);
  b.Int(16386, 4).Int(6, 2).Int(3, 2).Text("publico_1").Int(16384, 4).Int(6, 2).Int(2, 2).Text("publicoo");
  b.Zeros(7);
  Frame frame;
  FrameError error;
  ASSERT_TRUE(Read(b.text, &frame, &error)) << error.what << error.offset;
  EXPECT_STREQ(FrameKindName(frame.header.kind), "notice");
  NoticeSection notice;
  ASSERT_TRUE(ReadNotice(frame, &notice, &error));
  EXPECT_EQ(notice.commit_lsn, 0x1500100u);
  EXPECT_EQ(notice.relation_oid, 16386u);
  EXPECT_EQ(notice.what, 2);
  EXPECT_EQ(notice.published, 5);
  EXPECT_EQ(notice.published_as, 16384u);
  uint32_t at = 0;
  NameEntry entry;
  const char* names = nullptr;
  ASSERT_TRUE(ReadName(frame, &at, &entry, &names, &error));
  EXPECT_EQ(std::string(names, 9), "publico_1");
  ASSERT_TRUE(ReadName(frame, &at, &entry, &names, &error));
  EXPECT_EQ(entry.oid, 16384u);
  EXPECT_EQ(std::string(names + entry.schema_name_bytes, entry.table_name_bytes), "oo");
  EXPECT_EQ(at, 33u);
  EXPECT_FALSE(ReadName(frame, &at, &entry, &names, &error));
}

TEST(FrameWriter, HelloAsLaidByHand) {
  TestBuffer out;
  const HelloSection hello = {1, 0, 150018, 7300000000000000001};
  const Section sections[] = {{SectionTag::kHello, &hello, sizeof(hello)},
                              {SectionTag::kOptions, "a=b\n", 4}};
  AppendFrameHeader(
      {.kind = FrameKind::kHello, .safe_lsn = 0x1122334455667788, .sections = sections, .section_count = 2},
      out.get());
  std::string by_hand = HelloByHand();
  by_hand.resize(72);  // the end marker is optional
  by_hand[8] = 72;
  EXPECT_EQ(out.view(), by_hand);
}

TEST(FrameWriter, BodyIsAlignedForEveryMetadataLength) {
  for (size_t in_front : {0, 5}) {
    for (int sections = 0; sections < 20; ++sections) {
      for (size_t metadata_bytes = 8; metadata_bytes < 300; metadata_bytes += 8) {
        TestBuffer out;
        AppendZeros(out.get(), in_front);
        std::vector<Section> given;
        for (int i = 0; i < sections; ++i) given.push_back({SectionTag::kEnd, "0123456", size_t(i % 8)});
        AppendFrameHeader({.kind = FrameKind::kBatch,
                           .sections = given.data(),
                           .section_count = sections,
                           .metadata_bytes = metadata_bytes,
                           .payload_bytes = metadata_bytes},
                          out.get());
        size_t header_bytes = out.size() - in_front;
        ASSERT_EQ((25 + header_bytes + metadata_bytes) % 64, 0u);
        uint32_t written;
        memcpy(&written, out.data() + in_front + 8, 4);
        ASSERT_EQ(written, header_bytes);
      }
    }
  }
}

TEST(FrameWriter, HeaderAsLongAsWanted) {
  const FrameDraft frame = {
      .kind = FrameKind::kContinuation, .sequence = 2, .payload_bytes = 3, .header_bytes_min = 64};
  EXPECT_EQ(MeasureFrameHeader(frame), 64u);
  TestBuffer out;
  AppendFrameHeader(frame, out.get());
  Bytes by_hand;
  by_hand.Text("WA").Int(1, 1).Int(7, 1).Int(0, 2).Int(32, 2).Int(64, 4).Int(2, 4).Int(0, 8).Int(3, 8);
  EXPECT_EQ(out.view(), by_hand.Zeros(32).text);
}

// A frame with every section, for the damage tests.
std::string Everything() {
  const HelloSection hello = {1, 0, 150020, 9};
  TestBuffer table;
  AppendValue(table.get(), TableSection{11, 12, 'f', {}, 6, 5, 0});
  Append(table.get(), "publicitems", 11);
  const BatchSection batch = {11, 12, 3};
  const TransactionEntry transactions[] = {{100, -5, 7, 1}, {200, 6, 8, 2}};
  const CellEntry cells[] = {{0, 1, 0}, {2, 0, 0}, {2, 1, 0}};
  TestBuffer truncate;
  AppendValue(truncate.get(), TruncateSection{300, 1, 0, 0, 2});
  AppendValue(truncate.get(), TruncateEntry{11, 12, 0, 0});
  AppendValue(truncate.get(), TruncateEntry{21, 22, 1, 0});
  const std::vector<Section> sections = {
      {SectionTag::kHello, &hello, sizeof(hello)},
      {SectionTag::kTable, table.data(), table.size()},
      {SectionTag::kBatch, &batch, sizeof(batch)},
      {SectionTag::kTransactions, transactions, sizeof(transactions), kSectionRequired},
      {SectionTag::kUnchanged, cells, sizeof(cells)},
      {SectionTag::kTruncate, truncate.data(), truncate.size()}};
  TestBuffer out;
  AppendFrameHeader({.kind = FrameKind::kBatch,
                     .flags = kFlagGroupEnd | kFlagDirty,
                     .sequence = 3,
                     .safe_lsn = 77,
                     .sections = sections.data(),
                     .section_count = static_cast<int32_t>(sections.size()),
                     .metadata_bytes = 16,
                     .payload_bytes = 20},
                    out.get());
  Append(out.get(), "0123456789abcdefbody", 20);
  return std::string(out.view());
}

TEST(Frame, WhatIsWrittenIsRead) {
  Frame frame;
  FrameError error;
  ASSERT_TRUE(Read(Everything(), &frame, &error)) << error.what << " " << error.offset;
  EXPECT_EQ(frame.header.flags, kFlagGroupEnd | kFlagDirty);
  EXPECT_EQ(frame.header.sequence, 3u);
  TableSection table;
  const char* names;
  ASSERT_TRUE(ReadTable(frame, &table, &names, &error));
  EXPECT_EQ(std::string(names, 11), "publicitems");
  EXPECT_EQ(table.replica_identity, 'f');
  BatchSection batch;
  ASSERT_TRUE(ReadBatch(frame, &batch, &error));
  EXPECT_EQ(batch.rows, 3u);
  uint32_t count;
  ASSERT_TRUE(CountEntries(frame, SectionTag::kTransactions, sizeof(TransactionEntry), &count, &error));
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(TransactionAt(frame, 0).commit_ts, -5);
  EXPECT_EQ(TransactionAt(frame, 1).commit_lsn, 200u);
  ASSERT_TRUE(CountEntries(frame, SectionTag::kUnchanged, sizeof(CellEntry), &count, &error));
  ASSERT_EQ(count, 3u);
  EXPECT_EQ(CellAt(frame, SectionTag::kUnchanged, 2).row, 2u);
  EXPECT_EQ(CellAt(frame, SectionTag::kUnchanged, 2).field, 1u);
  ASSERT_TRUE(CountEntries(frame, SectionTag::kUnrepresentable, sizeof(CellEntry), &count, &error));
  EXPECT_EQ(count, 0u);
  TruncateSection truncate;
  ASSERT_TRUE(ReadTruncate(frame, &truncate, &error));
  ASSERT_EQ(truncate.tables, 2u);
  EXPECT_EQ(TruncateEntryAt(frame, 1).relation_oid, 22u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(frame.payload), frame.payload_bytes),
            "0123456789abcdefbody");
}

// Everything a reader would look at; only whether it stays inside the bytes is of interest.
void ReadAll(const std::string& bytes) {
  Frame frame;
  FrameError error = {};
  if (!Read(bytes, &frame, &error)) {
    ASSERT_NE(error.what, nullptr);
    return;
  }
  HelloSection hello;
  ReadHello(frame, &hello, &error);
  BatchSection batch;
  ReadBatch(frame, &batch, &error);
  TableSection table;
  const char* names;
  volatile size_t sum = 0;
  if (ReadTable(frame, &table, &names, &error)) {
    for (char c : std::string(names, table.schema_name_bytes + table.table_name_bytes)) sum = sum + c;
  }
  TruncateSection truncate;
  if (ReadTruncate(frame, &truncate, &error)) {
    for (uint32_t i = 0; i < truncate.tables; ++i) sum = sum + TruncateEntryAt(frame, i).ord;
  }
  uint32_t count;
  if (CountEntries(frame, SectionTag::kTransactions, sizeof(TransactionEntry), &count, &error)) {
    for (uint32_t i = 0; i < count; ++i) sum = sum + TransactionAt(frame, i).rows;
  }
  if (CountEntries(frame, SectionTag::kUnchanged, sizeof(CellEntry), &count, &error)) {
    for (uint32_t i = 0; i < count; ++i) sum = sum + CellAt(frame, SectionTag::kUnchanged, i).row;
  }
  for (uint64_t i = 0; i < frame.payload_bytes; ++i) sum = sum + frame.payload[i];
}

TEST(FrameReader, EveryShorterFrameIsRefused) {
  std::string whole = Everything();
  for (size_t n = 0; n < whole.size(); ++n) {
    Frame frame;
    FrameError error;
    EXPECT_FALSE(Read(whole.substr(0, n), &frame, &error)) << n;
  }
  Frame frame;
  FrameError error;
  EXPECT_FALSE(Read(whole + "x", &frame, &error));
}

TEST(FrameReader, EveryByteInEveryValueStaysInside) {
  const std::string whole = Everything();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int value : {0, 1, 2, 7, 8, 16, 0x7f, 0x80, 0xfe, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(value);
      ReadAll(damaged);
    }
  }
}

TEST(FrameReader, RandomDamageStaysInside) {
  const std::string whole = Everything();
  for (uint64_t seed = 1; seed <= 20000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string damaged = whole;
    for (int n = 1 + static_cast<int>(random() % 6); n > 0; --n) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    damaged.resize(random() % 3 == 0 ? random() % damaged.size() : damaged.size());
    ReadAll(damaged);
  }
}

struct Refusal {
  size_t at;
  uint64_t value;
  int width;
  const char* what;
  uint64_t offset;
};

TEST(FrameReader, RefusalsNameTheOffset) {
  // Offsets by docs/wire.md; the first section of Everything() is hello, at 32, its data 16 bytes; table
  // follows at 56.
  const Refusal kRefusals[] = {
      {0, 'X', 1, "magic", 0},
      {2, 2, 1, "layout version", 2},
      {6, 31, 2, "fixed part too short", 6},
      {8, 31, 4, "header length out of range", 8},
      {8, 0xffffffff, 4, "header length out of range", 8},
      {24, 21, 8, "payload length", 24},
      {24, 0xffffffffffffffff, 8, "payload length", 24},
      {36, 0xffffffff, 4, "section longer than the header", 36},
      {60, 0xfffffff0, 4, "section longer than the header", 60},
      {56, 1, 2, "section given twice", 56},
  };
  for (const Refusal& refusal : kRefusals) {
    std::string damaged = Everything();
    for (int i = 0; i < refusal.width; ++i)
      damaged[refusal.at + i] = static_cast<char>(refusal.value >> (8 * i));
    Frame frame;
    FrameError error;
    ASSERT_FALSE(Read(damaged, &frame, &error)) << refusal.what;
    EXPECT_NE(std::string(error.what).find(refusal.what), std::string::npos) << error.what;
    EXPECT_EQ(error.offset, refusal.offset) << error.what;
  }
}

TEST(FrameReader, UnknownSectionsAreSkippedUnlessRequired) {
  for (bool required : {false, true}) {
    Bytes b;
    b.Text("WA").Int(1, 1).Int(6, 1).Int(0, 2).Int(32, 2).Int(72, 4).Int(0, 4).Int(0, 8).Int(0, 8);
    b.Int(999, 2).Int(required ? 1 : 0, 2).Int(3, 4).Text("abc").Zeros(5);
    b.Int(2, 2).Int(0, 2).Int(2, 4).Text("hi").Zeros(6).Zeros(8);
    Frame frame;
    FrameError error;
    ASSERT_EQ(Read(b.text, &frame, &error), !required);
    if (required) {
      EXPECT_EQ(error.value, 999u);
      EXPECT_EQ(error.offset, 32u);
    } else {
      EXPECT_EQ(frame.section(SectionTag::kOptions).bytes, 2u);
    }
  }
}

TEST(FrameReader, FixedPartMayGrow) {
  Bytes b;
  b.Text("WA").Int(1, 1).Int(6, 1).Int(2, 2).Int(40, 2).Int(56, 4).Int(5, 4).Int(9, 8).Int(0, 8).Int(~0ull,
                                                                                                     8);
  b.Int(2, 2).Int(0, 2).Int(2, 4).Text("hi").Zeros(6);
  Frame frame;
  FrameError error;
  ASSERT_TRUE(Read(b.text, &frame, &error)) << error.what;
  EXPECT_EQ(frame.section(SectionTag::kOptions).bytes, 2u);
}

TEST(FrameReader, FirstOfSeveralPartsHoldsLessThanThePayload) {
  for (uint64_t payload_bytes : {0, 3, 4, 5, 1000}) {
    Bytes b;
    b.Text("WA").Int(1, 1).Int(3, 1).Int(16, 2).Int(32, 2).Int(32, 4).Int(0, 4).Int(0, 8).Int(payload_bytes,
                                                                                              8);
    b.Text("part");
    Frame frame;
    FrameError error;
    EXPECT_EQ(Read(b.text, &frame, &error), payload_bytes > 4) << payload_bytes;
  }
}

TEST(FrameKind, Names) {
  EXPECT_STREQ(FrameKindName(3), "batch");
  EXPECT_STREQ(FrameKindName(14), "rollback prepared");
  EXPECT_EQ(FrameKindName(0), nullptr);
  EXPECT_EQ(FrameKindName(16), nullptr);
  EXPECT_STREQ(SectionTagName(9), "truncate");
  EXPECT_STREQ(SectionTagName(13), "message");
  EXPECT_EQ(SectionTagName(14), nullptr);
}

// The published test vectors of FNV-1a, 64 bit.
TEST(Fingerprint, PublishedVectors) {
  EXPECT_EQ(Fingerprint("", 0), 0xcbf29ce484222325u);
  EXPECT_EQ(Fingerprint("a", 1), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fingerprint("foobar", 6), 0x85944171f73967e8u);
}

}  // namespace
}  // namespace arrowcdc::format
