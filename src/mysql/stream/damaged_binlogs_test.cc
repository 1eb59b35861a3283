// Recorded binlogs of both servers as files, cut off and changed at every byte: with checksums every change
// is refused; without them nothing worse comes than a typed error, or batches that are sound.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/stream/file_packets.h"
#include "src/mysql/stream/transaction_reader.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

constexpr size_t kMagicBytes = 4;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kSizeAt = 9;
constexpr size_t kEndAt = 13;

class DamagedBinlogs : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "arrowcdc-binlogs-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    std::ifstream recorded(std::string(ARROWCDC_RECORDED) + "/" + GetParam() + ".binlog", std::ios::binary);
    file_.assign(std::istreambuf_iterator<char>(recorded), {});
    ASSERT_GT(file_.size(), 1000u);
    for (size_t at = kMagicBytes; at < file_.size();) {
      const auto size = static_cast<size_t>(LoadLittle<4>(file_.data() + at + kSizeAt));
      events_.emplace_back(file_.begin() + static_cast<ptrdiff_t>(at),
                           file_.begin() + static_cast<ptrdiff_t>(at + size));
      at += size;
    }
  }

  void TearDown() override { fs::remove_all(directory_); }

  Flavor flavor() const {
    return std::string(GetParam()).starts_with("mysql") ? Flavor::kMysql : Flavor::kMariadb;
  }

  void Write(const Bytes& bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  // As many events as the file gives, each read; an error where it ends otherwise than with a whole event.
  arrow::Result<size_t> ReadFile() const {
    ARROW_ASSIGN_OR_RAISE(auto files, ListBinlogFiles(directory_));
    FilePackets packets(directory_, std::move(files), 0);
    EventReader reader;
    for (size_t count = 0;; ++count) {
      ARROW_ASSIGN_OR_RAISE(const auto packet, packets.Next());
      if (!packet.has_value()) return count - 1;  // the first one tells the file's name
      ARROW_ASSIGN_OR_RAISE(const BinlogEvent event, reader.Read(*packet));
      if (event.header.type != EventType::kRotate) continue;
      // One that says that it is artificial may lack a checksum; what it names then is no file.
      ARROW_ASSIGN_OR_RAISE(const RotateBody rotate, ReadRotate(event.body));
      ARROW_RETURN_NOT_OK(FileNumber(rotate.file).status());
    }
  }

  fs::path path() const { return fs::path(directory_) / "binlog.000001"; }

  Bytes file_;
  std::vector<Bytes> events_;
  std::string directory_;
};

TEST_P(DamagedBinlogs, CutOffAnywhere) {
  size_t whole = events_.size();
  size_t begin = file_.size() - events_.back().size();
  Write(file_);
  for (size_t size = file_.size(); size >= kMagicBytes; --size) {
    fs::resize_file(path(), size);
    const auto count = ReadFile();
    if (size == begin) {
      --whole;
      if (whole > 0) begin -= events_[whole - 1].size();
    }
    const bool is_whole = size == file_.size() || size == begin + (whole > 0 ? events_[whole - 1].size() : 0);
    ASSERT_EQ(count.ok(), is_whole) << size << " " << count.status();
    if (count.ok()) {
      ASSERT_EQ(*count, whole);
    } else {
      ASSERT_EQ(GetErrorDetail(count.status())->kind(), ErrorKind::kProtocol);
    }
  }
}

TEST_P(DamagedBinlogs, ChangedAnywhereUnderChecksums) {
  constexpr size_t kInUseAt = kMagicBytes + 17;  // a flag of the description that no checksum is of
  Write(file_);
  std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&file](size_t at, uint8_t byte) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte)).flush();
  };
  for (size_t at = 0; at < file_.size(); ++at) {
    const auto bits = static_cast<uint8_t>(at % 9 == 8 ? 0xff : 1 << at % 9);
    if (at == kInUseAt && bits == 1) continue;
    put(at, static_cast<uint8_t>(file_[at] ^ bits));
    const auto count = ReadFile();
    ASSERT_FALSE(count.ok()) << "byte " << at << " changed by " << int{bits};
    ASSERT_NE(GetErrorDetail(count.status()), nullptr) << count.status();
    put(at, file_[at]);
  }
  // Every bit of the description, on which the checksums of all that follows depend.
  for (size_t bit = 0; bit < 8 * events_[0].size(); ++bit) {
    const size_t at = kMagicBytes + bit / 8;
    if (at == kInUseAt && bit % 8 == 0) continue;
    put(at, static_cast<uint8_t>(file_[at] ^ 1 << bit % 8));
    ASSERT_FALSE(ReadFile().ok()) << "byte " << at << ", bit " << bit % 8;
    put(at, file_[at]);
  }
  ARROWCDC_ASSERT_OK(ReadFile().status());
}

// All that is open, as batches.
arrow::Status Drain(TransactionReader* reader) {
  while (reader->busy()) {
    ARROW_RETURN_NOT_OK(reader->Work());
    if (reader->full()) ARROW_RETURN_NOT_OK(reader->Flush());
  }
  ARROW_RETURN_NOT_OK(reader->Flush());
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto event, reader->NextEvent(/*wait=*/true));
    if (!event.has_value()) return arrow::Status::OK();
    if (const auto* const batch = std::get_if<ChangeBatch>(&*event))
      ARROWCDC_EXPECT_OK(batch->rows->ValidateFull());
  }
}

// A packet as a connection or a file gives it.
arrow::Status TakePacket(EventReader* events, TransactionReader* reader, std::span<const uint8_t> packet) {
  ARROW_ASSIGN_OR_RAISE(const BinlogEvent event, events->Read(packet));
  return reader->Take(event);
}

void ExpectTyped(const arrow::Status& status) {
  if (status.ok()) return;
  ASSERT_NE(GetErrorDetail(status), nullptr) << status;
  EXPECT_FALSE(status.message().empty());
}

// The event's checksum is cut off, or of a description its byte says that there are none.
Bytes WithoutChecksum(Bytes event) {
  if (event[4] == static_cast<uint8_t>(EventType::kFormatDescription)) {
    event[event.size() - kChecksumBytes - 1] = 0;
    event.back() = static_cast<uint8_t>(~event.back());
    return event;
  }
  event.resize(event.size() - kChecksumBytes);
  for (size_t i = 0; i < 4; ++i) event[kSizeAt + i] = static_cast<uint8_t>(event.size() >> 8 * i);
  return event;
}

TEST_P(DamagedBinlogs, ChangedAnywhereWithoutChecksums) {
  constexpr size_t kEventsBehind = 4;
  constexpr size_t kLargeBytes = 4000;  // not damaged at every byte
  for (Bytes& event : events_) event = WithoutChecksum(event);
  size_t begin = 1;  // of the transaction that is damaged
  int64_t refused = 0;
  for (size_t i = 1; i < events_.size(); ++i) {
    const auto type = static_cast<EventType>(events_[i][4]);
    const bool begins = type == EventType::kGtid || type == EventType::kGtidTagged ||
                        type == EventType::kAnonymousGtid || type == EventType::kMariadbGtid;
    if (begins) begin = i;
    const size_t step = events_[i].size() > kLargeBytes ? 499 : 1;
    for (size_t at = 0; at < events_[i].size(); at += step) {
      if (at >= kSizeAt && at < kSizeAt + 4) continue;
      TransactionReaderOptions options;
      options.only_committed = flavor() == Flavor::kMysql;
      LogToken start;
      start.flavor = flavor();
      ARROWCDC_ASSERT_OK_AND_ASSIGN(auto reader, TransactionReader::Make(std::move(options), start));
      EventReader events;
      ARROWCDC_ASSERT_OK(TakePacket(&events, reader.get(), events_[0]));
      arrow::Status status;
      const size_t end = std::min(events_.size(), i + 1 + kEventsBehind);
      for (size_t j = begin; j < end && status.ok(); ++j) {
        Bytes packet = events_[j];
        if (j == i) packet[at] = static_cast<uint8_t>(packet[at] ^ (at % 3 == 0 ? 0xff : 1 << at % 8));
        packet.shrink_to_fit();
        status = TakePacket(&events, reader.get(), packet);
        if (status.ok()) status = Drain(reader.get());
      }
      refused += status.ok() ? 0 : 1;
      ExpectTyped(status);
      if (HasFatalFailure()) FAIL() << "event " << i << ", byte " << at;
    }
  }
  EXPECT_GT(refused, 100);
}

// Headers carry the low 32 bits of an offset. The same events behind an offset at which these wrap, before
// and in each of them, are the same rows, as much further back.
TEST_P(DamagedBinlogs, PastFourGibibytes) {
  const uint64_t begin = kMagicBytes + events_[0].size();  // behind the description
  const auto places_from = [this, begin](uint64_t shift) -> arrow::Result<std::vector<LogPlace>> {
    TransactionReaderOptions options;
    options.only_committed = flavor() == Flavor::kMysql;
    LogToken start;
    start.flavor = flavor();
    ARROW_ASSIGN_OR_RAISE(auto reader, TransactionReader::Make(std::move(options), start));
    const std::string rotate = MakeRotate({begin + shift, "binlog.000001"});
    EventReader events;
    ARROW_RETURN_NOT_OK(
        TakePacket(&events, reader.get(), {reinterpret_cast<const uint8_t*>(rotate.data()), rotate.size()}));
    std::vector<LogPlace> places;
    uint64_t at = begin + shift;
    for (Bytes packet : events_) {
      // In mid-file the description is of no place.
      const bool describes = packet[4] == static_cast<uint8_t>(EventType::kFormatDescription);
      if (!describes) at += packet.size();
      const uint64_t end = describes ? 0 : at;
      for (size_t i = 0; i < 4; ++i) packet[kEndAt + i] = static_cast<uint8_t>(end >> 8 * i);
      // Where the event says which rows it changes by text, nothing behind it is looked at.
      const arrow::Status taken = TakePacket(&events, reader.get(), packet);
      if (GetErrorDetail(taken) != nullptr && GetErrorDetail(taken)->kind() == ErrorKind::kServerSetting)
        break;
      ARROW_RETURN_NOT_OK(taken);
      while (reader->busy()) ARROW_RETURN_NOT_OK(reader->Work());
      ARROW_RETURN_NOT_OK(reader->Flush());
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const auto event, reader->NextEvent(/*wait=*/true));
        if (!event.has_value()) break;
        const auto* const batch = std::get_if<ChangeBatch>(&*event);
        if (batch == nullptr) continue;
        ARROW_ASSIGN_OR_RAISE(const ChangeRows rows, ChangeRows::Make(*batch->table, *batch->rows));
        for (int64_t row = 0; row < rows.num_rows(); ++row) places.push_back(PlaceOf(rows.commit_lsn(row)));
      }
      places.push_back(reader->place());
    }
    return places;
  };
  for (Bytes& event : events_) event = WithoutChecksum(event);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto expected, places_from(0));
  ASSERT_GT(expected.size(), events_.size() / 2);
  for (const LogPlace& at : expected) {
    if (at.file != 1) continue;
    for (const uint64_t wraps : {uint64_t{1}, uint64_t{3}}) {
      for (const uint64_t before : {0, 1, 20}) {
        const uint64_t shift = (wraps << 32) - at.offset - before;
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto places, places_from(shift));
        ASSERT_EQ(places.size(), expected.size());
        for (size_t i = 0; i < places.size(); ++i) {
          // The file that its last event names begins anew.
          LogPlace moved = expected[i];
          if (moved.file == 1) moved.offset += shift;
          ASSERT_EQ(places[i], moved) << i << " " << shift;
        }
      }
    }
  }
}

// MariaDB's files begin like others, and all behind this event is encrypted.
TEST(EncryptedBinlog, OfMariadbIsRefusedByName) {
  Bytes event(kEventHeaderBytes + 1 + 4 + 12);  // scheme, version of the key, nonce
  event[4] = static_cast<uint8_t>(EventType::kStartEncryption);
  event[kSizeAt] = static_cast<uint8_t>(event.size());
  event[kEventHeaderBytes] = 1;
  LogToken start;
  start.flavor = Flavor::kMariadb;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto reader, TransactionReader::Make({}, start));
  std::ifstream recorded(std::string(ARROWCDC_RECORDED) + "/mariadb_changes.binlog", std::ios::binary);
  const Bytes file(std::istreambuf_iterator<char>(recorded), {});
  const auto description = static_cast<ptrdiff_t>(LoadLittle<4>(file.data() + kMagicBytes + kSizeAt));
  Bytes first(file.begin() + kMagicBytes, file.begin() + kMagicBytes + description);
  EventReader events;
  ARROWCDC_ASSERT_OK(TakePacket(&events, reader.get(), WithoutChecksum(first)));
  const arrow::Status refused = TakePacket(&events, reader.get(), event);
  ASSERT_NE(GetErrorDetail(refused), nullptr);
  EXPECT_EQ(GetErrorDetail(refused)->kind(), ErrorKind::kUnsupported);
  EXPECT_NE(refused.message().find("encrypted"), std::string::npos) << refused;
}

INSTANTIATE_TEST_SUITE_P(Recorded, DamagedBinlogs,
                         ::testing::Values("mysql_changes", "mysql_statements", "mariadb_changes",
                                           "mariadb_statements"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace arrowcdc::mysql
