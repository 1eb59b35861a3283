// Reading back what the Parquet sink wrote, with Arrow's own reader.
#pragma once

#include <memory>
#include <string>

#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "src/sink/file_system.h"

namespace arrowcdc::test {

inline std::unique_ptr<parquet::arrow::FileReader> OpenParquet(FileSystem& files, const std::string& path) {
  auto input = files.OpenForReading(path);
  EXPECT_TRUE(input.ok()) << input.status().ToString();
  auto reader = parquet::arrow::OpenFile(*input, arrow::default_memory_pool());
  EXPECT_TRUE(reader.ok()) << path << ": " << reader.status().ToString();
  return std::move(*reader);
}

inline std::shared_ptr<arrow::Table> ReadParquet(FileSystem& files, const std::string& path) {
  auto table = OpenParquet(files, path)->ReadTable();
  EXPECT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_TRUE((*table)->ValidateFull().ok());
  return *table;
}

}  // namespace arrowcdc::test
