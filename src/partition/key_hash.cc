// Hashes of a column's values. Every loop reads its values by memcpy: buffers off the wire promise no
// alignment.
#include "src/partition/key_hash.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include <arrow/extension_type.h>
#include <arrow/type_traits.h>
#include <arrow/util/binary_view_util.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/checked_cast.h>

#include "src/partition/murmur2.h"
#include "src/partition/murmur3.h"

namespace arrowcdc {
namespace {

using arrow::Type;
using arrow::internal::checked_cast;

// The number `value` in as many bytes as its type has, big-endian, through Murmur2.
template <typename Unsigned>
uint32_t Murmur2BigEndian(Unsigned value) {
  uint8_t bytes[sizeof(Unsigned)];
  for (size_t i = 0; i < sizeof(Unsigned); ++i) {
    bytes[i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * (sizeof(Unsigned) - 1 - i)));
  }
  return Murmur2(bytes, sizeof(Unsigned));
}

// The two hashes; each function takes a value in the form the type's table in the public header speaks of.
struct IcebergHash {
  static uint32_t Bytes(const uint8_t* data, size_t bytes) { return Murmur3(data, bytes); }
  static uint32_t Bool(bool value) { return Murmur3Long(value ? 1 : 0); }
  template <typename Integer>
  static uint32_t Number(Integer value) {  // the conversion extends the sign of signed types
    return Murmur3Long(static_cast<uint64_t>(value));
  }
  static uint32_t Real(double value) {
    if (std::isnan(value)) return Murmur3Long(0x7ff8000000000000u);
    return Murmur3Long(std::bit_cast<uint64_t>(value + 0.0));  // -0 + 0 is 0
  }
  static uint32_t Real(float value) { return Real(static_cast<double>(value)); }
  static uint32_t Uuid(const uint8_t* data) { return Murmur3(data, 16); }
};

struct KafkaHash {
  static uint32_t Bytes(const uint8_t* data, size_t bytes) { return Murmur2(data, bytes); }
  static uint32_t Bool(bool value) { return Murmur2BigEndian<uint8_t>(value ? 1 : 0); }
  template <typename Integer>
  static uint32_t Number(Integer value) {
    return Murmur2BigEndian(static_cast<std::make_unsigned_t<Integer>>(value));
  }
  static uint32_t Real(double value) {
    if (std::isnan(value)) return Murmur2BigEndian<uint64_t>(0x7ff8000000000000u);
    return Murmur2BigEndian(std::bit_cast<uint64_t>(value + 0.0));
  }
  static uint32_t Real(float value) {
    if (std::isnan(value)) return Murmur2BigEndian<uint32_t>(0x7fc00000u);
    return Murmur2BigEndian(std::bit_cast<uint32_t>(value + 0.0f));
  }
  static uint32_t Uuid(const uint8_t* data) {
    constexpr char kDigits[] = "0123456789abcdef";
    uint8_t text[36];
    uint8_t* to = text;
    for (int i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
      *to++ = static_cast<uint8_t>(kDigits[data[i] >> 4]);
      *to++ = static_cast<uint8_t>(kDigits[data[i] & 15]);
    }
    return Murmur2(text, sizeof(text));
  }
};

template <typename Value, typename Function>
void HashValues(const arrow::ArrayData& column, uint32_t* hashes, Function&& function) {
  const uint8_t* values = column.buffers[1]->data() + column.offset * static_cast<int64_t>(sizeof(Value));
  for (int64_t i = 0; i < column.length; ++i) {
    Value value;
    std::memcpy(&value, values + i * static_cast<int64_t>(sizeof(Value)), sizeof(Value));
    hashes[i] = function(value);
  }
}

template <typename Hash, typename Value>
void HashNumbers(const arrow::ArrayData& column, uint32_t* hashes) {
  if constexpr (std::is_same_v<Hash, IcebergHash> && sizeof(Value) == 8) {
    return Murmur3Longs(column.buffers[1]->data() + column.offset * 8, column.length, hashes);
  }
  HashValues<Value>(column, hashes, [](Value value) { return Hash::Number(value); });
}

int64_t FloorDivide(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Times of any unit, as microseconds. Seconds beyond 292,000 years wrap around.
template <typename Hash, typename Value>
void HashTimes(const arrow::ArrayData& column, arrow::TimeUnit::type unit, uint32_t* hashes) {
  auto times = [](uint64_t factor) {
    return [factor](Value value) {
      return Hash::Number(static_cast<int64_t>(static_cast<uint64_t>(static_cast<int64_t>(value)) * factor));
    };
  };
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return HashValues<Value>(column, hashes, times(1'000'000));
    case arrow::TimeUnit::MILLI:
      return HashValues<Value>(column, hashes, times(1'000));
    case arrow::TimeUnit::MICRO:
      return HashValues<Value>(column, hashes, times(1));
    case arrow::TimeUnit::NANO:
      return HashValues<Value>(column, hashes,
                               [](Value value) { return Hash::Number(FloorDivide(value, 1'000)); });
  }
}

// The fewest bytes of two's complement, big-endian, of a little-endian integer.
template <typename Hash, size_t kBytes>
uint32_t HashDecimal(const uint8_t* little_endian) {
  uint8_t bytes[kBytes];
  for (size_t i = 0; i < kBytes; ++i) bytes[i] = little_endian[kBytes - 1 - i];
  const uint8_t sign = (bytes[0] & 0x80) != 0 ? 0xff : 0x00;
  size_t start = 0;
  while (start + 1 < kBytes && bytes[start] == sign && ((bytes[start + 1] ^ sign) & 0x80) == 0) ++start;
  return Hash::Bytes(bytes + start, kBytes - start);
}

template <typename Hash, size_t kBytes>
void HashDecimals(const arrow::ArrayData& column, uint32_t* hashes) {
  struct Raw {
    uint8_t bytes[kBytes];
  };
  HashValues<Raw>(column, hashes, [](const Raw& value) { return HashDecimal<Hash, kBytes>(value.bytes); });
}

template <typename Hash, typename Offset>
void HashStrings(const arrow::ArrayData& column, uint32_t* hashes) {
  const auto* offsets = column.GetValues<Offset>(1);
  // An array of empty strings may come without a buffer of bytes.
  const uint8_t* data = column.buffers[2] == nullptr ? nullptr : column.buffers[2]->data();
  for (int64_t i = 0; i < column.length; ++i) {
    auto bytes = static_cast<size_t>(offsets[i + 1] - offsets[i]);
    hashes[i] = bytes == 0 ? Hash::Bytes(reinterpret_cast<const uint8_t*>(""), 0)
                           : Hash::Bytes(data + offsets[i], bytes);
  }
}

bool IsValid(const arrow::ArrayData& column, int64_t row) {
  return column.buffers[0] == nullptr ||
         arrow::bit_util::GetBit(column.buffers[0]->data(), column.offset + row);
}

// What a null's view points to is undefined: nulls are left out.
template <typename Hash>
void HashViews(const arrow::ArrayData& column, uint32_t* hashes) {
  const auto* views = column.GetValues<arrow::BinaryViewType::c_type>(1);
  for (int64_t i = 0; i < column.length; ++i) {
    if (!IsValid(column, i)) continue;
    auto value = arrow::util::FromBinaryView(views[i], column.buffers.data() + 2);
    hashes[i] = Hash::Bytes(reinterpret_cast<const uint8_t*>(value.data()), value.size());
  }
}

template <typename Index>
void LookUp(const arrow::ArrayData& column, const std::vector<uint32_t>& values, uint32_t* hashes) {
  const auto* indexes = column.GetValues<Index>(1);
  for (int64_t i = 0; i < column.length; ++i) {
    if (IsValid(column, i)) hashes[i] = values[static_cast<size_t>(indexes[i])];
  }
}

arrow::Status HashDictionary(const arrow::ArrayData& column, PartitionHash hash, uint32_t* hashes) {
  std::vector<uint32_t> values(static_cast<size_t>(column.dictionary->length));
  ARROW_RETURN_NOT_OK(HashColumn(*column.dictionary, hash, values.data()));
  switch (checked_cast<const arrow::DictionaryType&>(*column.type).index_type()->id()) {
    case Type::INT8:
    case Type::UINT8:
      LookUp<uint8_t>(column, values, hashes);  // an index is not negative
      break;
    case Type::INT16:
    case Type::UINT16:
      LookUp<uint16_t>(column, values, hashes);
      break;
    case Type::INT32:
    case Type::UINT32:
      LookUp<uint32_t>(column, values, hashes);
      break;
    default:
      LookUp<uint64_t>(column, values, hashes);
  }
  return arrow::Status::OK();
}

template <typename Hash>
void HashFixedBytes(const arrow::ArrayData& column, int width, bool is_uuid, uint32_t* hashes) {
  const uint8_t* values = column.buffers[1]->data() + column.offset * width;
  for (int64_t i = 0; i < column.length; ++i) {
    const uint8_t* value = values + i * width;
    hashes[i] = is_uuid ? Hash::Uuid(value) : Hash::Bytes(value, static_cast<size_t>(width));
  }
}

template <typename Hash>
void HashBools(const arrow::ArrayData& column, uint32_t* hashes) {
  const uint8_t* bits = column.buffers[1]->data();
  for (int64_t i = 0; i < column.length; ++i)
    hashes[i] = Hash::Bool(arrow::bit_util::GetBit(bits, column.offset + i));
}

// Numbers, times, bytes. `type` is the column's or its storage's.
template <typename Hash>
// NOLINTNEXTLINE(readability-function-size): a case a type
arrow::Status HashPlain(const arrow::ArrayData& column, const arrow::DataType& type, bool is_uuid,
                        uint32_t* hashes) {
  switch (type.id()) {
    case Type::BOOL:
      HashBools<Hash>(column, hashes);
      break;
    case Type::INT8:
      HashNumbers<Hash, int8_t>(column, hashes);
      break;
    case Type::INT16:
      HashNumbers<Hash, int16_t>(column, hashes);
      break;
    case Type::INT32:
    case Type::DATE32:
      HashNumbers<Hash, int32_t>(column, hashes);
      break;
    case Type::INT64:
      HashNumbers<Hash, int64_t>(column, hashes);
      break;
    case Type::UINT8:
      HashNumbers<Hash, uint8_t>(column, hashes);
      break;
    case Type::UINT16:
      HashNumbers<Hash, uint16_t>(column, hashes);
      break;
    case Type::UINT32:
      HashNumbers<Hash, uint32_t>(column, hashes);
      break;
    case Type::UINT64:
      HashNumbers<Hash, uint64_t>(column, hashes);
      break;
    case Type::FLOAT:
      HashValues<float>(column, hashes, [](float value) { return Hash::Real(value); });
      break;
    case Type::DOUBLE:
      HashValues<double>(column, hashes, [](double value) { return Hash::Real(value); });
      break;
    case Type::DATE64:
      HashValues<int64_t>(column, hashes, [](int64_t value) {
        return Hash::Number(static_cast<int32_t>(FloorDivide(value, 86'400'000)));
      });
      break;
    case Type::TIME32:
      HashTimes<Hash, int32_t>(column, checked_cast<const arrow::TimeType&>(type).unit(), hashes);
      break;
    case Type::TIME64:
      HashTimes<Hash, int64_t>(column, checked_cast<const arrow::TimeType&>(type).unit(), hashes);
      break;
    case Type::TIMESTAMP:
      HashTimes<Hash, int64_t>(column, checked_cast<const arrow::TimestampType&>(type).unit(), hashes);
      break;
    case Type::DECIMAL32:
      HashDecimals<Hash, 4>(column, hashes);
      break;
    case Type::DECIMAL64:
      HashDecimals<Hash, 8>(column, hashes);
      break;
    case Type::DECIMAL128:
      HashDecimals<Hash, 16>(column, hashes);
      break;
    case Type::DECIMAL256:
      HashDecimals<Hash, 32>(column, hashes);
      break;
    case Type::STRING:
    case Type::BINARY:
      HashStrings<Hash, int32_t>(column, hashes);
      break;
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      HashStrings<Hash, int64_t>(column, hashes);
      break;
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      HashViews<Hash>(column, hashes);
      break;
    case Type::FIXED_SIZE_BINARY:
      HashFixedBytes<Hash>(column, checked_cast<const arrow::FixedSizeBinaryType&>(type).byte_width(),
                           is_uuid, hashes);
      break;
    default:
      return arrow::Status::NotImplemented("no hash for type ", type.ToString());
  }
  return arrow::Status::OK();
}

const arrow::DataType& StorageOf(const arrow::DataType& type) {
  if (type.id() != Type::EXTENSION) return type;
  return *checked_cast<const arrow::ExtensionType&>(type).storage_type();
}

bool IsUuid(const arrow::DataType& type) {
  return type.id() == Type::EXTENSION &&
         checked_cast<const arrow::ExtensionType&>(type).extension_name() == "arrow.uuid";
}

}  // namespace

bool IsHashable(const arrow::DataType& type) {
  const arrow::DataType& storage = StorageOf(type);
  switch (storage.id()) {
    case Type::DICTIONARY: {
      const auto& value_type = *checked_cast<const arrow::DictionaryType&>(storage).value_type();
      return value_type.id() != Type::DICTIONARY && IsHashable(value_type);
    }
    case Type::HALF_FLOAT:
      return false;
    case Type::BOOL:
    case Type::DATE32:
    case Type::DATE64:
    case Type::TIME32:
    case Type::TIME64:
    case Type::TIMESTAMP:
    case Type::FIXED_SIZE_BINARY:
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      return true;
    default:
      return arrow::is_integer(storage.id()) || arrow::is_floating(storage.id()) ||
             arrow::is_decimal(storage.id()) || arrow::is_base_binary_like(storage.id());
  }
}

arrow::Status HashColumn(const arrow::ArrayData& column, PartitionHash hash, uint32_t* hashes) {
  if (column.length == 0) return arrow::Status::OK();  // its buffers may be missing
  const arrow::DataType& storage = StorageOf(*column.type);
  if (storage.id() == Type::DICTIONARY) {
    auto as_storage = column;
    as_storage.type = column.type->id() == Type::EXTENSION
                          ? checked_cast<const arrow::ExtensionType&>(*column.type).storage_type()
                          : column.type;
    ARROW_RETURN_NOT_OK(HashDictionary(as_storage, hash, hashes));
  } else if (hash == PartitionHash::kMurmur3) {
    ARROW_RETURN_NOT_OK(HashPlain<IcebergHash>(column, storage, IsUuid(*column.type), hashes));
  } else {
    ARROW_RETURN_NOT_OK(HashPlain<KafkaHash>(column, storage, IsUuid(*column.type), hashes));
  }
  if (column.buffers[0] == nullptr || column.GetNullCount() == 0) return arrow::Status::OK();
  const uint8_t* validity = column.buffers[0]->data();
  for (int64_t i = 0; i < column.length; ++i) {
    if (!arrow::bit_util::GetBit(validity, column.offset + i)) hashes[i] = 0;
  }
  return arrow::Status::OK();
}

std::vector<uint32_t> CombineHashes(std::vector<std::vector<uint32_t>> columns, PartitionHash hash) {
  if (columns.size() == 1) return std::move(columns[0]);
  const auto bytes = static_cast<uint32_t>(4 * columns.size());
  const bool murmur3 = hash == PartitionHash::kMurmur3;
  std::vector<uint32_t> states(columns[0].size(), murmur3 ? 0 : Murmur2Start(bytes));
  for (const auto& column : columns) {
    for (size_t i = 0; i < states.size(); ++i) {
      states[i] = murmur3 ? Murmur3Block(states[i], column[i]) : Murmur2Block(states[i], column[i]);
    }
  }
  for (uint32_t& state : states) state = murmur3 ? Murmur3Finish(state, bytes) : Murmur2Finish(state);
  return states;
}

}  // namespace arrowcdc
