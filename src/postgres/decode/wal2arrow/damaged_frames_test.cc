// A good session damaged in every way that comes to mind: the decoder answers with a typed error or with a
// valid batch.
#include <random>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace arrowcdc {
namespace {

using test::BrokenText;
using test::DecodeAll;
using test::FrameFactory;
using test::Items;
using test::kEpoch;
using test::LogicalMessages;
using test::Message;
using test::Session;
using test::With;

// The session as it is, and with its batch compressed; one whose text must be repaired; logical messages.
std::vector<std::vector<std::string>> Sessions() {
  return {Session(), Session(arrow::Compression::LZ4_FRAME), Session(arrow::Compression::ZSTD), BrokenText(),
          LogicalMessages()};
}

void ExpectShorterFramesRefused(const std::vector<std::string>& frames) {
  for (size_t which = 0; which < frames.size(); ++which) {
    for (size_t n = 0; n < frames[which].size(); ++n) {
      std::vector<std::string> cut(frames.begin(), frames.begin() + which);
      cut.push_back(frames[which].substr(0, n));
      ASSERT_FALSE(DecodeAll(cut).ok()) << "frame " << which << " cut to " << n;
    }
  }
}

TEST(DamagedFrames, EveryShorterFrameIsRefused) {
  for (const auto& frames : Sessions()) ExpectShorterFramesRefused(frames);
}

// Whatever comes out of damaged bytes is an error or a batch that is valid.
void ExpectErrorOrValid(const std::vector<std::string>& frames) {
  auto event = DecodeAll(frames);
  if (!event.ok()) {
    ASSERT_NE(GetErrorDetail(event.status()), nullptr) << event.status();
    return;
  }
  if (!event->has_value()) return;
  if (const auto* batch = std::get_if<ChangeBatch>(&**event)) {
    ASSERT_TRUE(batch->rows->ValidateFull().ok()) << batch->rows->ValidateFull();
    const auto changes = ChangeRows::Make(*batch->table, *batch->rows);
    ASSERT_TRUE(changes.ok()) << changes.status();
    for (int column = 0; column < batch->table->column_count; ++column) {
      for (int64_t row = 0; row < changes->num_rows(); ++row) {
        ASSERT_TRUE((!changes->IsUnchanged(row, column) && !changes->IsUnrepresentable(row, column)) ||
                    batch->rows->column(column)->IsNull(row));
      }
    }
  }
}

void DamageEveryByte(const std::vector<std::string>& frames, size_t which) {
  for (size_t at = 0; at < frames[which].size(); ++at) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      SCOPED_TRACE("frame " + std::to_string(which) + " byte " + std::to_string(at));
      auto damaged = frames;
      damaged[which][at] = static_cast<char>(value);
      ExpectErrorOrValid(damaged);
    }
  }
}

TEST(DamagedFrames, EveryByteDamaged) {
  const auto sessions = Sessions();
  for (size_t which = 0; which < sessions[0].size(); ++which) DamageEveryByte(sessions[0], which);
  DamageEveryByte(sessions[1], 2);
  DamageEveryByte(sessions[2], 2);
  DamageEveryByte(sessions[3], 2);
  for (size_t which = 1; which < sessions[4].size(); ++which) DamageEveryByte(sessions[4], which);
}

// The fingerprint guards the schema's payload; here it is made to fit, so that the damage gets through to
// Arrow.
TEST(DamagedFrames, SchemaPayloadDamagedBehindAGoodFingerprint) {
  const std::string good = Items().payload();
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string payload = good;
    for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n) {
      payload[random() % payload.size()] ^= static_cast<char>(1 << (random() % 8));
    }
    FrameFactory make;
    auto event = DecodeAll({make.Hello(), make.Schema(Items(), payload)});
    ASSERT_TRUE(event.ok() || GetErrorDetail(event.status()) != nullptr) << event.status();
  }
}

TEST(DamagedFrames, RandomBitsFlipped) {
  const auto sessions = Sessions();
  for (uint64_t seed = 1; seed <= 6000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto damaged = sessions[seed % sessions.size()];
    std::string& frame = damaged[random() % 4 == 0 ? random() % 3 : 2];
    for (int n = 1 + static_cast<int>(random() % 8); n > 0; --n) {
      frame[random() % frame.size()] ^= static_cast<char>(1 << (random() % 8));
    }
    ExpectErrorOrValid(damaged);
  }
}

// Lengths and offsets in every place of the batch's metadata and sections.
void DamageLengths(const std::vector<std::string>& frames) {
  const std::string& batch = frames[2];
  for (size_t at = 0; at + 8 <= batch.size(); at += 4) {
    for (uint64_t value : {uint64_t{0x7fffffff}, uint64_t{0x80000000}, uint64_t{0xffffffff}, ~uint64_t{0},
                           uint64_t{1} << 62, uint64_t{0xfffffffffffffff8}}) {
      SCOPED_TRACE("byte " + std::to_string(at));
      auto damaged = frames;
      damaged[2] = With(batch, at, value, value >> 32 ? 8 : 4);
      ExpectErrorOrValid(damaged);
    }
  }
}

TEST(DamagedFrames, LengthsDamaged) {
  for (const auto& frames : Sessions()) DamageLengths(frames);
}

TEST(DamagedFrames, MessageShorterThanItsOffset) {
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  EXPECT_FALSE(decoder.Decode(Message::Make("", 10), 25).ok());
}

}  // namespace
}  // namespace arrowcdc
