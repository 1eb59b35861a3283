// Random batches of every type: the partitions together are the input, in order, each row where its hash
// belongs. The hash is computed here a second time, a value at a time, straight from its definition.
#include <bit>
#include <cmath>
#include <optional>
#include <random>

#include <arrow/api.h>
#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <gtest/gtest.h>

#include "arrowcdc/hash_partitioner.h"
#include "src/change/table_schema.h"
#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using Random = std::mt19937_64;
using Type = arrow::Type;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using TypePtr = std::shared_ptr<arrow::DataType>;

uint64_t Below(Random& random, uint64_t limit) { return random() % limit; }

// --- The definition, once more -------------------------------------------------------------------

uint32_t Rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

uint32_t ScalarMurmur3(const std::string& bytes) {
  uint32_t h = 0;
  size_t i = 0;
  auto block = [&](size_t count) {
    uint32_t k = 0;
    for (size_t j = 0; j < count; ++j)
      k += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + j])) << (8 * j);
    return Rotate(k * 0xcc9e2d51, 15) * 0x1b873593;
  };
  for (; i + 4 <= bytes.size(); i += 4) h = Rotate(h ^ block(4), 13) * 5 + 0xe6546b64;
  if (i < bytes.size()) h ^= block(bytes.size() - i);
  h ^= static_cast<uint32_t>(bytes.size());
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

uint32_t ScalarMurmur2(const std::string& bytes) {
  const uint32_t m = 0x5bd1e995;
  uint32_t h = 0x9747b28c ^ static_cast<uint32_t>(bytes.size());
  size_t left = bytes.size();
  auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  for (size_t i = 0; left >= 4; i += 4, left -= 4) {
    uint32_t k = (at(i) | at(i + 1) << 8 | at(i + 2) << 16 | at(i + 3) << 24) * m;
    h = h * m ^ (k ^ k >> 24) * m;
  }
  const size_t tail = bytes.size() - left;
  if (left == 3) h ^= at(tail + 2) << 16;
  if (left >= 2) h ^= at(tail + 1) << 8;
  if (left >= 1) h = (h ^ at(tail)) * m;
  h = (h ^ h >> 13) * m;
  return h ^ h >> 15;
}

std::string BigEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string MinimalBigEndian(const uint8_t* little, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(little[i]));
  while (text.size() > 1 && ((text[0] == 0 && text[1] >= 0) || (text[0] == -1 && text[1] < 0)))
    text.erase(0, 1);
  return text;
}

// An integer value: Iceberg's eight bytes, or Kafka's in the value's width.
std::string IntegerBytes(int64_t value, int width, bool kafka) {
  if (kafka) return BigEndian(static_cast<uint64_t>(value), width);
  std::string text = BigEndian(static_cast<uint64_t>(value), 8);
  return {text.rbegin(), text.rend()};
}

std::string RealBytes(double value, bool is_float, bool kafka) {
  if (value == 0) value = 0;  // -0 as well
  if (kafka && is_float) {
    return BigEndian(std::isnan(value) ? 0x7fc00000 : std::bit_cast<uint32_t>(static_cast<float>(value)), 4);
  }
  uint64_t bits = std::isnan(value) ? 0x7ff8000000000000 : std::bit_cast<uint64_t>(value);
  return IntegerBytes(static_cast<int64_t>(bits), 8, kafka);
}

int64_t Micros(int64_t value, arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return value * 1'000'000;
    case arrow::TimeUnit::MILLI:
      return value * 1'000;
    case arrow::TimeUnit::MICRO:
      return value;
    case arrow::TimeUnit::NANO:
      break;
  }
  return static_cast<int64_t>(std::floor(static_cast<long double>(value) / 1000));
}

// What is hashed for a value; nullopt for null.
// NOLINTNEXTLINE(readability-function-size): a case a type
std::optional<std::string> Bytes(const arrow::Scalar& value, bool kafka) {
  if (!value.is_valid) return std::nullopt;
  auto integer = [&](const auto& number, int width) {
    return IntegerBytes(static_cast<int64_t>(number.value), width, kafka);
  };
  switch (value.type->id()) {
    case Type::EXTENSION: {
      auto bytes = Bytes(*static_cast<const arrow::ExtensionScalar&>(value).value, kafka);
      if (!kafka || !value.type->Equals(arrow::extension::uuid())) return bytes;
      std::string text;
      for (size_t i = 0; i < 16; ++i) {
        char digits[3];
        snprintf(digits, sizeof(digits), "%02x", static_cast<uint8_t>((*bytes)[i]));
        text += digits;
        if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
      }
      return text;
    }
    case Type::DICTIONARY:
      return Bytes(*static_cast<const arrow::DictionaryScalar&>(value).GetEncodedValue().ValueOrDie(), kafka);
    case Type::BOOL:
      return integer(static_cast<const arrow::BooleanScalar&>(value), 1);
    case Type::INT8:
      return integer(static_cast<const arrow::Int8Scalar&>(value), 1);
    case Type::UINT8:
      return integer(static_cast<const arrow::UInt8Scalar&>(value), 1);
    case Type::INT16:
      return integer(static_cast<const arrow::Int16Scalar&>(value), 2);
    case Type::UINT16:
      return integer(static_cast<const arrow::UInt16Scalar&>(value), 2);
    case Type::INT32:
      return integer(static_cast<const arrow::Int32Scalar&>(value), 4);
    case Type::UINT32:
      return integer(static_cast<const arrow::UInt32Scalar&>(value), 4);
    case Type::DATE32:
      return integer(static_cast<const arrow::Date32Scalar&>(value), 4);
    case Type::INT64:
      return integer(static_cast<const arrow::Int64Scalar&>(value), 8);
    case Type::UINT64:
      return integer(static_cast<const arrow::UInt64Scalar&>(value), 8);
    case Type::FLOAT:
      return RealBytes(static_cast<const arrow::FloatScalar&>(value).value, true, kafka);
    case Type::DOUBLE:
      return RealBytes(static_cast<const arrow::DoubleScalar&>(value).value, false, kafka);
    case Type::DATE64:  // whole days
      return IntegerBytes(static_cast<const arrow::Date64Scalar&>(value).value / 86'400'000, 4, kafka);
    case Type::TIME32: {
      const auto unit = static_cast<const arrow::Time32Type&>(*value.type).unit();
      return IntegerBytes(Micros(static_cast<const arrow::Time32Scalar&>(value).value, unit), 8, kafka);
    }
    case Type::TIME64: {
      const auto unit = static_cast<const arrow::Time64Type&>(*value.type).unit();
      return IntegerBytes(Micros(static_cast<const arrow::Time64Scalar&>(value).value, unit), 8, kafka);
    }
    case Type::TIMESTAMP: {
      const auto unit = static_cast<const arrow::TimestampType&>(*value.type).unit();
      return IntegerBytes(Micros(static_cast<const arrow::TimestampScalar&>(value).value, unit), 8, kafka);
    }
    case Type::DECIMAL32: {
      auto little = static_cast<const arrow::Decimal32Scalar&>(value).value.ToBytes();
      return MinimalBigEndian(little.data(), 4);
    }
    case Type::DECIMAL64: {
      auto little = static_cast<const arrow::Decimal64Scalar&>(value).value.ToBytes();
      return MinimalBigEndian(little.data(), 8);
    }
    case Type::DECIMAL128: {
      auto little = static_cast<const arrow::Decimal128Scalar&>(value).value.ToBytes();
      return MinimalBigEndian(little.data(), 16);
    }
    case Type::DECIMAL256: {
      auto little = static_cast<const arrow::Decimal256Scalar&>(value).value.ToBytes();
      return MinimalBigEndian(little.data(), 32);
    }
    default:
      return static_cast<const arrow::BaseBinaryScalar&>(value).value->ToString();
  }
}

uint32_t ExpectedPartition(const arrow::RecordBatch& batch, const std::vector<int>& key, int64_t row,
                           const PartitionOptions& options) {
  const bool kafka = options.hash == PartitionHash::kMurmur2;
  auto hash_of = [&](const std::string& bytes) {
    return kafka ? ScalarMurmur2(bytes) : ScalarMurmur3(bytes);
  };
  std::vector<uint32_t> hashes;
  for (int field : key) {
    auto bytes = Bytes(*batch.column(field)->GetScalar(row).ValueOrDie(), kafka);
    hashes.push_back(bytes ? hash_of(*bytes) : 0);
  }
  uint32_t hash = hashes[0];
  if (hashes.size() > 1) {
    std::string bytes;
    for (uint32_t part : hashes) {
      const std::string big = BigEndian(part, 4);
      bytes.append(big.rbegin(), big.rend());
    }
    hash = hash_of(bytes);
  }
  return static_cast<uint32_t>((static_cast<int32_t>(hash) & INT32_MAX) % options.partitions);
}

// --- Random arrays -------------------------------------------------------------------------------

// Validity bits, or none.
std::shared_ptr<arrow::Buffer> RandomValidity(int64_t length, Random& random) {
  if (Below(random, 3) == 0) return nullptr;
  const uint64_t one_in = Below(random, 2) == 0 ? 2 : 30;
  auto bits = arrow::AllocateBitmap(length).ValueOrDie();
  for (int64_t i = 0; i < length; ++i) {
    arrow::bit_util::SetBitTo(bits->mutable_data(), i, Below(random, one_in) != 0);
  }
  return bits;
}

// Bits everywhere, except where a type's values have limits.
std::shared_ptr<arrow::Buffer> RandomValues(const arrow::DataType& type, int64_t length, Random& random) {
  const int width = static_cast<const arrow::FixedWidthType&>(type).bit_width() / 8;
  std::shared_ptr<arrow::Buffer> buffer = arrow::AllocateBuffer(length * width).ValueOrDie();
  uint8_t* values = buffer->mutable_data();
  const bool few = Below(random, 2) == 0;  // few distinct values: equal keys, hot partitions
  for (int64_t i = 0; i < length; ++i, values += width) {
    Random bytes(few ? Below(random, 5) : random());
    for (int j = 0; j < width; ++j) values[j] = static_cast<uint8_t>(bytes());
    if (type.id() == Type::TIME64) {
      const auto time = static_cast<int64_t>(Below(bytes, 86'400'000'000));
      std::memcpy(values, &time, 8);
    } else if (type.id() == Type::TIME32) {
      const auto time = static_cast<int32_t>(Below(bytes, 86'400));
      std::memcpy(values, &time, 4);
    } else if (type.id() == Type::DATE64) {
      const int64_t days = (static_cast<int64_t>(Below(bytes, 200'000)) - 100'000) * 86'400'000;
      std::memcpy(values, &days, 8);
    } else if (arrow::is_decimal(type.id())) {
      const int used =
          static_cast<int>(Below(bytes, static_cast<uint64_t>(width)));  // within every precision
      std::memset(values + used, (bytes() & 1) != 0 ? 0xff : 0, static_cast<size_t>(width - used));
    } else if (type.id() == Type::DOUBLE && Below(bytes, 4) == 0) {
      const double special[] = {0.0, -0.0, std::nan("1"), INFINITY};
      std::memcpy(values, &special[Below(bytes, 4)], 8);
    } else if (type.id() == Type::FLOAT && Below(bytes, 4) == 0) {
      const float special[] = {0.0f, -0.0f, std::nanf("1"), -INFINITY};
      std::memcpy(values, &special[Below(bytes, 4)], 4);
    }
  }
  return buffer;
}

ArrayPtr RandomArray(const TypePtr& type, int64_t length, Random& random);

template <typename Offset>
std::shared_ptr<arrow::Buffer> RandomOffsets(int64_t length, uint64_t step, Random& random) {
  std::shared_ptr<arrow::Buffer> buffer =
      arrow::AllocateBuffer((length + 1) * static_cast<int64_t>(sizeof(Offset))).ValueOrDie();
  auto* offsets = reinterpret_cast<Offset*>(buffer->mutable_data());
  offsets[0] = static_cast<Offset>(Below(random, 4));
  for (int64_t i = 0; i < length; ++i) offsets[i + 1] = offsets[i] + static_cast<Offset>(Below(random, step));
  return buffer;
}

template <typename Offset>
std::shared_ptr<arrow::ArrayData> RandomStrings(const TypePtr& type, int64_t length, Random& random) {
  auto offsets = RandomOffsets<Offset>(length, Below(random, 2) == 0 ? 20 : 4, random);
  const auto bytes = static_cast<int64_t>(reinterpret_cast<const Offset*>(offsets->data())[length]);
  std::shared_ptr<arrow::Buffer> data =
      arrow::AllocateBuffer(bytes).ValueOrDie();  // ends where the last string ends
  for (int64_t i = 0; i < bytes; ++i) data->mutable_data()[i] = static_cast<uint8_t>('a' + Below(random, 3));
  return arrow::ArrayData::Make(type, length, {RandomValidity(length, random), offsets, data});
}

template <typename Offset>
std::shared_ptr<arrow::ArrayData> RandomLists(const TypePtr& type, int64_t length, Random& random) {
  auto offsets = RandomOffsets<Offset>(length, 4, random);
  const auto children = static_cast<int64_t>(reinterpret_cast<const Offset*>(offsets->data())[length]);
  auto child = RandomArray(type->field(0)->type(), children, random);
  if (type->id() == Type::MAP) {  // keys and entries are never null
    auto entries = child->data()->Copy();
    entries->buffers[0] = nullptr;
    entries->null_count = 0;
    entries->child_data[0] = entries->child_data[0]->Copy();
    entries->child_data[0]->buffers[0] = nullptr;
    entries->child_data[0]->null_count = 0;
    child = arrow::MakeArray(entries);
  }
  return arrow::ArrayData::Make(type, length, {RandomValidity(length, random), offsets}, {child->data()});
}

std::shared_ptr<arrow::ArrayData> RandomByBuilder(const TypePtr& type, int64_t length, Random& random) {
  auto builder = arrow::MakeBuilder(type).ValueOrDie();
  for (int64_t i = 0; i < length; ++i) {
    if (Below(random, 4) == 0) {
      ARROWCDC_EXPECT_OK(builder->AppendNull());
    } else if (type->id() == Type::STRING_VIEW || type->id() == Type::BINARY_VIEW) {
      std::string text(Below(random, 30), static_cast<char>('a' + Below(random, 3)));
      ARROWCDC_EXPECT_OK(static_cast<arrow::BinaryViewBuilder&>(*builder).Append(text));
    } else {
      ARROWCDC_EXPECT_OK(builder->AppendEmptyValue());
    }
  }
  std::shared_ptr<arrow::ArrayData> data;
  ARROWCDC_EXPECT_OK(builder->FinishInternal(&data));
  return data;
}

std::shared_ptr<arrow::ArrayData> RandomData(const TypePtr& type, int64_t length, Random& random) {
  switch (type->id()) {
    case Type::EXTENSION: {
      auto data = RandomData(static_cast<const arrow::ExtensionType&>(*type).storage_type(), length, random);
      data->type = type;
      return data;
    }
    case Type::NA:
      return std::make_shared<arrow::NullArray>(length)->data();
    case Type::BOOL: {
      std::shared_ptr<arrow::Buffer> bits = arrow::AllocateBitmap(length).ValueOrDie();
      for (int64_t i = 0; i < bits->size(); ++i) bits->mutable_data()[i] = static_cast<uint8_t>(random());
      return arrow::ArrayData::Make(type, length, {RandomValidity(length, random), bits});
    }
    case Type::STRING:
    case Type::BINARY:
      return RandomStrings<int32_t>(type, length, random);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      return RandomStrings<int64_t>(type, length, random);
    case Type::LIST:
    case Type::MAP:
      return RandomLists<int32_t>(type, length, random);
    case Type::LARGE_LIST:
      return RandomLists<int64_t>(type, length, random);
    case Type::FIXED_SIZE_LIST: {
      const auto& lists = static_cast<const arrow::FixedSizeListType&>(*type);
      auto child = RandomArray(lists.value_type(), length * lists.list_size(), random);
      return arrow::ArrayData::Make(type, length, {RandomValidity(length, random)}, {child->data()});
    }
    case Type::STRUCT: {
      std::vector<std::shared_ptr<arrow::ArrayData>> children;
      for (const auto& field : type->fields())
        children.push_back(RandomArray(field->type(), length, random)->data());
      return arrow::ArrayData::Make(type, length, {RandomValidity(length, random)}, children);
    }
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryType&>(*type);
      auto data = RandomData(arrow::int8(), length, random);
      data->type = type;
      data->dictionary = RandomArray(dictionary.value_type(), 6, random)->data();
      auto* indexes = data->GetMutableValues<int8_t>(1);
      for (int64_t i = 0; i < length; ++i) indexes[i] = static_cast<int8_t>(Below(random, 6));
      return data;
    }
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
    case Type::SPARSE_UNION:
    case Type::DENSE_UNION:
    case Type::LIST_VIEW:
      return RandomByBuilder(type, length, random);
    default:
      return arrow::ArrayData::Make(type, length,
                                    {RandomValidity(length, random), RandomValues(*type, length, random)});
  }
}

// With an offset, at times.
ArrayPtr RandomArray(const TypePtr& type, int64_t length, Random& random) {
  const auto front = static_cast<int64_t>(Below(random, 2) == 0 ? 0 : Below(random, 11));
  const auto back = static_cast<int64_t>(Below(random, 3));
  return arrow::MakeArray(RandomData(type, front + length + back, random))->Slice(front, length);
}

const std::vector<TypePtr>& KeyTypes() {
  static const std::vector<TypePtr> types = {arrow::boolean(),
                                             arrow::int8(),
                                             arrow::int16(),
                                             arrow::int32(),
                                             arrow::int64(),
                                             arrow::uint8(),
                                             arrow::uint16(),
                                             arrow::uint32(),
                                             arrow::uint64(),
                                             arrow::float32(),
                                             arrow::float64(),
                                             arrow::date32(),
                                             arrow::date64(),
                                             arrow::time32(arrow::TimeUnit::SECOND),
                                             arrow::time32(arrow::TimeUnit::MILLI),
                                             arrow::time64(arrow::TimeUnit::MICRO),
                                             arrow::time64(arrow::TimeUnit::NANO),
                                             arrow::timestamp(arrow::TimeUnit::MICRO),
                                             arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                             arrow::timestamp(arrow::TimeUnit::NANO),
                                             arrow::decimal32(9, 2),
                                             arrow::decimal64(18, 0),
                                             arrow::decimal128(38, 4),
                                             arrow::decimal256(76, -2),
                                             arrow::utf8(),
                                             arrow::large_utf8(),
                                             arrow::binary(),
                                             arrow::large_binary(),
                                             arrow::utf8_view(),
                                             arrow::binary_view(),
                                             arrow::fixed_size_binary(3),
                                             arrow::extension::uuid(),
                                             arrow::extension::json(),
                                             arrow::dictionary(arrow::int8(), arrow::utf8()),
                                             arrow::dictionary(arrow::int8(), arrow::int32())};
  return types;
}

const std::vector<TypePtr>& OtherTypes() {
  static const auto item = [](const TypePtr& type) { return arrow::field("item", type); };
  static const std::vector<TypePtr> types = {
      arrow::null(),
      arrow::month_day_nano_interval(),
      arrow::day_time_interval(),
      arrow::float16(),
      arrow::list(item(arrow::int16())),
      arrow::list(item(arrow::utf8())),
      arrow::large_list(item(arrow::boolean())),
      arrow::list(item(arrow::list(item(arrow::extension::uuid())))),
      arrow::map(arrow::utf8(), arrow::utf8()),
      arrow::fixed_size_list(item(arrow::float32()), 3),
      arrow::fixed_size_list(item(arrow::utf8()), 2),
      arrow::struct_(
          {arrow::field("time", arrow::time64(arrow::TimeUnit::MICRO)), arrow::field("o", arrow::int32())}),
      arrow::struct_(
          {arrow::field("lower", arrow::utf8()), arrow::field("inc", arrow::boolean()),
           arrow::field("in", arrow::struct_({arrow::field("l", arrow::list(item(arrow::int8())))}))}),
      arrow::list(item(
          arrow::struct_({arrow::field("d", arrow::decimal128(38, 2)), arrow::field("n", arrow::null())}))),
      arrow::list(item(arrow::dictionary(arrow::int8(), arrow::utf8()))),
      arrow::list_view(item(arrow::int32())),
      arrow::sparse_union({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())}),
      arrow::dense_union({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())})};
  return types;
}

// --- The property --------------------------------------------------------------------------------

struct TableRows {
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> batch;
};

void CheckSplit(const TableRows& rows, const std::vector<int>& key, const PartitionOptions& options) {
  const auto& batch = rows.batch;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto partitioner, HashPartitioner::Make(rows.table, options));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto split, partitioner.Split(batch));
  ASSERT_EQ(split.size(), static_cast<size_t>(options.partitions));
  std::vector<int64_t> next(split.size());
  const auto equal = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
  for (int64_t row = 0; row < batch->num_rows(); ++row) {
    const uint32_t p = ExpectedPartition(*batch, key, row, options);
    ASSERT_NE(split[p], nullptr) << "row " << row;
    const int64_t place = next[p]++;
    ASSERT_LT(place, split[p]->num_rows()) << "row " << row;
    for (int i = 0; i < batch->num_columns(); ++i) {
      ASSERT_TRUE(batch->column(i)->RangeEquals(*split[p]->column(i), row, row + 1, place, equal))
          << "row " << row << ", column " << i << ", " << batch->schema()->field(i)->type()->ToString();
    }
  }
  for (size_t p = 0; p < split.size(); ++p) {
    ASSERT_EQ(split[p] == nullptr ? 0 : split[p]->num_rows(), next[p]) << "partition " << p;
    if (split[p] != nullptr) ARROWCDC_ASSERT_OK(split[p]->ValidateFull());
  }
}

// A batch of some columns, the key columns first. The identity is FULL, so that any column may be the key.
TableRows RandomBatch(int64_t rows, const std::vector<TypePtr>& types, Random& random) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const auto& type : types) {
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), type));
    columns.push_back(RandomArray(type, rows, random));
  }
  auto table = MakeTableSchema({"public", "t"}, 1, 2, ReplicaIdentity::kFull, fields, nullptr).ValueOrDie();
  auto batch = test::MakeInserts(table, columns);
  ARROWCDC_EXPECT_OK(batch->ValidateFull());
  return {std::move(table), std::move(batch)};
}

void CheckRandomBatch(int64_t rows, const std::vector<TypePtr>& types, size_t keys, int partitions,
                      Random& random) {
  const TableRows batch = RandomBatch(rows, types, random);
  PartitionOptions options;
  options.partitions = partitions;
  options.hash = Below(random, 3) == 0 ? PartitionHash::kMurmur2 : PartitionHash::kMurmur3;
  std::vector<int> key;
  for (size_t k = 0; k < keys; ++k) {
    key.push_back(static_cast<int>(keys - 1 - k));
    options.columns.push_back("c" + std::to_string(key.back()));
  }
  CheckSplit(batch, key, options);
}

TEST(HashPartitionerRandom, EveryTypeAsKeyAndAsValue) {
  Random random(test::Seed());
  for (const auto& type : KeyTypes()) {
    SCOPED_TRACE("seed " + std::to_string(test::Seed()) + ", key " + type->ToString());
    CheckRandomBatch(200, {type}, 1, 5, random);
  }
  for (const auto& type : OtherTypes()) {
    SCOPED_TRACE("seed " + std::to_string(test::Seed()) + ", value " + type->ToString());
    CheckRandomBatch(200, {arrow::int64(), type}, 1, 5, random);
  }
}

TEST(HashPartitionerRandom, RandomSchemas) {
  for (uint64_t round = 0; round < 150; ++round) {
    SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(test::Seed()) + ", round " + std::to_string(round));
    Random random(test::Seed() + round);
    const size_t keys = 1 + Below(random, 3);
    std::vector<TypePtr> types;
    for (size_t i = 0; i < keys; ++i) types.push_back(KeyTypes()[Below(random, KeyTypes().size())]);
    for (uint64_t i = Below(random, 5); i > 0; --i) {
      const bool nested = Below(random, 2) == 0;
      types.push_back(nested ? OtherTypes()[Below(random, OtherTypes().size())]
                             : KeyTypes()[Below(random, KeyTypes().size())]);
    }
    constexpr int64_t kRows[] = {1, 2, 7, 8, 9, 63, 64, 65, 300};
    constexpr int kPartitions[] = {1, 2, 3, 4, 7, 16, 100};
    CheckRandomBatch(kRows[Below(random, 9)], types, keys, kPartitions[Below(random, 7)], random);
    if (HasFatalFailure()) return;
  }
}

// More rows than a block, and partitions enough for longer blocks.
TEST(HashPartitionerRandom, SeveralBlocks) {
  Random random(test::Seed());
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(test::Seed()));
  for (int partitions : {2, 13, 700}) {
    for (int64_t rows : {4096, 4097, 13000}) {
      CheckRandomBatch(rows, {arrow::int64(), arrow::utf8(), arrow::int8(), arrow::decimal128(38, 2)}, 1,
                       partitions, random);
    }
  }
}

}  // namespace
}  // namespace arrowcdc
