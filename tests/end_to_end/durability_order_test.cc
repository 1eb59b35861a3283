// Reads off the system calls of the real command that data is durable before the server hears of it: file
// written, synced, renamed, directory synced, manifest likewise, and only then a status update with a higher
// flush position.
#include <cstdio>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

// Bytes of a string that strace printed with -xx: "\x64\x00...".
std::string Unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 3 < text.size() + 0; i += 4)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16)));
  return bytes;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// What a line of strace says was written.
std::string Written(const std::string& line) {
  const size_t begin = line.find('"') + 1;
  return Unhex(line.substr(begin, line.find('"', begin) - begin));
}

// Of the manifest's position; 0: it has none.
uint64_t OrderIn(const std::string& manifest) {
  const std::string order = "\"order\": \"";
  const size_t position = manifest.find("\"position\": {");
  if (position == std::string::npos) return 0;
  return std::stoull(manifest.substr(manifest.find(order, position) + order.size()));
}

uint64_t BigEndian64(const std::string& bytes, size_t offset) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return value;
}

// What has happened to the storage, replayed from the trace.
struct Storage {
  std::string root;
  std::map<int, std::string> open_files;  // fd -> path
  std::set<std::string> unsynced_files;   // written, not fsynced
  // Data files whose names may be lost, with the _commit_lsn of their first rows.
  std::map<std::string, uint64_t> unstable;
  uint64_t manifest_order = 0;  // that the last manifest has
  uint64_t durable_order = 0;   // that the last one has which is surely there
  std::string wrong;

  void Opened(int fd, const std::string& path) {
    open_files[fd] = path;
    const std::string name = std::filesystem::path(path).filename();
    if (name.starts_with(".") && name.ends_with(".inprogress"))
      unstable[path] = std::stoull(name.substr(1, 16), nullptr, 16);
  }
  void Wrote(int fd) {
    if (open_files.count(fd) != 0) unsynced_files.insert(open_files[fd]);
  }
  void Synced(int fd) {
    const std::string path = open_files.count(fd) != 0 ? open_files[fd] : "";
    unsynced_files.erase(path);
    std::erase_if(unstable, [&](const auto& file) {
      return file.first.ends_with(".parquet") && std::filesystem::path(file.first).parent_path() == path;
    });
    if (path == root) durable_order = manifest_order;
  }
  void Renamed(const std::string& from, const std::string& to) {
    if (unsynced_files.count(from) != 0) wrong = "renamed before its fsync: " + from;
    if (auto file = unstable.extract(from)) {
      file.key() = to;
      unstable.insert(std::move(file));
    }
  }
};

// NOLINTNEXTLINE(readability-function-size): one story, from the start to its end
TEST(DurabilityOrder, DataThenManifestThenAcknowledgement) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto server, PrivateServer::Create());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server, "setup", {"--tables", "public.*"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t begin, ConfirmedFlush(*sql));
  TemporaryDirectory directory;
  const std::string files = (directory.path() / "files").string();
  const std::string trace = directory.path() / "trace";
  SubprocessOptions options = Command(
      *server, "stream", {"--tables", "public.*", "--sink", "parquet:" + files, "--roll-age", "200ms"});
  const std::vector<std::string> strace = {
      "strace", "-D",
      "-f",     "-xx",
      "-s",     "4096",
      "-o",     trace,
      "-e",     "trace=openat,close,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,sendto"};
  options.argv.insert(options.argv.begin(), strace.begin(), strace.end());
  options.env["ASAN_OPTIONS"] = "detect_leaks=0";  // the leak checker cannot run under strace
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(options));
  uint64_t last = 0;
  for (int round = 0; round < 4; ++round) {
    ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO a VALUES (" + std::to_string(round) +
                                 "); INSERT INTO b VALUES (" + std::to_string(round) + ")"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end,
                                  sql->Scalar("SELECT pg_current_wal_flush_lsn() - '0/0'"));
    last = std::stoull(end);
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto confirmed = ConfirmedFlush(*sql);
          return confirmed.ok() && *confirmed >= last;
        },
        seconds(60), "the acknowledgement of round " + std::to_string(round)));
  }
  // With -D the command is our child and strace its guest, which writes its last line when the command has
  // ended.
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(30)));
  EXPECT_TRUE(ended.ok()) << client->error();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ReadFile(trace).find("+++ exited with") != std::string::npos; },
                             seconds(30), "strace to end"));

  const std::regex opened(R"re(openat\([^,]*, "([^"]*)",.*\) += (\d+))re");
  const std::regex closed(R"re(^\d+ +close\((\d+))re");
  const std::regex wrote(R"re((?:write|pwrite64|writev)\((\d+),)re");
  const std::regex synced(R"re((?:fsync|fdatasync)\((\d+)\) += 0)re");
  const std::regex renamed(
      R"re(rename(?:at|at2)?\((?:AT_FDCWD, )?"([^"]*)", (?:AT_FDCWD, )?"([^"]*)".*\) += 0)re");
  const std::regex sent(R"re(sendto\(\d+, "([^"]*)",)re");
  std::ifstream in(trace);
  Storage storage{.root = files};
  uint64_t flush = begin;      // what is confirmed already says nothing
  uint64_t written_order = 0;  // in a manifest that has not got its name
  int acknowledgements = 0, manifests = 0;
  std::map<std::string, std::string> begun;  // thread -> the first part of its call
  for (std::string line; std::getline(in, line);) {
    // A call during which another thread does something is printed in two parts, and counts with the second.
    const std::string thread = line.substr(0, line.find(' '));
    // But for a close: its number may be somebody else's before it returns.
    std::smatch closed_file;
    if (std::regex_search(line, closed_file, closed)) {
      storage.open_files.erase(std::stoi(closed_file[1]));
      continue;
    }
    if (line.find("<... close resumed>") != std::string::npos) continue;
    if (const size_t end = line.find(" <unfinished ...>"); end != std::string::npos) {
      begun[thread] = line.substr(0, end);
      continue;
    }
    if (const size_t at = line.find(" resumed>");
        line.find("<... ") != std::string::npos && at != std::string::npos)
      line = begun[thread] + line.substr(at + std::string(" resumed>").size());
    std::smatch match;
    if (std::regex_search(line, match, opened)) {
      storage.Opened(std::stoi(match[2]), Unhex(match[1]));
    } else if (std::regex_search(line, match, wrote)) {
      storage.Wrote(std::stoi(match[1]));
      if (storage.open_files[std::stoi(match[1])].find("manifest") != std::string::npos)
        written_order = OrderIn(Written(line));
    } else if (std::regex_search(line, match, synced)) {
      storage.Synced(std::stoi(match[1]));
    } else if (std::regex_search(line, match, renamed)) {
      const std::string to = Unhex(match[2]);
      storage.Renamed(Unhex(match[1]), to);
      if (to.find("manifest") != std::string::npos) {
        ++manifests;
        storage.manifest_order = written_order;
        // Other files may be on their way, if all their rows are behind its position.
        for (const auto& [path, first_row] : storage.unstable)
          EXPECT_GE(first_row, written_order) << "manifest before data: " << path;
      }
    } else if (std::regex_search(line, match, sent)) {
      const std::string bytes = Unhex(match[1]);
      // CopyData: 'd', length, then 'r', written, flushed.
      if (bytes.size() < 22 || bytes[0] != 'd' || bytes[5] != 'r') continue;
      const uint64_t flushed = BigEndian64(bytes, 14);
      if (flushed <= flush) continue;
      flush = flushed;
      ++acknowledgements;
      // The next manifest may be on its way.
      EXPECT_LE(flushed, storage.durable_order) << "acknowledged before the manifest was durable";
    }
    ASSERT_EQ(storage.wrong, "");
  }
  std::printf("%d acknowledgements, %d manifests\n", acknowledgements, manifests);
  EXPECT_GE(acknowledgements, 4);
  EXPECT_GE(manifests, acknowledgements);
  EXPECT_GE(flush, last);
}

}  // namespace
}  // namespace arrowcdc::test
