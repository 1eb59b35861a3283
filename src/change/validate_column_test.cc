// The short way of validation against Arrow's own, on columns that are right and on columns that are not.
#include "src/change/validate_column.h"

#include <random>
#include <string>

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

std::shared_ptr<arrow::Buffer> Copy(const void* bytes, size_t size) {
  return arrow::Buffer::FromString(std::string(static_cast<const char*>(bytes), size));
}

// A column of text, mostly valid: pieces of characters, lengths around the blocks that are looked at, and now
// and then an offset, a null count or a byte that is wrong.
std::shared_ptr<arrow::ArrayData> RandomColumn(std::mt19937_64& random,
                                               const std::shared_ptr<arrow::DataType>& type) {
  static const char* const kPieces[] = {"a", "plain text of some length ", "\xc3\xa9", "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80"};
  const int pieces = random() % 3 == 0 ? 5 : 2;
  const int64_t rows = static_cast<int64_t>(random() % 20);
  std::string text;
  std::vector<int32_t> offsets = {0};
  std::string validity(static_cast<size_t>(rows + 7) / 8, '\0');
  int64_t nulls = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const bool null = random() % 5 == 0;
    if (null) ++nulls;
    if (!null) validity[static_cast<size_t>(row / 8)] |= static_cast<char>(1 << (row % 8));
    for (int n = static_cast<int>(random() % 6); n > 0 && !null; --n)
      text += kPieces[random() % static_cast<uint64_t>(pieces)];
    offsets.push_back(static_cast<int32_t>(text.size()));
  }
  if (random() % 4 == 0) offsets[random() % offsets.size()] += static_cast<int32_t>(random() % 5) - 2;
  if (random() % 6 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
  if (random() % 8 == 0) ++nulls;
  const bool drop_validity = nulls == 0 && random() % 2 == 0;
  return arrow::ArrayData::Make(
      type, rows,
      {drop_validity ? nullptr : Copy(validity.data(), validity.size()),
       Copy(offsets.data(), offsets.size() * sizeof(int32_t)), Copy(text.data(), text.size())},
      nulls);
}

TEST(ValidateColumn, SaysWhatArrowSays) {
  int valid = 0;
  constexpr int kRounds = 20000;
  for (int seed = 0; seed < kRounds; ++seed) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    const auto type = seed % 4 == 0 ? arrow::binary() : arrow::utf8();
    const auto column = arrow::MakeArray(RandomColumn(random, type));
    const bool expected = column->ValidateFull().ok();
    valid += expected;
    ASSERT_EQ(ValidateColumn(*column).ok(), expected)
        << "seed " << seed << ": " << column->ValidateFull().ToString();
  }
  // Both answers were frequent enough to mean something.
  EXPECT_GT(valid, kRounds / 4);
  EXPECT_LT(valid, kRounds * 3 / 4);
}

// Numbers and times: buffers too short or not there, and nulls that are counted wrong.
TEST(ValidateColumn, OfFixedWidthSaysWhatArrowSays) {
  const std::shared_ptr<arrow::DataType> types[] = {arrow::int8(),
                                                    arrow::uint16(),
                                                    arrow::int32(),
                                                    arrow::date32(),
                                                    arrow::float64(),
                                                    arrow::boolean(),
                                                    arrow::uint64(),
                                                    arrow::timestamp(arrow::TimeUnit::MICRO),
                                                    arrow::time64(arrow::TimeUnit::MICRO)};
  int valid = 0;
  constexpr int kRounds = 20000;
  for (int seed = 0; seed < kRounds; ++seed) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    const auto& type = types[random() % std::size(types)];
    const auto rows = static_cast<int64_t>(random() % 20);
    const auto offset = static_cast<int64_t>(random() % 3);
    const int64_t bits = (offset + rows) * type->bit_width();
    std::string values(static_cast<size_t>(bits + 7) / 8, '\1');
    std::string validity(static_cast<size_t>(offset + rows + 7) / 8, '\xff');
    int64_t nulls = 0;
    for (int64_t row = offset; row < offset + rows; ++row) {
      if (random() % 4 != 0) continue;
      ++nulls;
      validity[static_cast<size_t>(row / 8)] &= static_cast<char>(~(1 << row % 8));
    }
    if (random() % 5 == 0 && !values.empty()) values.pop_back();
    if (random() % 5 == 0 && !validity.empty()) validity.pop_back();
    if (random() % 5 == 0) nulls += static_cast<int64_t>(random() % 3) - 1;
    const bool drop_validity = random() % 3 == 0;
    if (drop_validity && random() % 3 != 0) nulls = 0;
    auto data = arrow::ArrayData::Make(type, rows,
                                       {drop_validity ? nullptr : Copy(validity.data(), validity.size()),
                                        Copy(values.data(), values.size())},
                                       nulls, offset);
    const auto column = arrow::MakeArray(data);
    const bool expected = column->ValidateFull().ok();
    valid += expected;
    ASSERT_EQ(ValidateColumn(*column).ok(), expected)
        << "seed " << seed << ": " << column->ValidateFull().ToString();
  }
  EXPECT_GT(valid, kRounds / 4);
  EXPECT_LT(valid, kRounds * 3 / 4);
}

}  // namespace
}  // namespace arrowcdc
