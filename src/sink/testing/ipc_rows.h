// Reading back what the IPC sinks wrote, with Arrow's own reader.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

namespace arrowcdc::test {

struct IpcRows {
  int streams = 0;
  std::vector<std::pair<std::string, int64_t>> rows;  // table, value of the column "id"
};

// As a user would: open a stream where the one before ended, until nothing is left.
inline IpcRows ReadStreams(const std::string& content) {
  IpcRows out;
  arrow::io::BufferReader input(arrow::Buffer::FromString(content));
  while (input.Tell().ValueOrDie() < static_cast<int64_t>(content.size())) {
    auto reader = arrow::ipc::RecordBatchStreamReader::Open(&input);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    if (!reader.ok()) break;
    ++out.streams;
    const std::string table = (*reader)->schema()->metadata()->Get("arrowcdc:table").ValueOrDie();
    while (true) {
      auto batch = (*reader)->Next();
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok() || *batch == nullptr) break;
      EXPECT_TRUE((*batch)->ValidateFull().ok());
      const auto& ids = static_cast<const arrow::Int64Array&>(*(*batch)->GetColumnByName("id"));
      for (int64_t i = 0; i < ids.length(); ++i) out.rows.emplace_back(table, ids.Value(i));
    }
  }
  return out;
}

}  // namespace arrowcdc::test
