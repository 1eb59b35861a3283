// Events as the servers wrote them (hexdump of their files), and bodies by the layouts of their manuals.
#include "src/mysql/decode/event.h"

#include <zlib.h>

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

std::string Number(uint64_t value, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

std::string MakeEvent(EventType type, const std::string& body, bool checksum = false, uint16_t flags = 0) {
  const size_t size = kEventHeaderBytes + body.size() + (checksum ? 4 : 0);
  std::string event = Number(1'700'000'000, 4) + static_cast<char>(type) + Number(1, 4) + Number(size, 4) +
                      Number(500, 4) + Number(flags, 2) + body;
  if (!checksum) return event;
  const auto* const bytes = reinterpret_cast<const Bytef*>(event.data());
  return event + Number(crc32(0, bytes, static_cast<uInt>(event.size())), 4);
}

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// MySQL writes it with the checksum's algorithm in front of a checksum that is always there.
std::string Description(uint8_t algorithm) {
  std::string body = Number(4, 2) + "9.7.4";
  body.resize(2 + 50);
  body += Number(0, 4) + Number(19, 1) + std::string(41, '\x08') + Number(algorithm, 1);
  if (algorithm == 0) return MakeEvent(EventType::kFormatDescription, body + Number(0, 4));
  return MakeEvent(EventType::kFormatDescription, body, true);
}

TEST(EventReader, ChecksumsAsTheDescriptionSays) {
  EventReader with;
  const std::string description = Description(1);
  ARROWCDC_ASSERT_OK(with.Read(Bytes(description)));
  // A file that is written has a flag which is no part of the checksum.
  std::string in_use = description;
  in_use[17] = 1;
  ARROWCDC_ASSERT_OK(with.Read(Bytes(in_use)));
  std::string xid = MakeEvent(EventType::kXid, Number(7, 8), true);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const BinlogEvent event, with.Read(Bytes(xid)));
  EXPECT_EQ(event.header.type, EventType::kXid);
  EXPECT_EQ(event.header.end, 500);
  EXPECT_EQ(event.body.size(), 8);
  xid[20] ^= 1;
  EXPECT_FALSE(with.Read(Bytes(xid)).ok());

  EventReader without;
  const std::string plain = Description(0);
  ARROWCDC_ASSERT_OK(without.Read(Bytes(plain)));
  const std::string bare = MakeEvent(EventType::kXid, Number(7, 8));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const BinlogEvent read, without.Read(Bytes(bare)));
  EXPECT_EQ(read.body.size(), 8);
}

TEST(EventReader, RotateInFrontOfTheDescription) {
  for (const bool checksum : {false, true}) {
    EventReader reader;
    const std::string rotate = MakeEvent(EventType::kRotate, Number(4, 8) + "binlog.000012", checksum, 0x20);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const BinlogEvent event, reader.Read(Bytes(rotate)));
    EXPECT_TRUE(event.header.artificial());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const RotateBody body, ReadRotate(event.body));
    EXPECT_EQ(body.file, "binlog.000012");
    EXPECT_EQ(body.offset, 4);
  }
}

TEST(EventReader, ShorterOrLongerThanItSays) {
  EventReader reader;
  const std::string event = MakeEvent(EventType::kXid, Number(7, 8));
  for (size_t size = 0; size < event.size(); ++size)
    EXPECT_FALSE(reader.Read(Bytes(event).first(size)).ok()) << size;
  EXPECT_FALSE(reader.Read(Bytes(event + "x")).ok());
}

TEST(ReadGtid, Mysql) {
  const std::string uuid = "\x3e\x11\xfa\x47\x71\xca\x11\xe1\x9e\x33\xc8\x0a\xa9\x42\x95\x62";
  // Flags, UUID, number, clock of kind 2, both times (bit 55 of the first says that there is a second).
  const std::string body = Number(0, 1) + uuid + Number(23, 8) + Number(2, 1) + Number(1, 8) + Number(2, 8) +
                           Number(1'700'000'000'000'001ULL | uint64_t{1} << 55, 7) +
                           Number(1'600'000'000'000'002ULL, 7) + Number(0, 1) + Number(90'704, 4);
  const std::string event = MakeEvent(EventType::kGtid, body);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const GtidBody gtid, ReadGtid(*EventReader::ReadInner(Bytes(event))));
  EXPECT_EQ(ToString(gtid.id), "3e11fa47-71ca-11e1-9e33-c80aa9429562:23");
  EXPECT_EQ(gtid.commit_ts, 1'600'000'000'000'002);
  const std::string anonymous = MakeEvent(EventType::kAnonymousGtid, body);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const GtidBody none, ReadGtid(*EventReader::ReadInner(Bytes(anonymous))));
  EXPECT_EQ(ToString(none.id), "");
  EXPECT_FALSE(ReadGtid(*EventReader::ReadInner(Bytes(MakeEvent(EventType::kGtid, "abc")))).ok());
}

TEST(ReadGtid, Mariadb) {
  const std::string event = MakeEvent(EventType::kMariadbGtid,
                                      Number(9, 8) + Number(3, 4) + Number(1 | 4, 1) + std::string(6, '\0'));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const GtidBody gtid, ReadGtid(*EventReader::ReadInner(Bytes(event))));
  EXPECT_EQ(ToString(gtid.id), "3-1-9");
  EXPECT_TRUE(gtid.standalone);
  EXPECT_TRUE(gtid.transactional);
  EXPECT_FALSE(gtid.xa_prepare);
  EXPECT_EQ(gtid.commit_ts, 1'700'000'000'000'000);
}

std::string Query(const std::string& status, const std::string& text) {
  return Number(1, 4) + Number(0, 4) + Number(4, 1) + Number(0, 2) + Number(status.size(), 2) + status +
         "shop" + '\0' + text;
}

TEST(ReadQuery, StatusVariables) {
  const std::string status = std::string("\0\0\0\0\0", 5) + "\x01" + Number(4, 8) +
                             std::string("\x06\x03std") + "\x0c\x02" + "shop" + '\0' + "other" + '\0' +
                             "\x12" + Number(45, 2);
  const std::string event = MakeEvent(EventType::kQuery, Query(status, "DELETE FROM t"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const QueryBody query, ReadQuery(*EventReader::ReadInner(Bytes(event))));
  EXPECT_EQ(query.schema, "shop");
  EXPECT_EQ(query.text, "DELETE FROM t");
  EXPECT_TRUE(query.ansi_quotes);
  EXPECT_EQ(query.updated, (std::set<std::string>{"other", "shop"}));
}

TEST(ReadQuery, DatabasesThatAreNotSaid) {
  for (const std::string& status : {std::string(), std::string("\x0c\xfe"), std::string("\xf0 unknown")}) {
    const std::string event = MakeEvent(EventType::kQuery, Query(status, "x"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const QueryBody query, ReadQuery(*EventReader::ReadInner(Bytes(event))));
    EXPECT_FALSE(query.updated.has_value());
  }
  const std::string damaged = MakeEvent(EventType::kQuery, Query("\x01 short", "x"));
  EXPECT_TRUE(ReadQuery(*EventReader::ReadInner(Bytes(damaged))).ok() == false);
}

TEST(FileNumber, BehindTheLastDot) {
  EXPECT_EQ(*FileNumber("binlog.000012"), 12);
  EXPECT_EQ(*FileNumber("my.host-bin.1048575"), 1'048'575);
  for (const char* name : {"binlog", "binlog.", "binlog.12x", "binlog.index"})
    EXPECT_FALSE(FileNumber(name).ok()) << name;
  EXPECT_FALSE(FileNumber("binlog.1048576").ok());
}

}  // namespace
}  // namespace arrowcdc::mysql
