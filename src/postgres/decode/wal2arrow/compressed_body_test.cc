// Compressed bodies: the rows are those of the uncompressed body, and what they say about their size is not
// believed.
#include <random>

#include <arrow/memory_pool.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "format/testing/batch.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace arrowcdc {
namespace {

using format::BodyCodec;
using format::FlatBatch;
using test::DecodeAll;
using test::FrameFactory;
using test::Json;
using test::kEpoch;
using test::Message;
using test::TestTable;
using test::With;

constexpr BodyCodec kCodecs[] = {BodyCodec::kLz4Frame, BodyCodec::kZstd};
constexpr uint32_t kRows = 2000;

TestTable Table() {
  TestTable table;
  table.columns = {arrow::field("number", arrow::int64()), arrow::field("text", arrow::utf8()),
                   arrow::field("tags", arrow::list(arrow::field("item", arrow::int32()))),
                   arrow::field("flag", arrow::boolean())};
  return table;
}

// Numbers and text that repeat and some that do not; every third row is null.
std::shared_ptr<arrow::RecordBatch> Rows() {
  std::string numbers, texts, tags, flags, ops, lsns, ords;
  std::mt19937_64 random(7);
  for (uint32_t i = 0; i < kRows; ++i) {
    const std::string comma = i == 0 ? "" : ", ";
    const bool null = i % 3 == 0;
    numbers += comma + (null ? "null" : std::to_string(static_cast<int64_t>(random())));
    texts += comma + (null ? "null" : "\"the text of row " + std::to_string(i) + "\"");
    tags += comma + (null ? "null" : "[1, " + std::to_string(i) + ", null]");
    flags += comma + (null ? "null" : i % 2 == 0 ? "true" : "false");
    ops += comma + "0";
    lsns += comma + std::to_string(1000 + 100 * i);
    ords += comma + "0";
  }
  const TestTable table = Table();
  const auto wire = table.wire_schema();
  const std::string* const columns[] = {&numbers, &texts, &tags, &flags, &ops, &lsns, &ords};
  arrow::ArrayVector arrays;
  for (int i = 0; i < wire->num_fields(); ++i) {
    arrays.push_back(Json(wire->field(i)->type(), "[" + *columns[i] + "]"));
  }
  return arrow::RecordBatch::Make(wire, kRows, arrays);
}

std::vector<std::string> Session(const std::string& payload) {
  FrameFactory make;
  const TestTable table = Table();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
  frames.push_back(make.Batch(table, kRows, payload, {{150, 1700000000000001, 41, kRows}}));
  return frames;
}

void ExpectRefused(const std::string& payload, const std::string& text, Wal2arrowDecoder* decoder = nullptr) {
  const auto event = DecodeAll(Session(payload), decoder);
  ASSERT_FALSE(event.ok()) << "wanted: " << text;
  const std::string& message = event.status().message();
  EXPECT_NE(message.find(text), std::string::npos) << message << "\nwanted: " << text;
  EXPECT_NE(message.find("frame 2 (batch)"), std::string::npos) << message;
  EXPECT_NE(message.find("at offset "), std::string::npos) << message;
  const ErrorDetail* detail = GetErrorDetail(event.status());
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kProtocol);
}

// Where the body's buffer `index` begins in a payload.
size_t BufferAt(const FlatBatch& flat, size_t index) {
  return format::RecordBatchMetadataBytes(static_cast<int32_t>(flat.nodes.size()),
                                          static_cast<int32_t>(flat.buffers.size()), flat.codec) +
         static_cast<size_t>(flat.buffers[index].offset);
}

// Buffers of the batch above, as Arrow orders them.
constexpr size_t kNumberValues = 1;
constexpr size_t kTextOffsets = 3;
constexpr size_t kTextBytes = 4;
constexpr size_t kTagOffsets = 6;

TEST(CompressedBody, RowsAreThoseOfTheUncompressedOne) {
  const auto plain = DecodeAll(Session(test::BatchPayload(*Rows())));
  ASSERT_TRUE(plain.ok()) << plain.status();
  const auto& wanted = *std::get<ChangeBatch>(**plain).rows;
  std::vector<std::string> payloads;
  for (const BodyCodec codec : kCodecs) payloads.push_back(FlatBatch(*Rows(), codec).Message(kRows));
  payloads.push_back(test::BatchPayload(*Rows(), arrow::Compression::LZ4_FRAME));
  payloads.push_back(test::BatchPayload(*Rows(), arrow::Compression::ZSTD));
  for (const std::string& payload : payloads) {
    const auto event = DecodeAll(Session(payload));
    ASSERT_TRUE(event.ok()) << event.status();
    const auto& rows = *std::get<ChangeBatch>(**event).rows;
    EXPECT_TRUE(rows.ValidateFull().ok()) << rows.ValidateFull();
    EXPECT_TRUE(rows.Equals(wanted));
  }
}

TEST(CompressedBody, InParts) {
  const auto payload = FlatBatch(*Rows(), BodyCodec::kZstd).Message(kRows);
  FrameFactory make;
  const TestTable table = Table();
  std::vector<std::string> frames = {make.Hello(), make.Schema(table)};
  for (auto& part : make.Split(make.Batch(table, kRows, payload, {{150, 1, 41, kRows}}), 777)) {
    frames.push_back(std::move(part));
  }
  const auto event = DecodeAll(frames);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(std::get<ChangeBatch>(**event).rows->num_rows(), kRows);
}

TEST(CompressedBody, BuffersLeftAsTheyAreStaySlicesOfTheMessage) {
  const FlatBatch flat(*Rows(), BodyCodec::kLz4Frame);
  const auto frames = Session(flat.Message(kRows));
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({frames[0], frames[1]}, &decoder).ok());
  const auto message = Message::Make(frames[2]);
  const auto event = decoder.Decode(message, 25);
  ASSERT_TRUE(event.ok()) << event.status();
  const auto inside = [&](const arrow::Buffer& buffer) {
    return buffer.data() >= message->data() &&
           buffer.data() + buffer.size() <= message->data() + message->size();
  };
  // FlatBatch leaves every third buffer: the text's validity is one, its offsets are not.
  const auto& text = *std::get<ChangeBatch>(**event).rows->column_data(1);
  EXPECT_TRUE(inside(*text.buffers[0]));
  EXPECT_FALSE(inside(*text.buffers[1]));
}

TEST(CompressedBody, LengthsThatTheRowsCannotNeed) {
  for (const BodyCodec codec : kCodecs) {
    const FlatBatch flat(*Rows(), codec);
    const std::string payload = flat.Message(kRows);
    const auto length = [&](size_t buffer, int64_t value) {
      return With(payload, BufferAt(flat, buffer), static_cast<uint64_t>(value), 8);
    };
    ExpectRefused(length(kNumberValues, int64_t{1} << 40), "buffer 1 at ");
    ExpectRefused(length(kNumberValues, int64_t{1} << 40),
                  "expands to 1099511627776 bytes, and at most 16008");
    ExpectRefused(length(kNumberValues, std::numeric_limits<int64_t>::max()), "and at most 16008 are needed");
    ExpectRefused(length(kNumberValues, std::numeric_limits<int64_t>::min()), "and at most 16008 are needed");
    ExpectRefused(length(kNumberValues, -2), "expands to -2 bytes");
    ExpectRefused(length(kTextOffsets, 1 << 20), "at most 8004 are needed");
    ExpectRefused(length(kTextBytes, int64_t{1} << 31), "at most 2147483647 are needed");
    ExpectRefused(length(kTagOffsets, 1 << 20), "at most 8004 are needed");
  }
}

// Believable, and wrong all the same.
TEST(CompressedBody, LengthsThatAreNotThoseOfTheBytes) {
  for (const BodyCodec codec : kCodecs) {
    const FlatBatch flat(*Rows(), codec);
    const std::string payload = flat.Message(kRows);
    for (const size_t buffer : {kNumberValues, kTextBytes, kTagOffsets}) {
      int64_t right;
      memcpy(&right, payload.data() + BufferAt(flat, buffer), sizeof(right));
      for (const int64_t wrong : {int64_t{0}, int64_t{1}, right - 1, right + 1, right + 8}) {
        SCOPED_TRACE(std::to_string(buffer) + ": " + std::to_string(wrong));
        ExpectRefused(With(payload, BufferAt(flat, buffer), static_cast<uint64_t>(wrong), 8), "");
      }
    }
    // Compressed bytes taken for the values themselves.
    ExpectRefused(With(payload, BufferAt(flat, kNumberValues), ~uint64_t{0}, 8),
                  "column 0 is not a valid array");
  }
}

// What rows could need and their bytes cannot give is refused before it is allocated.
TEST(CompressedBody, LengthsToWhichTheBytesDoNotExpand) {
  for (const BodyCodec codec : kCodecs) {
    const FlatBatch flat(*Rows(), codec);
    const std::string payload = flat.Message(kRows);
    for (const int64_t length : {int64_t{16} << 20, int64_t{2147483647}}) {
      arrow::ProxyMemoryPool pool(arrow::default_memory_pool());
      Wal2arrowDecoder decoder(&pool, kEpoch);
      ExpectRefused(With(payload, BufferAt(flat, kTextBytes), static_cast<uint64_t>(length), 8),
                    "says " + std::to_string(length) + " bytes, to which its own do not expand", &decoder);
      EXPECT_LT(pool.max_memory(), 1 << 20);
    }
  }
}

// Frames of several blocks: of bytes that do not get smaller, of one byte alone, and of others.
TEST(CompressedBody, BlocksOfEveryKind) {
  TestTable table;
  table.columns = {arrow::field("a", arrow::binary())};
  std::mt19937_64 random(7);
  std::string noise(300'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  std::string words;
  while (words.size() < 400'000) words += "word " + std::to_string(random() % 1000) + ", ";
  for (const std::string& value :
       {noise, std::string(1'000'000, 'z'), words, noise + words, std::string("x")}) {
    arrow::BinaryBuilder builder;
    ASSERT_TRUE(builder.Append(value).ok());
    const auto rows = arrow::RecordBatch::Make(
        table.wire_schema(), 1,
        arrow::ArrayVector{builder.Finish().ValueOrDie(), Json(arrow::int8(), "[0]"),
                           Json(arrow::uint64(), "[1]"), Json(arrow::uint16(), "[0]")});
    for (const auto codec : {arrow::Compression::LZ4_FRAME, arrow::Compression::ZSTD}) {
      FrameFactory make;
      const auto event = DecodeAll({make.Hello(), make.Schema(table),
                                    make.Batch(table, 1, test::BatchPayload(*rows, codec), {{9, 9, 9, 1}})});
      ASSERT_TRUE(event.ok()) << event.status();
      EXPECT_EQ(
          static_cast<const arrow::BinaryArray&>(*std::get<ChangeBatch>(**event).rows->column(0)).GetView(0),
          value);
    }
  }
}

TEST(CompressedBody, BytesOfAnotherCodecOrNone) {
  FlatBatch flat(*Rows(), BodyCodec::kLz4Frame);
  flat.codec = BodyCodec::kZstd;
  ExpectRefused(flat.Message(kRows), "");
  flat = FlatBatch(*Rows(), BodyCodec::kZstd);
  flat.codec = BodyCodec::kLz4Frame;
  ExpectRefused(flat.Message(kRows), "");
  flat.codec = static_cast<BodyCodec>(2);
  ExpectRefused(flat.Message(kRows), "");
  flat = FlatBatch(*Rows());
  flat.codec = BodyCodec::kLz4Frame;
  ExpectRefused(flat.Message(kRows), "");
}

TEST(CompressedBody, BuffersTooShortOrOutside) {
  for (const BodyCodec codec : kCodecs) {
    const FlatBatch good(*Rows(), codec);
    for (const int64_t length : {int64_t{1}, int64_t{7}, int64_t{8}, int64_t{9}, int64_t{1} << 62}) {
      FlatBatch flat = good;
      flat.buffers[kNumberValues].length = length;
      ExpectRefused(flat.Message(kRows), "");
    }
    for (const int64_t offset : {int64_t{-8}, std::numeric_limits<int64_t>::min(), int64_t{1} << 40}) {
      FlatBatch flat = good;
      flat.buffers[kNumberValues].offset = offset;
      ExpectRefused(flat.Message(kRows), "");
    }
    FlatBatch flat = good;
    flat.buffers.pop_back();
    ExpectRefused(flat.Message(kRows), "");
    flat = good;
    flat.nodes.pop_back();
    ExpectRefused(flat.Message(kRows), "");
    flat = good;
    flat.nodes[0].length = kRows + 1;
    ExpectRefused(flat.Message(kRows), "column of 2001 rows where 2000 are");
    flat.nodes[0].length = -1;
    ExpectRefused(flat.Message(kRows), "field node of -1 values");
  }
}

// A body that expands to more than the decoder takes costs nothing but its own bytes: 4 MiB of zeros are a
// few kilobytes on the wire.
TEST(CompressedBody, BombIsNotExpanded) {
  TestTable table;
  table.columns = {arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())};
  const std::string zeros(4 << 20, 'z');
  const auto text = [&] {
    arrow::StringBuilder builder;
    EXPECT_TRUE(builder.Append(zeros).ok());
    return builder.Finish().ValueOrDie();
  };
  const auto rows = arrow::RecordBatch::Make(
      table.wire_schema(), 1,
      arrow::ArrayVector{text(), text(), Json(arrow::int8(), "[0]"), Json(arrow::uint64(), "[1]"),
                         Json(arrow::uint16(), "[0]")});
  for (const auto codec : {arrow::Compression::LZ4_FRAME, arrow::Compression::ZSTD}) {
    FrameFactory make;
    const std::vector<std::string> frames = {
        make.Hello(), make.Schema(table),
        make.Batch(table, 1, test::BatchPayload(*rows, codec), {{9, 9, 9, 1}})};
    ASSERT_LT(frames[2].size(), 1u << 17);

    // Each column alone would fit.
    arrow::ProxyMemoryPool pool(arrow::default_memory_pool());
    Wal2arrowDecoder strict(&pool, kEpoch, 6 << 20);
    const auto refused = DecodeAll(frames, &strict);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.status().message().find("makes the body longer than this client takes"),
              std::string::npos)
        << refused.status();
    EXPECT_LT(pool.max_memory(), 1 << 20);

    Wal2arrowDecoder patient(&pool, kEpoch, 9 << 20);
    const auto event = DecodeAll(frames, &patient);
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ(
        static_cast<const arrow::StringArray&>(*std::get<ChangeBatch>(**event).rows->column(0)).GetView(0),
        zeros);
  }
}

// Memory that is not there is no fault of the frame.
TEST(CompressedBody, OutOfMemoryIsSaidAsSuch) {
  for (const BodyCodec codec : kCodecs) {
    arrow::CappedMemoryPool pool(arrow::default_memory_pool(), 16 << 10);
    Wal2arrowDecoder decoder(&pool, kEpoch);
    const auto event = DecodeAll(Session(FlatBatch(*Rows(), codec).Message(kRows)), &decoder);
    EXPECT_TRUE(event.status().IsOutOfMemory()) << event.status();
  }
}

}  // namespace
}  // namespace arrowcdc
