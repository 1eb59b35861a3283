// See parquet_types.h.
#include "src/sink/parquet_types.h"

#include <algorithm>
#include <string>
#include <vector>

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/util/key_value_metadata.h>

#include "src/sink/decimal_text.h"

namespace arrowcdc {
namespace {

using arrow::Array;
using arrow::DataType;
using arrow::Type;

constexpr int32_t kDecimalDigitsMax = 38;

std::shared_ptr<arrow::Field> StoredField(const std::shared_ptr<arrow::Field>& field) {
  auto stored = StoredType(field->type());
  if (stored == field->type()) return field;
  auto note = arrow::key_value_metadata({"arrowcdc:arrow_type"}, {field->type()->ToString()});
  return field->WithType(std::move(stored))->WithMergedMetadata(note);
}

// Parquet wants 0 <= scale <= precision. Beyond 38 digits most readers (DuckDB, Spark, Trino) have no decimal
// and make it a double in silence, so there the digits are stored.
std::shared_ptr<DataType> StoredDecimal(const std::shared_ptr<DataType>& type) {
  const auto& decimal = static_cast<const arrow::DecimalType&>(*type);
  const int32_t scale = decimal.scale();
  const int32_t precision = scale < 0 ? decimal.precision() - scale : std::max(decimal.precision(), scale);
  if (precision > kDecimalDigitsMax) return arrow::utf8();
  if (scale >= 0 && scale <= decimal.precision()) return type;
  return arrow::decimal128(precision, std::max(scale, 0));
}

std::shared_ptr<DataType> StoredList(const std::shared_ptr<DataType>& type) {
  const auto& field = type->field(0);
  auto stored = StoredField(field);
  if (stored == field) return type;
  switch (type->id()) {
    case Type::LIST:
      return arrow::list(stored);
    case Type::LARGE_LIST:
      return arrow::large_list(stored);
    default:
      return arrow::fixed_size_list(stored, static_cast<const arrow::FixedSizeListType&>(*type).list_size());
  }
}

std::shared_ptr<DataType> StoredMap(const std::shared_ptr<DataType>& type) {
  const auto& map = static_cast<const arrow::MapType&>(*type);
  auto key = StoredField(map.key_field());
  auto item = StoredField(map.item_field());
  if (key == map.key_field() && item == map.item_field()) return type;
  return std::make_shared<arrow::MapType>(std::move(key), std::move(item), map.keys_sorted());
}

std::shared_ptr<DataType> StoredStruct(const std::shared_ptr<DataType>& type) {
  // A group without members does not exist in Parquet; true stands where the struct is not null.
  if (type->num_fields() == 0) return arrow::boolean();
  bool changed = false;
  arrow::FieldVector fields;
  for (const auto& field : type->fields()) {
    fields.push_back(StoredField(field));
    changed |= fields.back() != field;
  }
  return changed ? arrow::struct_(std::move(fields)) : type;
}

std::shared_ptr<DataType> IntervalStruct() {
  static const auto type =
      arrow::struct_({arrow::field("months", arrow::int32()), arrow::field("days", arrow::int32()),
                      arrow::field("nanoseconds", arrow::int64())});
  return type;
}

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<Array>> ConvertDecimals(const Array& array, Builder* builder, Value&& value) {
  ARROW_RETURN_NOT_OK(builder->Reserve(array.length()));
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) {
      ARROW_RETURN_NOT_OK(builder->AppendNull());
    } else {
      ARROW_RETURN_NOT_OK(builder->Append(value(DecimalAt(array, i))));
    }
  }
  return builder->Finish();
}

arrow::Result<std::shared_ptr<Array>> DecimalToStored(const Array& array,
                                                      const std::shared_ptr<DataType>& stored) {
  const int32_t scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
  if (stored->id() == Type::STRING) {
    arrow::StringBuilder builder;
    return ConvertDecimals(array, &builder, [&](const auto& value) { return DecimalText(value, scale); });
  }
  // With a scale above the precision the unscaled value stays; below zero the zeros are written out.
  const arrow::Decimal256 factor = arrow::Decimal256::GetScaleMultiplier(std::max(-scale, 0));
  arrow::Decimal128Builder builder(stored);
  return ConvertDecimals(array, &builder, [&](const auto& value) {
    const arrow::Decimal256 wide(value * factor);
    return arrow::Decimal128(static_cast<int64_t>(wide.little_endian_array()[1]),
                             wide.little_endian_array()[0]);
  });
}

arrow::Result<std::shared_ptr<Array>> IntervalToStored(const arrow::MonthDayNanoIntervalArray& array) {
  arrow::Int32Builder months;
  arrow::Int32Builder days;
  arrow::Int64Builder nanoseconds;
  for (int64_t i = 0; i < array.length(); ++i) {
    const auto value =
        array.IsNull(i) ? arrow::MonthDayNanoIntervalType::MonthDayNanos{0, 0, 0} : array.GetValue(i);
    ARROW_RETURN_NOT_OK(months.Append(value.months));
    ARROW_RETURN_NOT_OK(days.Append(value.days));
    ARROW_RETURN_NOT_OK(nanoseconds.Append(value.nanoseconds));
  }
  arrow::ArrayVector children(3);
  ARROW_RETURN_NOT_OK(months.Finish(&children[0]));
  ARROW_RETURN_NOT_OK(days.Finish(&children[1]));
  ARROW_RETURN_NOT_OK(nanoseconds.Finish(&children[2]));
  arrow::BooleanBuilder present;
  for (int64_t i = 0; i < array.length(); ++i) ARROW_RETURN_NOT_OK(present.Append(array.IsValid(i)));
  ARROW_ASSIGN_OR_RAISE(auto bits, present.Finish());
  return std::make_shared<arrow::StructArray>(IntervalStruct(), array.length(), std::move(children),
                                              bits->data()->buffers[1]);
}

arrow::Result<std::shared_ptr<Array>> EmptyStructToStored(const Array& array) {
  arrow::BooleanBuilder builder;
  for (int64_t i = 0; i < array.length(); ++i) {
    ARROW_RETURN_NOT_OK(array.IsNull(i) ? builder.AppendNull() : builder.Append(true));
  }
  return builder.Finish();
}

// Lists, maps and structs: the same shape around converted children.
arrow::Result<std::shared_ptr<Array>> NestedToStored(const Array& array,
                                                     const std::shared_ptr<DataType>& stored) {
  auto data = array.data()->Copy();
  data->type = stored;
  for (size_t i = 0; i < data->child_data.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto child, ToStored(arrow::MakeArray(data->child_data[i]),
                                               stored->field(static_cast<int>(i))->type()));
    data->child_data[i] = child->data();
  }
  return arrow::MakeArray(data);
}

}  // namespace

std::shared_ptr<DataType> StoredType(const std::shared_ptr<DataType>& type) {
  switch (type->id()) {
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return StoredDecimal(type);
    case Type::INTERVAL_MONTH_DAY_NANO:
      return IntervalStruct();
    case Type::LIST:
    case Type::LARGE_LIST:
    case Type::FIXED_SIZE_LIST:
      return StoredList(type);
    case Type::MAP:
      return StoredMap(type);
    case Type::STRUCT:
      return StoredStruct(type);
    default:
      return type;
  }
}

std::shared_ptr<arrow::Schema> StoredSchema(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) fields.push_back(StoredField(field));
  return arrow::schema(std::move(fields), schema.metadata());
}

arrow::Result<std::shared_ptr<Array>> ToStored(const std::shared_ptr<Array>& array,
                                               const std::shared_ptr<DataType>& stored) {
  if (array->type() == stored || array->type()->Equals(*stored)) return array;
  switch (array->type_id()) {
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return DecimalToStored(*array, stored);
    case Type::INTERVAL_MONTH_DAY_NANO:
      return IntervalToStored(static_cast<const arrow::MonthDayNanoIntervalArray&>(*array));
    case Type::STRUCT:
      if (array->type()->num_fields() == 0) return EmptyStructToStored(*array);
      return NestedToStored(*array, stored);
    default:
      return NestedToStored(*array, stored);
  }
}

}  // namespace arrowcdc
