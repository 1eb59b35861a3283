// One value read alone.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/compare.h>
#include <arrow/extension_type.h>

#include "src/postgres/decode/values/type_table.h"

namespace arrowcdc::test {

// The array with storage in place of extension types, at every depth.
inline std::shared_ptr<arrow::ArrayData> WithoutExtensions(const std::shared_ptr<arrow::ArrayData>& data) {
  auto out = data->Copy();
  if (data->type->id() == arrow::Type::EXTENSION) {
    out->type = static_cast<const arrow::ExtensionType&>(*data->type).storage_type();
  }
  arrow::FieldVector fields;
  for (size_t i = 0; i < out->child_data.size(); ++i) {
    out->child_data[i] = WithoutExtensions(out->child_data[i]);
    fields.push_back(arrow::field(out->type->field(static_cast<int>(i))->name(), out->child_data[i]->type));
  }
  switch (out->type->id()) {
    case arrow::Type::LIST:
      out->type = arrow::list(fields[0]);
      break;
    case arrow::Type::STRUCT:
      out->type = arrow::struct_(fields);
      break;
    default:
      break;
  }
  return out;
}

struct ReadValue {
  ReadOutcome outcome;
  std::shared_ptr<arrow::Array> array;  // of the value, or of nothing; without extensions
  std::string fault;
  int64_t fault_at = -1;
};

// Reads one value from memory of exactly its size, behind another and in front of one: what is there before
// must stay, and the next must find its place.
inline ReadValue ReadOne(const MappedType& type, ValueForm form, std::string_view bytes) {
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  const std::string_view value(exact.get(), bytes.size());
  BuilderMemory memory;
  memory.pool = arrow::system_memory_pool();
  const auto column = ColumnBuilder::Make(type.type, &memory).ValueOrDie();
  ReadContext context;
  const auto read = [&] {
    return form == ValueForm::kBinary ? type.reader->ReadBinary(value, column.get(), &context)
                                      : type.reader->ReadText(value, column.get(), &context);
  };
  ReadValue result;
  column->AppendNull();
  result.outcome = read();
  const bool again = result.outcome == ReadOutcome::kValue;
  if (column->length() != (again ? 2 : 1) || (again && read() != ReadOutcome::kValue)) abort();
  column->AppendNull();
  auto array = arrow::MakeArray(WithoutExtensions(column->Finish().ValueOrDie()));
  if (!array->ValidateFull().ok() || array->length() != (again ? 4 : 2) || !array->IsNull(0) ||
      !array->IsNull(array->length() - 1) ||
      (again && !array->RangeEquals(1, 2, 2, array, arrow::EqualOptions::Defaults().nans_equal(true)))) {
    abort();
  }
  result.array = array->Slice(1, again ? 1 : 0);
  if (result.outcome == ReadOutcome::kFault) {
    result.fault = context.fault_what();
    result.fault_at = context.fault_at() - value.data();
    if (result.fault_at < 0 || result.fault_at > static_cast<int64_t>(value.size())) abort();
  }
  return result;
}

}  // namespace arrowcdc::test
