// One row a type: its Arrow type, its reader, the server's name for it.
#include "src/mysql/decode/type_table.h"

#include <string>
#include <utility>

#include <arrow/extension/json.h>
#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/change/utf8_text.h"

namespace arrowcdc::mysql {
namespace {

constexpr char kExtensionName[] = "ARROW:extension:name";
constexpr char kExtensionMetadata[] = "ARROW:extension:metadata";

class ColumnMapper {
 public:
  ColumnMapper(const MapColumn& column, const TableName& table, TypeChoices choices)
      : column_(column), table_(table), choices_(choices), flavor_(choices.flavor) {}

  arrow::Result<MappedColumn> Map() {
    ARROW_RETURN_NOT_OK(Choose());
    metadata_->Append(kTypeKey, type_name_);
    if (column_.is_invisible) metadata_->Append(kInvisibleKey, "true");
    if (column_.key_place > 0) metadata_->Append(kIdentityKey, std::to_string(column_.key_place));
    mapped_.field = arrow::field(column_.name, type_, /*nullable=*/true, metadata_);
    mapped_.is_json = column_.type == FieldType::kJson;
    return std::move(mapped_);
  }

 private:
  arrow::Status Choose() {
    const auto micro = arrow::TimeUnit::MICRO;
    switch (column_.type) {
      case FieldType::kTiny:
        return Integer(1, "tinyint", arrow::int8(), arrow::uint8());
      case FieldType::kShort:
        return Integer(2, "smallint", arrow::int16(), arrow::uint16());
      case FieldType::kInt24:
        return Integer(3, "mediumint", arrow::int32(), arrow::uint32());
      case FieldType::kLong:
        return Integer(4, "int", arrow::int32(), arrow::uint32());
      case FieldType::kLongLong:
        return Integer(8, "bigint", arrow::int64(), arrow::uint64());
      case FieldType::kFloat:
        return Is("float" + Unsigned(), arrow::float32(), ReadFloat);
      case FieldType::kDouble:
        return Is("double" + Unsigned(), arrow::float64(), ReadDouble);
      case FieldType::kNewDecimal:
        return Decimal();
      case FieldType::kYear:
        return Is("year", arrow::uint16(), ReadYear);
      case FieldType::kBit:
        return Sized((column_.length + 7) / 8, "bit(" + std::to_string(column_.length) + ")", arrow::uint64(),
                     ReadBit);
      case FieldType::kDate:
      case FieldType::kNewDate:
        return Is("date", Dated(arrow::date32()), ReadDate);
      case FieldType::kTime:
        return Old("time", arrow::duration(micro), ReadTime);
      case FieldType::kDatetime:
        return Old("datetime", Dated(arrow::timestamp(micro)), ReadDatetime);
      case FieldType::kTimestamp:
        return Old("timestamp", Dated(arrow::timestamp(micro, "UTC")), ReadTimestamp);
      case FieldType::kTime2:
        return Temporal("time", arrow::duration(micro), ReadTime2);
      case FieldType::kDatetime2:
        return Temporal("datetime", Dated(arrow::timestamp(micro)), ReadDatetime2);
      case FieldType::kTimestamp2:
        return Temporal("timestamp", Dated(arrow::timestamp(micro, "UTC")), ReadTimestamp2);
      default:
        return ChooseBytes();
    }
  }

  arrow::Status ChooseBytes() {
    switch (column_.type) {
      case FieldType::kString:
      case FieldType::kVarString:
        return FixedText();
      case FieldType::kVarchar:
        return Text(column_.length > 255 ? 2 : 1, "varchar", "varbinary");
      case FieldType::kBlob: {
        static constexpr const char* kSizes[] = {"tiny", "", "medium", "long"};
        const std::string size = kSizes[column_.length - 1];
        return Text(column_.length, size + "text", size + "blob");
      }
      case FieldType::kEnum:
        return Labels("enum", ReadEnum);
      case FieldType::kSet:
        return Labels("set", ReadSet);
      case FieldType::kJson:
        return Sized(column_.length, "json", arrow::extension::json(arrow::utf8()), ReadJson);
      case FieldType::kGeometry:
        metadata_->Append(kExtensionName, "geoarrow.wkb");
        metadata_->Append(kExtensionMetadata, "{}");
        return Sized(column_.length, "geometry", arrow::binary(), ReadGeometry);
      case FieldType::kVector:  // the dimension is only a bound: a value may have fewer elements
        return Sized(column_.length, "vector(" + std::to_string(column_.dimension) + ")",
                     arrow::list(arrow::field("item", arrow::float32())), ReadVector);
      case FieldType::kBlobCompressed:
      case FieldType::kVarcharCompressed:
        return Refuse("is COMPRESSED, which is not read", "ALTER TABLE ... MODIFY it without COMPRESSED");
      default:
        return Refuse("is of a type that is not read", kLeaveOut);
    }
  }

  // Of a type that has zero dates and dates that no calendar has.
  std::shared_ptr<arrow::DataType> Dated(std::shared_ptr<arrow::DataType> type) {
    mapped_.step.as_text = choices_.as_text;
    return choices_.as_text ? arrow::utf8() : std::move(type);
  }

  arrow::Status Is(std::string name, std::shared_ptr<arrow::DataType> type, ReadValue read) {
    type_name_ = std::move(name);
    type_ = std::move(type);
    mapped_.step.read = read;
    return arrow::Status::OK();
  }

  arrow::Status Sized(int size, std::string name, std::shared_ptr<arrow::DataType> type, ReadValue read) {
    mapped_.step.size = static_cast<uint8_t>(size);
    return Is(std::move(name), std::move(type), read);
  }

  arrow::Status Integer(int bytes, const char* name, const std::shared_ptr<arrow::DataType>& with_sign,
                        const std::shared_ptr<arrow::DataType>& without) {
    return Is(name + Unsigned(), column_.is_unsigned ? without : with_sign,
              IntegerReader(bytes, column_.is_unsigned));
  }

  arrow::Status Decimal() {
    constexpr int kDecimal128Max = 38;
    SetDecimalLayout(column_.length, column_.decimals, &mapped_.step);
    const std::string name = "decimal(" + std::to_string(column_.length) + "," +
                             std::to_string(column_.decimals) + ")" + Unsigned();
    if (column_.length <= kDecimal128Max)
      return Is(name, arrow::decimal128(column_.length, column_.decimals), ReadDecimal128);
    return Is(name, arrow::decimal256(column_.length, column_.decimals), ReadDecimal256);
  }

  arrow::Status Temporal(const std::string& name, std::shared_ptr<arrow::DataType> type, ReadValue read) {
    mapped_.step.decimals = column_.decimals;
    const std::string decimals = column_.decimals > 0 ? "(" + std::to_string(column_.decimals) + ")" : "";
    return Is(name + decimals, std::move(type), read);
  }

  // From before MySQL 5.6. MariaDB has such columns with fractions of a second too, whose values are longer,
  // and its table maps do not tell them apart: everything behind one would be read wrong.
  arrow::Status Old(const char* name, std::shared_ptr<arrow::DataType> type, ReadValue read) {
    if (flavor_ == Flavor::kMysql) return Is(name, std::move(type), read);
    return Refuse(
        std::string("is a ") + name + " in the format of MariaDB 5.3, which is not read",
        "SET GLOBAL mysql56_temporal_format=ON, then ALTER TABLE ... MODIFY the column to what it is");
  }

  // CHAR comes without the spaces at its end, as SELECT gives it.
  arrow::Status FixedText() {
    const int size = column_.length > 255 ? 2 : 1;
    if (column_.collation != kBinaryCollation) return Text(size, "char", "");
    mapped_.step.width = column_.length;
    return Sized(size, "binary(" + std::to_string(column_.length) + ")", arrow::binary(), ReadPaddedBytes);
  }

  arrow::Status Text(int size, const std::string& text, const std::string& binary) {
    if (column_.collation == kBinaryCollation) return Sized(size, binary, arrow::binary(), ReadBytes);
    ARROW_RETURN_NOT_OK(FindCharsetOfColumn());
    const bool is_utf8 = mapped_.step.charset->is_utf8();
    return Sized(size, text, arrow::utf8(), is_utf8 ? ReadUtf8 : ReadConverted);
  }

  arrow::Status Labels(const char* name, ReadValue read) {
    if (column_.collation == kBinaryCollation) {
      mapped_.step.labels = column_.labels;
    } else {
      ARROW_RETURN_NOT_OK(FindCharsetOfColumn());
      for (const std::string& label : column_.labels) {
        std::string& utf8 = mapped_.step.labels.emplace_back();
        const auto* const bytes = reinterpret_cast<const uint8_t*>(label.data());
        if (!mapped_.step.charset->ToUtf8({bytes, label.size()}, &utf8))
          return Refuse("has a label that is not of its character set", kLeaveOut);
      }
    }
    for (const std::string& label : mapped_.step.labels) {
      if (!IsUtf8(label)) return Refuse("has a label that is not of its character set", kLeaveOut);
    }
    return Sized(column_.length, name, arrow::utf8(), read);
  }

  arrow::Status FindCharsetOfColumn() {
    mapped_.step.charset = FindCharset(column_.collation, flavor_);
    if (mapped_.step.charset != nullptr) {
      metadata_->Append(kCharsetKey, mapped_.step.charset->name());
      return arrow::Status::OK();
    }
    const std::string name = CharsetName(column_.collation, flavor_);
    return Refuse(
        "is in the character set " + (name.empty() ? "of collation " : name + ", collation ") +
            std::to_string(column_.collation) + ", which is not read",
        "ALTER TABLE ... MODIFY it with CHARACTER SET utf8mb4, or leave the table out of the tables "
        "to capture");
  }

  arrow::Status Refuse(const std::string& what, const std::string& remedy) const {
    return MakeError(ErrorKind::kUnsupported, "the column " + what,
                     "column " + column_.name + " of table " + ToString(table_), remedy);
  }

  std::string Unsigned() const { return column_.is_unsigned ? " unsigned" : ""; }

  static constexpr char kLeaveOut[] = "leave the table out of the tables to capture";

  const MapColumn& column_;
  const TableName& table_;
  const TypeChoices choices_;
  const Flavor flavor_;
  std::string type_name_;
  std::shared_ptr<arrow::DataType> type_;
  std::shared_ptr<arrow::KeyValueMetadata> metadata_ = std::make_shared<arrow::KeyValueMetadata>();
  MappedColumn mapped_;
};

}  // namespace

arrow::Result<MappedColumn> MapToArrow(const MapColumn& column, const TableName& table, TypeChoices choices) {
  return ColumnMapper(column, table, choices).Map();
}

}  // namespace arrowcdc::mysql
