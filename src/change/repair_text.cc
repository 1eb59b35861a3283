// The column is looked at with bytes in place of text, so that Arrow can check and copy it.
#include "src/change/repair_text.h"

#include <algorithm>
#include <utility>

#include <arrow/array/builder_base.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/utf8.h>

namespace arrowcdc {
namespace {

using arrow::ArrayData;
using arrow::DataType;
using arrow::Type;
using Flags = std::vector<bool>;  // one a value of an array

std::shared_ptr<DataType> BytesField(const DataType& type, int child);

// `type` with bytes in place of text and storage in place of extensions, at every depth.
std::shared_ptr<DataType> BytesType(const DataType& type) {
  switch (type.id()) {
    case Type::EXTENSION:
      return BytesType(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    case Type::STRING:
      return arrow::binary();
    case Type::LARGE_STRING:
      return arrow::large_binary();
    case Type::LIST:
      return arrow::list(BytesField(type, 0));
    case Type::LARGE_LIST:
      return arrow::large_list(BytesField(type, 0));
    case Type::FIXED_SIZE_LIST:
      return arrow::fixed_size_list(BytesField(type, 0),
                                    static_cast<const arrow::FixedSizeListType&>(type).list_size());
    case Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return arrow::map(BytesType(*map.key_type()), BytesType(*map.item_type()));
    }
    case Type::STRUCT: {
      arrow::FieldVector fields;
      for (const auto& field : type.fields())
        fields.push_back(arrow::field(field->name(), BytesType(*field->type())));
      return arrow::struct_(fields);
    }
    default:
      return type.GetSharedPtr();
  }
}

std::shared_ptr<DataType> BytesField(const DataType& type, int child) {
  return BytesType(*type.field(child)->type());
}

// The same array under another type of the same layout.
std::shared_ptr<ArrayData> WithType(const ArrayData& data, const std::shared_ptr<DataType>& type) {
  const DataType& storage =
      type->id() == Type::EXTENSION ? *static_cast<const arrow::ExtensionType&>(*type).storage_type() : *type;
  auto result = data.Copy();
  result->type = type;
  for (size_t i = 0; i < result->child_data.size(); ++i) {
    result->child_data[i] = WithType(*result->child_data[i], storage.field(static_cast<int>(i))->type());
  }
  return result;
}

// Finds the text that is not UTF-8, and blanks its bytes.
class TextCleaner {
 public:
  explicit TextCleaner(arrow::MemoryPool* pool) : pool_(pool) { arrow::util::InitializeUTF8(); }

  // Which values of `data`, an array of BytesType(type), hold such text.
  arrow::Result<Flags> Clean(const DataType& type, ArrayData* data) {
    switch (type.id()) {
      case Type::EXTENSION:
        return Clean(*static_cast<const arrow::ExtensionType&>(type).storage_type(), data);
      case Type::STRING:
        return CleanText<int32_t>(data);
      case Type::LARGE_STRING:
        return CleanText<int64_t>(data);
      case Type::LIST:
      case Type::MAP:
        return CleanLists<int32_t>(type, data);
      case Type::LARGE_LIST:
        return CleanLists<int64_t>(type, data);
      case Type::FIXED_SIZE_LIST:
        return CleanFixedSizeLists(type, data);
      case Type::STRUCT:
        return CleanStructs(type, data);
      default:
        return Flags(static_cast<size_t>(data->length));
    }
  }

 private:
  // A character that goes over the end of its value is wrong in that value, and its rest in the next.
  template <typename Offset>
  arrow::Result<Flags> CleanText(ArrayData* data) {
    Flags bad(static_cast<size_t>(data->length));
    if (data->length == 0 || data->buffers[2] == nullptr) return bad;
    const auto* offsets = data->GetValues<Offset>(1);
    const uint8_t* bytes = data->buffers[2]->data();
    std::shared_ptr<arrow::Buffer> clean;
    for (int64_t i = 0; i < data->length; ++i) {
      const int64_t size = offsets[i + 1] - offsets[i];
      if (data->IsNull(i) || arrow::util::ValidateUTF8(bytes + offsets[i], size)) continue;
      bad[static_cast<size_t>(i)] = true;
      if (clean == nullptr) {
        ARROW_ASSIGN_OR_RAISE(clean, data->buffers[2]->CopySlice(0, data->buffers[2]->size(), pool_));
      }
      std::fill_n(clean->mutable_data() + offsets[i], size, uint8_t{' '});
    }
    if (clean != nullptr) data->buffers[2] = std::move(clean);
    return bad;
  }

  template <typename Offset>
  arrow::Result<Flags> CleanLists(const DataType& type, ArrayData* data) {
    ARROW_ASSIGN_OR_RAISE(const Flags bad_children, CleanChild(type, data, 0));
    Flags bad(static_cast<size_t>(data->length));
    if (data->length == 0) return bad;
    const auto* offsets = data->GetValues<Offset>(1);
    for (int64_t i = 0; i < data->length; ++i) {
      bad[static_cast<size_t>(i)] = data->IsValid(i) && Any(bad_children, offsets[i], offsets[i + 1]);
    }
    return bad;
  }

  arrow::Result<Flags> CleanFixedSizeLists(const DataType& type, ArrayData* data) {
    const int64_t size = static_cast<const arrow::FixedSizeListType&>(type).list_size();
    ARROW_ASSIGN_OR_RAISE(const Flags bad_children, CleanChild(type, data, 0));
    Flags bad(static_cast<size_t>(data->length));
    for (int64_t i = 0; i < data->length; ++i) {
      const int64_t first = (data->offset + i) * size;
      bad[static_cast<size_t>(i)] = data->IsValid(i) && Any(bad_children, first, first + size);
    }
    return bad;
  }

  arrow::Result<Flags> CleanStructs(const DataType& type, ArrayData* data) {
    Flags bad(static_cast<size_t>(data->length));
    for (int child = 0; child < type.num_fields(); ++child) {
      ARROW_ASSIGN_OR_RAISE(const Flags bad_children, CleanChild(type, data, child));
      for (int64_t i = 0; i < data->length; ++i) {
        if (bad_children[static_cast<size_t>(data->offset + i)] && data->IsValid(i))
          bad[static_cast<size_t>(i)] = true;
      }
    }
    return bad;
  }

  arrow::Result<Flags> CleanChild(const DataType& type, ArrayData* data, int child) {
    auto copy = data->child_data[static_cast<size_t>(child)]->Copy();
    auto bad = Clean(*type.field(child)->type(), copy.get());
    data->child_data[static_cast<size_t>(child)] = std::move(copy);
    return bad;
  }

  static bool Any(const Flags& flags, int64_t begin, int64_t end) {
    return std::find(flags.begin() + begin, flags.begin() + end, true) != flags.begin() + end;
  }

  arrow::MemoryPool* pool_;
};

// `data` with null in the bad rows, and nothing of theirs in its children.
arrow::Result<std::shared_ptr<ArrayData>> WithoutRows(const ArrayData& data, const Flags& bad,
                                                      arrow::MemoryPool* pool) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(arrow::MakeBuilder(pool, data.type, &builder));
  const arrow::ArraySpan span(data);
  int64_t row = 0;
  while (row < data.length) {
    const auto from = bad.begin() + row;
    const int64_t run = std::find(from, bad.end(), !*from) - from;
    ARROW_RETURN_NOT_OK(*from ? builder->AppendNulls(run) : builder->AppendArraySlice(span, row, run));
    row += run;
  }
  std::shared_ptr<ArrayData> result;
  ARROW_RETURN_NOT_OK(builder->FinishInternal(&result));
  return result;
}

}  // namespace

arrow::Result<RepairedText> RepairText(const arrow::Array& column, arrow::MemoryPool* pool) {
  const std::shared_ptr<DataType>& type = column.type();
  auto data = WithType(*column.data(), BytesType(*type));
  ARROW_RETURN_NOT_OK(arrow::MakeArray(data)->ValidateFull());
  ARROW_ASSIGN_OR_RAISE(const Flags bad, TextCleaner(pool).Clean(*type, data.get()));
  ARROW_ASSIGN_OR_RAISE(data, WithoutRows(*data, bad, pool));

  RepairedText repaired;
  repaired.column = arrow::MakeArray(WithType(*data, type));
  for (size_t i = 0; i < bad.size(); ++i) {
    if (bad[i]) repaired.rows.push_back(static_cast<int64_t>(i));
  }
  ARROW_RETURN_NOT_OK(repaired.column->ValidateFull());
  return repaired;
}

}  // namespace arrowcdc
