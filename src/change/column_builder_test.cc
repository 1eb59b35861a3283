#include "src/change/column_builder.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc {
namespace {

class Builder : public ::testing::Test {
 protected:
  // The system's allocator, whose buffers the sanitizers watch.
  Builder() { memory_.pool = arrow::system_memory_pool(); }

  std::unique_ptr<ColumnBuilder> Make(const std::shared_ptr<arrow::DataType>& type) {
    return ColumnBuilder::Make(type, &memory_).ValueOrDie();
  }

  static void Check(ColumnBuilder* builder, const std::shared_ptr<arrow::DataType>& type,
                    const std::string& json) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto data, builder->Finish());
    const auto array = arrow::MakeArray(data);
    ARROWCDC_ASSERT_OK(array->ValidateFull());
    const auto wanted = arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*array)) << array->ToString();
    EXPECT_EQ(builder->length(), 0);
  }

  static bool Text(ColumnBuilder* builder, std::string_view text) {
    return builder->AppendBytes(text.data(), static_cast<int64_t>(text.size()));
  }

  BuilderMemory memory_;
};

TEST_F(Builder, NumbersAndNulls) {
  const auto column = Make(arrow::int32());
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(column->Append(int32_t{1}));
    EXPECT_TRUE(column->AppendNull());
    EXPECT_TRUE(column->Append(int32_t{-3}));
    Check(column.get(), arrow::int32(), "[1, null, -3]");
  }
  EXPECT_EQ(memory_.allocated_bytes, 0);
}

TEST_F(Builder, ManyNullsAtOnce) {
  for (const auto& type : {arrow::int32(), arrow::utf8()}) {
    const auto column = Make(type);
    const auto other = Make(type);
    for (int64_t count : {0, 1, 7, 64, 3, 1000}) {
      EXPECT_TRUE(column->AppendNulls(count));
      for (int64_t i = 0; i < count; ++i) EXPECT_TRUE(other->AppendNull());
      for (const auto& each : {column.get(), other.get()})
        EXPECT_TRUE(type->id() == arrow::Type::INT32 ? each->Append(int32_t{7}) : Text(each, "seven"));
    }
    column->Truncate(600);
    other->Truncate(600);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto mine, column->Finish());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted, other->Finish());
    ARROWCDC_ASSERT_OK(arrow::MakeArray(mine)->ValidateFull());
    EXPECT_EQ(mine->null_count, 595);
    EXPECT_TRUE(arrow::MakeArray(mine)->Equals(*arrow::MakeArray(wanted)));
  }
}

TEST_F(Builder, TextsOfEveryLength) {
  const auto column = Make(arrow::utf8());
  const std::string all = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string json = "[";
  for (size_t size = 0; size <= all.size(); ++size) {
    // Of its own size, so that the sanitizers see what is read beyond it.
    const std::vector<char> text(all.begin(), all.begin() + static_cast<int64_t>(size));
    EXPECT_TRUE(Text(column.get(), {text.data(), text.size()}));
    json += (size == 0 ? "\"" : ", \"") + all.substr(0, size) + "\"";
  }
  Check(column.get(), arrow::utf8(), json + "]");
}

// Around whole bytes and words, and around every growth.
TEST_F(Builder, ValidityAndBoolsAtEveryLength) {
  const auto numbers = Make(arrow::int16());
  const auto bools = Make(arrow::boolean());
  for (const int length : {1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1000}) {
    std::string numbers_json;
    std::string bools_json;
    for (int i = 0; i < length; ++i) {
      const bool null = i % 3 == 1;
      if (null) {
        numbers->AppendNull();
        bools->AppendNull();
      } else {
        numbers->Append(static_cast<int16_t>(i));
        bools->AppendBool(i % 2 == 0);
      }
      numbers_json += (i > 0 ? "," : "") + (null ? "null" : std::to_string(i));
      bools_json += std::string(i > 0 ? "," : "") + (null ? "null" : i % 2 == 0 ? "true" : "false");
    }
    Check(numbers.get(), arrow::int16(), "[" + numbers_json + "]");
    Check(bools.get(), arrow::boolean(), "[" + bools_json + "]");
  }
}

TEST_F(Builder, TruncateForgetsNullsAndBytes) {
  const auto column = Make(arrow::utf8());
  Text(column.get(), "a");
  column->AppendNull();
  Text(column.get(), "bcd");
  column->AppendNull();
  EXPECT_EQ(memory_.variable_bytes, 4);
  column->Truncate(1);
  EXPECT_EQ(memory_.variable_bytes, 1);
  Text(column.get(), "");
  Text(column.get(), "e");
  Check(column.get(), arrow::utf8(), R"(["a", "", "e"])");
  EXPECT_EQ(memory_.variable_bytes, 0);
}

TEST_F(Builder, NothingIsAValueToo) {
  const auto column = Make(arrow::utf8());
  EXPECT_TRUE(column->AppendBytes(nullptr, 0));
  EXPECT_TRUE(Text(column.get(), ""));
  Check(column.get(), arrow::utf8(), R"(["", ""])");
}

TEST_F(Builder, RoomIsNotAValueBeforeItEnds) {
  const auto column = Make(arrow::binary());
  memcpy(column->Room(100), "xyz", 3);
  EXPECT_EQ(column->length(), 0);
  memcpy(column->Room(1000), "ab", 2);
  EXPECT_TRUE(column->EndBytes(2));
  Check(column.get(), arrow::binary(), R"(["ab"])");
}

TEST_F(Builder, ListsOfStructsCutBack) {
  const auto type = arrow::list(arrow::field(
      "item", arrow::struct_({arrow::field("n", arrow::int64()), arrow::field("t", arrow::utf8())})));
  const auto column = Make(type);
  ColumnBuilder* const items = column->child(0);
  const auto add = [&](int64_t number, std::string_view text) {
    items->child(0)->Append(number);
    Text(items->child(1), text);
    return items->EndStruct();
  };
  EXPECT_TRUE(add(1, "one"));
  EXPECT_TRUE(add(2, "two"));
  EXPECT_TRUE(column->EndList());
  const int64_t bytes = memory_.variable_bytes;
  // A value that is not finished: a whole element, and half of one.
  EXPECT_TRUE(add(3, "three"));
  items->child(0)->AppendNull();
  column->Truncate(1);
  EXPECT_EQ(memory_.variable_bytes, bytes);
  // One that is taken back.
  EXPECT_TRUE(add(4, "four"));
  EXPECT_TRUE(column->EndList());
  column->Truncate(1);
  EXPECT_EQ(memory_.variable_bytes, bytes);
  column->AppendNull();
  items->AppendNull();
  EXPECT_TRUE(column->EndList());
  EXPECT_TRUE(column->EndList());
  Check(column.get(), type, R"([[[1, "one"], [2, "two"]], null, [null], []])");
  EXPECT_EQ(memory_.variable_bytes, 0);
}

TEST_F(Builder, FixedSizeLists) {
  const auto type = arrow::fixed_size_list(arrow::field("item", arrow::float32()), 2);
  const auto column = Make(type);
  column->AppendNull();
  column->child(0)->Append(1.5F);
  column->child(0)->Append(2.5F);
  EXPECT_TRUE(column->EndStruct());
  column->child(0)->Append(9.0F);
  column->Truncate(2);
  column->AppendNull();
  Check(column.get(), type, "[null, [1.5, 2.5], null]");
}

TEST_F(Builder, Maps) {
  const auto type = arrow::map(arrow::utf8(), arrow::utf8());
  const auto column = Make(type);
  ColumnBuilder* const pairs = column->child(0);
  Text(pairs->child(0), "k");
  pairs->child(1)->AppendNull();
  pairs->EndStruct();
  column->EndList();
  column->AppendNull();
  column->EndList();
  Check(column.get(), type, R"([[["k", null]], null, []])");
}

TEST_F(Builder, WhatDoesNotFitIsRefused) {
  const auto column = Make(arrow::binary());
  EXPECT_EQ(column->Room(int64_t{1} << 31), nullptr);
  EXPECT_TRUE(Text(column.get(), "a"));
  EXPECT_EQ(column->Room(INT32_MAX), nullptr);
  EXPECT_TRUE(memory_.status.ok());
  memory_.allocated_bytes = BuilderMemory::kBytesMax;
  EXPECT_EQ(column->Room(1000), nullptr);
  EXPECT_EQ(column->length(), 1);
}

// An allocator that gives nothing from some point on.
class FailingPool : public arrow::ProxyMemoryPool {
 public:
  explicit FailingPool(int allowed) : ProxyMemoryPool(arrow::system_memory_pool()), allowed_(allowed) {}
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(Count());
    return ProxyMemoryPool::Allocate(size, alignment, out);
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t** ptr) override {
    ARROW_RETURN_NOT_OK(Count());
    return ProxyMemoryPool::Reallocate(old_size, new_size, alignment, ptr);
  }

 private:
  arrow::Status Count() {
    return allowed_-- > 0 ? arrow::Status::OK() : arrow::Status::OutOfMemory("no more");
  }
  int allowed_;
};

TEST_F(Builder, NoMemoryLeavesTheColumnWhole) {
  const auto type = arrow::list(arrow::field(
      "item", arrow::struct_({arrow::field("n", arrow::int64()), arrow::field("t", arrow::utf8())})));
  for (int allowed = 0; allowed < 40; ++allowed) {
    FailingPool pool(allowed);
    BuilderMemory memory;
    memory.pool = &pool;
    const auto column = ColumnBuilder::Make(type, &memory).ValueOrDie();
    int64_t values = 0;
    for (int i = 0; i < 300 && memory.status.ok(); ++i) {
      ColumnBuilder* const items = column->child(0);
      const bool appended = i % 7 == 3 ? column->AppendNull()
                                       : items->child(0)->Append(int64_t{1}) &&
                                             Text(items->child(1), "some text of a value") &&
                                             items->EndStruct() && items->AppendNull() && column->EndList();
      if (appended) {
        ++values;
      } else {
        column->Truncate(values);
      }
      ASSERT_EQ(column->length(), values);
      ASSERT_EQ(appended, memory.status.ok());
    }
  }
}

}  // namespace
}  // namespace arrowcdc
