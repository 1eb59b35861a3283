#include "src/mysql/stream/file_packets.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/mysql/decode/event.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

std::string EventOf(size_t size, char fill) {
  std::string event(size, fill);
  const auto stored = static_cast<uint32_t>(size);
  event.replace(9, 4, reinterpret_cast<const char*>(&stored), 4);
  return event;
}

std::string TextOf(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class FilePacketsTest : public ::testing::Test {
 protected:
  FilePacketsTest() : directory_(testing::TempDir() + "/arrowcdc-files-XXXXXX") {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  }
  ~FilePacketsTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << "\xfe"
                                                             << "bin" << bytes;
  }
  arrow::Result<std::vector<std::string>> ReadAll() const {
    ARROW_ASSIGN_OR_RAISE(auto files, ListBinlogFiles(directory_));
    FilePackets packets(directory_, std::move(files), 4);
    std::vector<std::string> events;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto packet, packets.Next());
      if (!packet.has_value()) return events;
      events.push_back(TextOf(*packet));
    }
  }

  std::string directory_;
};

// Events of all sizes, also beyond what is read at once, over two files; the name of each file comes first.
TEST_F(FilePacketsTest, EveryEventOfTwoFiles) {
  std::vector<std::string> wanted;
  for (const char* const name : {"b.000001", "b.000002"}) {
    std::string bytes;
    wanted.push_back(MakeRotate({4, name}));
    for (const size_t size :
         {19, 100, (1 << 20) - 119 - 10, 40, 3 << 20, 19, 1 << 20, 700'000, 700'000, 20}) {
      wanted.push_back(EventOf(size, static_cast<char>('a' + wanted.size())));
      bytes += wanted.back();
    }
    Write(name, bytes);
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, ReadAll());
  EXPECT_EQ(events.size(), wanted.size());
  EXPECT_TRUE(events == wanted);
}

TEST_F(FilePacketsTest, CutOffAtEveryPlace) {
  const std::string bytes = EventOf(30, 'a') + EventOf(40, 'b');
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    Write("b.000001", bytes.substr(0, cut));
    const auto events = ReadAll();
    if (cut == 30) {
      EXPECT_TRUE(events.ok());
      continue;
    }
    EXPECT_THAT(events.status().ToString(), ::testing::HasSubstr("cut off")) << cut;
  }
}

// What else is in the directory is nobody's: links to nothing, too, wherever they are listed.
TEST_F(FilePacketsTest, OtherEntriesArePassedOver) {
  Write("b.000001", EventOf(30, 'a'));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto alone, ReadAll());
  for (int i = 0; i < 20; ++i) {
    const std::string name = directory_ + "/" + std::string(1, static_cast<char>('a' + i)) + ".000002";
    std::filesystem::create_symlink(directory_ + "/nothing", name);
  }
  std::filesystem::create_directory(directory_ + "/b.000003");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, ReadAll());
  EXPECT_EQ(events, alone);
}

// A size that the file does not have, as of damaged bytes, takes no memory.
TEST_F(FilePacketsTest, ASizeThatTheFileDoesNotHave) {
  for (const uint32_t size : {0U, 18U, UINT32_MAX}) {
    std::string event = EventOf(50, 'a');
    event.replace(9, 4, reinterpret_cast<const char*>(&size), 4);
    Write("b.000001", event);
    EXPECT_THAT(ReadAll().status().ToString(), ::testing::HasSubstr("cut off"));
  }
}

}  // namespace
}  // namespace arrowcdc::mysql
