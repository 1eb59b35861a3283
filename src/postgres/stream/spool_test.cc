// The spool against a model in memory, and at its bounds.
#include "src/postgres/stream/spool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::postgres {
namespace {

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    count += entry.exists() ? 1 : 0;
  return count;
}

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() : directory_(testing::TempDir() + "spool_" + std::to_string(getpid())) {
    std::filesystem::create_directories(directory_);
  }
  ~SpoolTest() override { std::filesystem::remove_all(directory_); }
  void SetUp() override { Open(0); }
  void Open(int64_t bytes_max) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(spool_, Spool::Open(directory_.string(), bytes_max));
  }
  std::vector<std::string> Records(uint32_t xid) {
    std::vector<std::string> records;
    auto reader = spool_->Read(xid);
    ARROWCDC_EXPECT_OK(reader);
    while (reader.ok()) {
      auto record = (*reader)->Next();
      ARROWCDC_EXPECT_OK(record);
      if (!record.ok() || *record == nullptr) break;
      EXPECT_EQ((*record)->address() % 64, 0u);
      records.push_back((*record)->ToString());
    }
    return records;
  }

  const std::filesystem::path directory_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, RecordsOfAnySize) {
  const std::vector<std::string> records = {"a",
                                            "",
                                            std::string(63, 'b'),
                                            std::string(Spool::kBlockBytes, 'c'),
                                            std::string(3 * Spool::kTailBytesMax + 1, 'd'),
                                            "e",
                                            std::string(Spool::kBlockBytes - 9, 'f'),
                                            "g"};
  for (const std::string& record : records) {
    const size_t half = record.size() / 2;
    ARROWCDC_ASSERT_OK(spool_->Append(
        7, {std::string_view(record).substr(0, half), "", std::string_view(record).substr(half)}));
  }
  EXPECT_TRUE(Records(7) == records);
  EXPECT_TRUE(Records(7) == records);  // as often as one likes
  EXPECT_TRUE(Records(8).empty());
}

TEST_F(SpoolTest, ARecordThatIsKeptStaysAsItIs) {
  ARROWCDC_ASSERT_OK(spool_->Append(7, {"first"}));
  ARROWCDC_ASSERT_OK(spool_->Append(7, {"other"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto reader, spool_->Read(7));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, reader->Next());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto second, reader->Next());
  EXPECT_EQ(first->ToString(), "first");
  EXPECT_EQ(second->ToString(), "other");
}

TEST_F(SpoolTest, RandomTransactions) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(test::Seed()));
  std::mt19937_64 random(test::Seed());
  std::map<uint32_t, std::vector<std::string>> model;
  for (int step = 0; step < 4000; ++step) {
    const auto xid = static_cast<uint32_t>(random() % 40);
    if (random() % 50 == 0) {
      ASSERT_TRUE(Records(xid) == model[xid]) << xid << " at step " << step;
      spool_->Drop(xid);
      model.erase(xid);
      continue;
    }
    const size_t size = random() % 10 == 0 ? random() % 400'000 : random() % 300;
    std::string record(size, static_cast<char>('a' + step % 26));
    if (size > 0) record[size / 2] = static_cast<char>(random());
    ARROWCDC_ASSERT_OK(spool_->Append(xid, {record}));
    model[xid].push_back(std::move(record));
  }
  for (const auto& [xid, records] : model) ASSERT_TRUE(Records(xid) == records) << xid;
  for (uint32_t xid = 0; xid < 40; ++xid) spool_->Drop(xid);
  EXPECT_EQ(spool_->disk_bytes(), 0);
  EXPECT_EQ(spool_->memory_bytes(), 0);
}

// One file for all, whose memory is bounded whatever the number of transactions is.
TEST_F(SpoolTest, FiveThousandAtOnce) {
  const size_t descriptors = OpenDescriptors();
  constexpr uint32_t kTransactions = 5000;
  const auto record = [](uint32_t xid, int round) {
    return std::to_string(xid) + ":" + std::string(2000, static_cast<char>('a' + round));
  };
  for (int round = 0; round < 8; ++round) {
    for (uint32_t xid = 1; xid <= kTransactions; ++xid) {
      ARROWCDC_ASSERT_OK(spool_->Append(xid, {record(xid, round)}));
      ASSERT_LE(spool_->memory_bytes(), Spool::kMemoryBytesMax);
    }
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
  EXPECT_GT(spool_->disk_bytes(), 40'000'000);
  for (uint32_t xid = 1; xid <= kTransactions; ++xid) {
    const auto records = Records(xid);
    ASSERT_EQ(records.size(), 8u);
    for (int round = 0; round < 8; ++round)
      ASSERT_EQ(records[static_cast<size_t>(round)], record(xid, round));
    spool_->Drop(xid);
  }
  EXPECT_EQ(spool_->disk_bytes(), 0);
}

TEST_F(SpoolTest, TheFileHasNoName) {
  ARROWCDC_ASSERT_OK(spool_->Append(7, {std::string(Spool::kTailBytesMax, 'a')}));
  EXPECT_GT(spool_->disk_bytes(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(SpoolTest, SmallOnesStayInMemory) {
  ARROWCDC_ASSERT_OK(spool_->Append(7, {std::string(1000, 'a')}));
  EXPECT_EQ(spool_->disk_bytes(), 0);
  EXPECT_GE(spool_->memory_bytes(), 1000);
}

// A transaction that lasts does not keep the space of those that have ended.
TEST_F(SpoolTest, SpaceIsGivenBackWhileOthersAreOpen) {
  const std::string chunk(Spool::kBlockBytes, 'a');
  ARROWCDC_ASSERT_OK(spool_->Append(1, {chunk}));
  int64_t highest = 0;
  for (uint32_t xid = 2; xid < 22; ++xid) {
    for (int i = 0; i < 8; ++i) ARROWCDC_ASSERT_OK(spool_->Append(xid, {chunk}));
    highest = std::max(highest, spool_->disk_bytes());
    spool_->Drop(xid);
  }
  EXPECT_LT(highest, 11 * Spool::kBlockBytes);
  EXPECT_EQ(Records(1), std::vector<std::string>{chunk});
}

void ExpectFull(const arrow::Status& status, const Spool& spool, const std::string& text) {
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find(text), std::string::npos) << status.ToString();
  ASSERT_NE(GetErrorDetail(status), nullptr);
  EXPECT_TRUE(GetErrorDetail(status)->retryable());
  EXPECT_TRUE(spool.failed());
}

TEST_F(SpoolTest, BoundOfTheOption) {
  Open(int64_t{5} << 20);
  const std::string chunk(Spool::kTailBytesMax, 'a');
  arrow::Status status;
  int appended = 0;
  while ((status = spool_->Append(7, {chunk})).ok()) ++appended;
  EXPECT_GE(appended, 4);
  EXPECT_LE(appended, 5);
  ExpectFull(status, *spool_, "spool_max");
  EXPECT_EQ(GetErrorDetail(status)->object(), "spool in " + directory_.string());
}

// As a full disk: the system refuses to make the file longer.
TEST_F(SpoolTest, NoRoomOnTheDisk) {
  struct sigaction ignore = {};
  struct sigaction before = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, &before);
  rlimit limit = {};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small = {static_cast<rlim_t>(2) << 20, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  arrow::Status status;
  for (int i = 0; status.ok() && i < 10; ++i) status = spool_->Append(7, {std::string(1 << 20, 'a')});
  setrlimit(RLIMIT_FSIZE, &limit);
  sigaction(SIGXFSZ, &before, nullptr);
  ExpectFull(status, *spool_, "cannot write");
}

TEST_F(SpoolTest, NoDirectory) {
  const auto spool = Spool::Open((directory_ / "none").string(), 0);
  ASSERT_FALSE(spool.ok());
  ASSERT_NE(GetErrorDetail(spool.status()), nullptr);
  EXPECT_EQ(GetErrorDetail(spool.status())->kind(), ErrorKind::kInvalidOption);
  EXPECT_NE(spool.status().message().find("none"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
