// Where a durable contender's files go, a number each: gone in the end with what is there.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace arrowcdc::bench {

class SinkDirectory {
 public:
  explicit SinkDirectory(int number = 0)
      : path_(std::filesystem::temp_directory_path() /
              ("arrowcdc-bench-sink-" + std::to_string(getpid()) + "-" + std::to_string(number))) {}
  ~SinkDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SinkDirectory(const SinkDirectory&) = delete;
  SinkDirectory& operator=(const SinkDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

}  // namespace arrowcdc::bench
