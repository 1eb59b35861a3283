// Text that is not UTF-8: the rows that hold it are null, and nothing else has changed.
#include "src/change/repair_text.h"

#include <random>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

namespace arrowcdc {
namespace {

using Rows = std::vector<int64_t>;

// Arrow's JSON reader takes no bytes that are not UTF-8, so each "#" becomes one of them afterwards, in the
// text of all depths.
void PutBytes(arrow::ArrayData* data, const std::string& bytes) {
  for (auto& child : data->child_data) PutBytes(child.get(), bytes);
  if (data->type->id() != arrow::Type::STRING || data->buffers[2] == nullptr) return;
  std::string text = data->buffers[2]->ToString();
  for (size_t at = 0; (at = text.find(std::string(bytes.size(), '#'), at)) != std::string::npos;)
    text.replace(at, bytes.size(), bytes);
  data->buffers[2] = arrow::Buffer::FromString(text);
}

std::shared_ptr<arrow::Array> Array(const std::shared_ptr<arrow::DataType>& type, const std::string& json,
                                    const std::string& bytes = "") {
  const auto storage = type->id() == arrow::Type::EXTENSION
                           ? static_cast<const arrow::ExtensionType&>(*type).storage_type()
                           : type;
  auto data = arrow::json::ArrayFromJSONString(storage, json).ValueOrDie()->data()->Copy();
  if (!bytes.empty()) PutBytes(data.get(), bytes);
  data->type = type;
  return arrow::MakeArray(data);
}

// `before` with "#" for the bytes becomes `after`, in which `rows` are null.
void Check(const std::shared_ptr<arrow::DataType>& type, const std::string& before, const std::string& after,
           const Rows& rows, const std::string& bytes = "\xe9") {
  SCOPED_TRACE(type->ToString() + " " + before);
  const auto column = Array(type, before, bytes);
  ASSERT_FALSE(column->ValidateFull().ok());
  const auto repaired = RepairText(*column, arrow::default_memory_pool());
  ASSERT_TRUE(repaired.ok()) << repaired.status();
  EXPECT_TRUE(repaired->column->ValidateFull().ok()) << repaired->column->ValidateFull();
  EXPECT_TRUE(repaired->column->type()->Equals(*type));
  EXPECT_TRUE(repaired->column->Equals(*Array(type, after))) << repaired->column->ToString();
  EXPECT_EQ(repaired->rows, rows);
}

TEST(RepairText, EveryWayOfBeingWrong) {
  const std::string kWrong[] = {"\xe9",              // Latin-1
                                "\x80",              // a character's rest alone
                                "\xc3",              // a character cut off
                                "\xe2\x82",          // likewise
                                "\xf0\x9f\x98",      // likewise
                                "\xed\xa0\x80",      // half a surrogate pair
                                "\xed\xbf\xbf",      // the other half
                                "\xc0\x80",          // overlong
                                "\xe0\x80\xaf",      // overlong
                                "\xf0\x80\x80\xaf",  // overlong
                                "\xf4\x90\x80\x80",  // beyond U+10FFFF
                                "\xf8\x88\x80\x80\x80",
                                "\xfe",
                                "\xff"};
  for (const std::string& bytes : kWrong) {
    const std::string hole(bytes.size(), '#');
    Check(arrow::utf8(), R"(["a", ")" + hole + R"(", "é", null, "x)" + hole + R"(", ")" + hole + R"(y", ""])",
          R"(["a", null, "é", null, null, null, ""])", {1, 4, 5}, bytes);
  }
}

// Valid as a whole, and no value of it is.
TEST(RepairText, ACharacterOverTwoValues) {
  Check(arrow::utf8(), R"(["#", "#", "b"])", R"([null, null, "b"])", {0, 1});
  auto data = Array(arrow::utf8(), R"(["ab", "cd", "e"])")->data()->Copy();
  data->buffers[2] = arrow::Buffer::FromString(
      "a\xc3\xa9"
      "de");
  const auto repaired = RepairText(*arrow::MakeArray(data), arrow::default_memory_pool()).ValueOrDie();
  EXPECT_TRUE(repaired.column->Equals(*Array(arrow::utf8(), R"([null, null, "e"])")));
}

TEST(RepairText, AtEveryDepth) {
  const auto list = arrow::list(arrow::utf8());
  Check(list, R"([["a", null], ["b", "#"], [], null, ["#", "c"], ["d"]])",
        R"([["a", null], null, [], null, null, ["d"]])", {1, 4});
  Check(arrow::list(list), R"([[["a"], []], [["b"], ["#"]], [null]])", R"([[["a"], []], null, [null]])", {1});
  const auto pair = arrow::struct_({arrow::field("n", arrow::int32()), arrow::field("s", arrow::utf8())});
  Check(pair, R"([[1, "a"], [2, "#"], null, [3, null]])", R"([[1, "a"], null, null, [3, null]])", {1});
  Check(arrow::list(pair), R"([[[1, "a"], [2, "#"]], [[3, "b"]]])", R"([null, [[3, "b"]]])", {0});
  const auto map = arrow::map(arrow::utf8(), arrow::utf8());
  Check(map, R"([[["k", "v"]], [["#", "v"]], [["k", "#"], ["l", null]], null, []])",
        R"([[["k", "v"]], null, null, null, []])", {1, 2});
  Check(arrow::fixed_size_list(arrow::utf8(), 2), R"([["a", "b"], ["#", "c"], null, ["d", null]])",
        R"([["a", "b"], null, null, ["d", null]])", {1});
  Check(arrow::large_list(arrow::utf8()), R"([["a"], ["#"]])", R"([["a"], null])", {1});
  Check(arrow::GetExtensionType("arrow.json")->Deserialize(arrow::utf8(), "").ValueOrDie(),
        R"(["{}", "\"#\""])", R"(["{}", null])", {1});
  const auto mixed = arrow::struct_(
      {arrow::field("m", arrow::month_day_nano_interval()), arrow::field("d", arrow::decimal128(9, 2)),
       arrow::field("b", arrow::fixed_size_binary(2)), arrow::field("t", arrow::list(arrow::utf8())),
       arrow::field("z", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
       arrow::field("o", arrow::boolean()), arrow::field("raw", arrow::binary()),
       arrow::field("none", arrow::null())});
  Check(
      mixed,
      R"([[[1, 2, 3], "1.25", "ab", ["x"], 5, true, "y", null], [[1, 2, 3], "1.25", "ab", ["#"], 5, true, "y", null]])",
      R"([[[1, 2, 3], "1.25", "ab", ["x"], 5, true, "y", null], null])", {1});
}

// Text nobody reads must not lie in the column either, and its rows keep what they are.
TEST(RepairText, BytesUnderNullsAndOutsideTheOffsets) {
  auto words = Array(arrow::utf8(), R"(["#", "a", "#", "b", "#"])", "\xe9");
  const auto offsets = arrow::Buffer::FromVector(std::vector<int32_t>{1, 2, 3, 4});
  const auto validity = arrow::Buffer::FromString("\x05");  // the row in the middle is null
  const auto column = arrow::MakeArray(
      arrow::ArrayData::Make(arrow::list(arrow::utf8()), 3, {validity, offsets}, {words->data()}, 1));
  ASSERT_FALSE(column->ValidateFull().ok());
  const auto repaired = RepairText(*column, arrow::default_memory_pool()).ValueOrDie();
  EXPECT_TRUE(repaired.column->ValidateFull().ok());
  EXPECT_TRUE(repaired.column->Equals(*Array(arrow::list(arrow::utf8()), R"([["a"], null, ["b"]])")));
  EXPECT_EQ(repaired.rows, Rows{});
  const auto& lists = static_cast<const arrow::ListArray&>(*repaired.column);
  EXPECT_EQ(lists.value_length(1), 0);
  EXPECT_EQ(lists.values()->length(), 2);

  // Under a null struct in a list.
  const auto pair = arrow::struct_({arrow::field("s", arrow::utf8())});
  auto structs = Array(pair, R"([["a"], ["#"], ["b"]])", "\xe9")->data()->Copy();
  structs->buffers[0] = validity;
  structs->null_count = 1;
  const auto nested = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::list(pair), 1, {nullptr, arrow::Buffer::FromVector(std::vector<int32_t>{0, 3})}, {structs}, 0));
  ASSERT_FALSE(nested->ValidateFull().ok());
  const auto kept = RepairText(*nested, arrow::default_memory_pool()).ValueOrDie();
  EXPECT_TRUE(kept.column->Equals(*Array(arrow::list(pair), R"([[["a"], null, ["b"]]])")));
  EXPECT_EQ(kept.rows, Rows{});
}

TEST(RepairText, ANulledListHasNothingInItsChild) {
  const auto column = Array(arrow::list(arrow::utf8()), R"([["a"], ["#", "b"], ["c"]])", "\xe9");
  const auto repaired = RepairText(*column, arrow::default_memory_pool()).ValueOrDie();
  const auto& lists = static_cast<const arrow::ListArray&>(*repaired.column);
  EXPECT_EQ(lists.value_length(1), 0);
  EXPECT_TRUE(lists.values()->Equals(*Array(arrow::utf8(), R"(["a", "c"])")));
}

TEST(RepairText, OtherFaultsAreNotRepaired) {
  auto data = Array(arrow::utf8(), R"(["ab", "#"])", "\xe9")->data()->Copy();
  for (const std::vector<int32_t>& offsets : {std::vector<int32_t>{0, 2, 9}, {0, 3, 2}, {-1, 2, 3}, {0, 2}}) {
    data->buffers[1] = arrow::Buffer::FromVector(offsets);
    EXPECT_TRUE(RepairText(*arrow::MakeArray(data), arrow::default_memory_pool()).status().IsInvalid());
  }
}

// Random columns with random damage: each row that is not text becomes null, every other stays.
TEST(RepairText, RandomColumns) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::vector<std::optional<std::string>>> rows(random() % 20);
    arrow::ListBuilder wrong(arrow::default_memory_pool(), std::make_shared<arrow::StringBuilder>());
    arrow::ListBuilder right(arrow::default_memory_pool(), std::make_shared<arrow::StringBuilder>());
    Rows damaged;
    for (size_t row = 0; row < rows.size(); ++row) {
      if (random() % 6 == 0) {
        ASSERT_TRUE(wrong.AppendNull().ok() && right.AppendNull().ok());
        continue;
      }
      bool bad = false;
      rows[row].resize(random() % 4);
      for (auto& value : rows[row]) {
        if (random() % 5 == 0) continue;
        const bool hurt = random() % 8 == 0;
        bad |= hurt;
        value = std::string(random() % 90, 'a') + (hurt ? "\xed\xa0\x80" : "\xe2\x82\xac");
      }
      const auto append = [&](arrow::ListBuilder& lists) {
        auto& words = static_cast<arrow::StringBuilder&>(*lists.value_builder());
        ASSERT_TRUE(lists.Append().ok());
        for (const auto& value : rows[row]) {
          ASSERT_TRUE((value ? words.Append(*value) : words.AppendNull()).ok());
        }
      };
      append(wrong);
      if (bad) {
        damaged.push_back(static_cast<int64_t>(row));
        ASSERT_TRUE(right.AppendNull().ok());
      } else {
        append(right);
      }
    }
    const auto repaired = RepairText(*wrong.Finish().ValueOrDie(), arrow::default_memory_pool()).ValueOrDie();
    ASSERT_TRUE(repaired.column->Equals(*right.Finish().ValueOrDie())) << "round " << round;
    ASSERT_EQ(repaired.rows, damaged) << "round " << round;
  }
}

}  // namespace
}  // namespace arrowcdc
