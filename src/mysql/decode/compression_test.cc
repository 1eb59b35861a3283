// Compressed transactions and events made here, for what servers do not write every day.
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "src/mysql/decode/transaction_payload.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using ::testing::HasSubstr;

Bytes InnerEvent(uint8_t type, size_t body_bytes) {
  EventBytes event;
  event.Number(0, 4).Byte(type).Number(1, 4).Number(19 + body_bytes, 4).Number(0, 4).Number(0, 2);
  for (size_t i = 0; i < body_bytes; ++i) event.Byte(static_cast<uint8_t>(i));
  return event.bytes();
}

Bytes Payload(uint64_t compression, const Bytes& payload) {
  EventBytes body;
  body.Byte(2).Packed(Bytes{static_cast<uint8_t>(compression)});
  if (compression > 250)
    body = EventBytes().Byte(2).Packed(Bytes{0xfc, static_cast<uint8_t>(compression), 0});
  body.Byte(77).Packed("a field that is not known");
  body.Byte(1).Packed(EventBytes().Byte(0xfd).Number(payload.size(), 3).bytes());
  return body.Byte(0).Add(payload).bytes();
}

Bytes Zstd(const Bytes& bytes) {
  Bytes compressed(ZSTD_compressBound(bytes.size()));
  compressed.resize(ZSTD_compress(compressed.data(), compressed.size(), bytes.data(), bytes.size(), 3));
  return compressed;
}

// Types and sizes of the events, and the error that ends them.
std::string Events(const Bytes& body) {
  auto reader = TransactionPayloadReader::Make(body);
  if (!reader.ok()) return reader.status().message();
  std::string text;
  while (true) {
    const auto event = reader->Next();
    if (!event.ok()) return text + event.status().message();
    if (!event->has_value()) return text;
    text += std::to_string((**event)[4]) + ":" + std::to_string((**event).size()) + " ";
  }
}

Bytes Three() {
  return EventBytes().Add(InnerEvent(2, 10)).Add(InnerEvent(19, 0)).Add(InnerEvent(30, 500'000)).bytes();
}

TEST(TransactionPayload, EventsOneAfterAnother) {
  const std::string expected = "2:29 19:19 30:500019 ";
  EXPECT_EQ(Events(Payload(255, Three())), expected);
  EXPECT_EQ(Events(Payload(0, Zstd(Three()))), expected);
  // In more than one frame.
  const Bytes frames = EventBytes().Add(Zstd(InnerEvent(2, 10))).Add(Zstd(InnerEvent(16, 8))).bytes();
  EXPECT_EQ(Events(Payload(0, frames)), "2:29 16:27 ");
  EXPECT_EQ(Events(Payload(255, {})), "");
}

TEST(TransactionPayload, Unsound) {
  EXPECT_THAT(Events({}), HasSubstr("cut off"));
  EXPECT_THAT(Events({0}), HasSubstr("does not say what it is"));
  EXPECT_THAT(Events(Payload(7, {})), HasSubstr("number 7"));
  Bytes more = Payload(255, Three());
  more.push_back(0);
  EXPECT_THAT(Events(more), HasSubstr("not all there"));
  EXPECT_THAT(Events(Payload(0, Three())), HasSubstr("cannot be decompressed"));
  Bytes cut = Zstd(Three());
  cut.resize(cut.size() / 2);
  EXPECT_THAT(Events(Payload(0, cut)), HasSubstr("is cut off"));
  Bytes half = InnerEvent(2, 10);
  half.pop_back();
  EXPECT_EQ(Events(Payload(255, half)), "a compressed transaction ends inside an event");
  Bytes claims = InnerEvent(2, 10);
  claims[9] = claims[10] = claims[11] = claims[12] = 0xff;  // its length
  EXPECT_EQ(Events(Payload(255, claims)), "a compressed transaction ends inside an event");
  claims[9] = 18;
  claims[10] = claims[11] = claims[12] = 0;
  EXPECT_THAT(Events(Payload(255, claims)), HasSubstr("shorter than its header"));
}

Bytes Compressed(uint8_t head, uint64_t length, int length_bytes, const std::string& text) {
  EventBytes bytes;
  bytes.Byte(head);
  for (int i = length_bytes - 1; i >= 0; --i) bytes.Byte(static_cast<uint8_t>(length >> 8 * i));
  Bytes stream(compressBound(text.size()));
  uLongf size = stream.size();
  compress(stream.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  stream.resize(size);
  return bytes.Add(stream).bytes();
}

TEST(Inflate, Pieces) {
  const std::string text(300, 'x');
  const Bytes expected(text.begin(), text.end());
  for (const int width : {2, 3, 4}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto inflated,
                                  Inflate(Compressed(static_cast<uint8_t>(0x80 | width), 300, width, text)));
    EXPECT_EQ(inflated, expected) << width;
  }
}

TEST(Inflate, Unsound) {
  const std::string text(300, 'x');
  Bytes cut = Compressed(0x82, 300, 2, text);
  cut.pop_back();
  for (const Bytes& bytes : {Bytes{}, Bytes{0x80}, Bytes{0x82, 1}, Compressed(0x82, 299, 2, text),
                             Compressed(0x82, 301, 2, text), Compressed(0x92, 300, 2, text),
                             Compressed(0x02, 300, 2, text), Compressed(0x84, 0xffffffff, 4, text), cut}) {
    const auto inflated = Inflate(bytes);
    ASSERT_FALSE(inflated.ok());
    ASSERT_NE(GetErrorDetail(inflated.status()), nullptr);
    EXPECT_EQ(GetErrorDetail(inflated.status())->kind(), ErrorKind::kProtocol);
  }
}

// Of both versions: 166 to 168 have no piece behind the flags, 169 to 171 have.
TEST(Inflate, Rows) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto decoder, RowDecoder::Make({.flavor = Flavor::kMariadb}));
  ARROWCDC_ASSERT_OK(decoder->AddTableMap(
      test::TableMapBody({.types = {3}, .names = {"id"}, .signedness = {0}, .key = {0}})));
  const std::string row(5, '\0');
  const Bytes inserted = Compressed(0x81, 5, 1, row);
  const Bytes updated = Compressed(0x81, 10, 1, row + row);
  const auto body = [](bool has_extra, int images, const Bytes& rows) {
    EventBytes bytes;
    bytes.Number(7, 6).Number(1, 2);
    if (has_extra) bytes.Number(5, 2).Add({9, 9, 9});
    return bytes.Byte(1).Add(Bytes(static_cast<size_t>(images), 1)).Add(rows).bytes();
  };
  for (const bool has_extra : {false, true}) {
    const uint8_t first = has_extra ? 169 : 166;
    ARROWCDC_ASSERT_OK(decoder->AddRows(first, body(has_extra, 1, inserted), {}));
    ARROWCDC_ASSERT_OK(decoder->AddRows(first + 1, body(has_extra, 2, updated), {}));
    ARROWCDC_ASSERT_OK(decoder->AddRows(first + 2, body(has_extra, 1, inserted), {}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder->Flush());
    EXPECT_THAT(test::RowLines(batches, "t"), ::testing::ElementsAre("insert 0.0: 0", "update_before 0.0: 0",
                                                                     "update_after 0.1: 0", "delete 0.0: 0"));
    const arrow::Status status = decoder->AddRows(first, body(has_extra, 1, Bytes(5, 0)), {});
    ASSERT_NE(GetErrorDetail(status), nullptr);
    EXPECT_EQ(GetErrorDetail(status)->object(), "table d.t");
  }
}

}  // namespace
}  // namespace arrowcdc::mysql
