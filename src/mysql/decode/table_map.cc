// The metadata behind the columns is a list of (type, length, value); types that are not known are optional.
#include "src/mysql/decode/table_map.h"

#include <utility>

#include "arrowcdc/error.h"
#include "src/change/utf8_text.h"
#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {
namespace {

constexpr uint64_t kColumnsMax = 4096;  // of a table, both servers

// Kinds of optional metadata, and which columns they are about.
enum Kind : uint8_t {
  kSignedness = 1,
  kDefaultCharset = 2,
  kColumnCharset = 3,
  kColumnName = 4,
  kSetLabels = 5,
  kEnumLabels = 6,
  kGeometryType = 7,
  kSimplePrimaryKey = 8,
  kPrimaryKeyWithPrefix = 9,
  kEnumAndSetDefaultCharset = 10,
  kEnumAndSetColumnCharset = 11,
  kColumnVisibility = 12,
  kVectorDimensionality = 13,
};

bool IsNumeric(const MapColumn& column) {
  switch (column.type) {
    case FieldType::kTiny:
    case FieldType::kShort:
    case FieldType::kLong:
    case FieldType::kLongLong:
    case FieldType::kInt24:
    case FieldType::kFloat:
    case FieldType::kDouble:
    case FieldType::kNewDecimal:
    case FieldType::kYear:
      return true;
    default:
      return false;
  }
}

bool IsLabelled(const MapColumn& column) {
  return column.type == FieldType::kEnum || column.type == FieldType::kSet;
}

bool IsCharacter(const MapColumn& column, Flavor flavor) {
  switch (column.type) {
    case FieldType::kString:
    case FieldType::kVarString:
    case FieldType::kVarchar:
    case FieldType::kBlob:
    case FieldType::kBlobCompressed:
    case FieldType::kVarcharCompressed:
    case FieldType::kVector:
      return true;
    case FieldType::kGeometry:
      return flavor == Flavor::kMariadb;
    default:
      return false;
  }
}

// CHAR's two bytes hold its real type and its length; a length over 255 lends two bits from the type.
bool ReadStringMeta(ByteCursor* cursor, MapColumn* column) {
  uint8_t high;
  uint8_t low;
  if (!cursor->Read<1>(&high) || !cursor->Read<1>(&low)) return false;
  if ((high & 0x30) != 0x30) {
    column->type = static_cast<FieldType>(high | 0x30);
    column->length = static_cast<uint16_t>(low | ((high & 0x30) ^ 0x30) << 4);
  } else {
    column->type = static_cast<FieldType>(high);
    column->length = low;
  }
  if (IsLabelled(*column)) return column->length >= 1 && column->length <= 8;
  return column->type == FieldType::kString;
}

bool ReadNumbers(ByteCursor* cursor, MapColumn* column) {
  switch (column->type) {
    case FieldType::kTiny:
    case FieldType::kShort:
    case FieldType::kLong:
    case FieldType::kLongLong:
    case FieldType::kInt24:
    case FieldType::kTimestamp:
    case FieldType::kDate:
    case FieldType::kNewDate:
    case FieldType::kTime:
    case FieldType::kDatetime:
    case FieldType::kYear:
      return true;
    case FieldType::kFloat:
    case FieldType::kDouble:
      return cursor->Read<1>(&column->length) &&
             column->length == (column->type == FieldType::kFloat ? 4 : 8);
    case FieldType::kTimestamp2:
    case FieldType::kDatetime2:
    case FieldType::kTime2:
      return cursor->Read<1>(&column->decimals) && column->decimals <= 6;
    case FieldType::kVarchar:
    case FieldType::kVarcharCompressed:
      return cursor->Read<2>(&column->length);
    case FieldType::kBit: {
      uint8_t bits;
      uint8_t bytes;
      if (!cursor->Read<1>(&bits) || !cursor->Read<1>(&bytes)) return false;
      column->length = static_cast<uint16_t>(8 * bytes + bits);
      return bits < 8 && column->length >= 1 && column->length <= 64;
    }
    case FieldType::kNewDecimal:
      return cursor->Read<1>(&column->length) && cursor->Read<1>(&column->decimals) && column->length >= 1 &&
             column->length <= 65 && column->decimals <= column->length;
    case FieldType::kBlob:
    case FieldType::kBlobCompressed:
    case FieldType::kJson:
    case FieldType::kGeometry:
    case FieldType::kVector:
      return cursor->Read<1>(&column->length) && column->length >= 1 && column->length <= 4;
    case FieldType::kString:
    case FieldType::kVarString:
    case FieldType::kEnum:
    case FieldType::kSet:
      return ReadStringMeta(cursor, column);
  }
  return false;
}

class TableMapReader {
 public:
  TableMapReader(Flavor flavor, TableMap* map) : flavor_(flavor), map_(*map) {}

  arrow::Status ReadColumns(ByteCursor* cursor) {
    uint64_t count;
    std::span<const uint8_t> types;
    std::span<const uint8_t> numbers;
    if (!cursor->ReadPacked(&count) || count == 0 || count > kColumnsMax ||
        !cursor->ReadBytes(count, &types) || !cursor->ReadPackedBytes(&numbers)) {
      return Fault("has no sound list of columns");
    }
    map_.columns.resize(count);
    ByteCursor number(numbers);
    for (size_t i = 0; i < count; ++i) {
      map_.columns[i].type = static_cast<FieldType>(types[i]);
      if (!ReadNumbers(&number, &map_.columns[i])) {
        return MakeError(ErrorKind::kUnsupported,
                         "column " + std::to_string(i + 1) + " is of a type that is not read (number " +
                             std::to_string(types[i]) + " of the protocol)",
                         "table " + ToString(map_.name), "leave the table out of the tables to capture");
      }
    }
    if (number.left() != 0) return Fault("says more of the columns' types than they need");
    return cursor->Skip((count + 7) / 8) ? arrow::Status::OK() : Fault("is cut off");  // which may be null
  }

  arrow::Status ReadOptional(ByteCursor* cursor) {
    while (cursor->left() > 0) {
      uint8_t kind;
      std::span<const uint8_t> value;
      if (!cursor->Read<1>(&kind) || !cursor->ReadPackedBytes(&value)) return Fault("is cut off");
      ByteCursor field(value);
      if (!ReadKind(static_cast<Kind>(kind), &field)) {
        return Fault("has unsound metadata of kind " + std::to_string(kind));
      }
    }
    if (names_ == map_.columns.size()) return CheckLabels();
    return MakeError(ErrorKind::kServerSetting,
                     "the binlog has rows of a table without the names of its columns",
                     "table " + ToString(map_.name),
                     "SET PERSIST binlog_row_metadata=FULL (MariaDB: SET GLOBAL, and in its configuration), "
                     "also in every session that sets its own; what was written without it cannot be read: "
                     "capture into a new sink");
  }

  arrow::Status Fault(const std::string& what) const {
    return MakeError(ErrorKind::kProtocol, "the table map " + what, "table " + ToString(map_.name), "");
  }

 private:
  arrow::Status CheckLabels() const {
    for (const auto& column : map_.columns) {
      if (IsLabelled(column) && column.labels.empty())
        return Fault("has no labels for column " + column.name);
    }
    return arrow::Status::OK();
  }

  bool ReadKind(Kind kind, ByteCursor* field) {
    const auto is_character = [this](const MapColumn& column) { return IsCharacter(column, flavor_); };
    switch (kind) {
      case kSignedness:
        return ReadBits(field, IsNumeric, [](MapColumn* column, bool bit) { column->is_unsigned = bit; });
      case kDefaultCharset:
        return ReadDefaultCollation(field, is_character);
      case kColumnCharset:
        return ReadCollations(field, is_character);
      case kEnumAndSetDefaultCharset:
        return ReadDefaultCollation(field, IsLabelled);
      case kEnumAndSetColumnCharset:
        return ReadCollations(field, IsLabelled);
      case kColumnName:
        return ReadNames(field);
      case kSetLabels:
        return ReadLabels(field, FieldType::kSet);
      case kEnumLabels:
        return ReadLabels(field, FieldType::kEnum);
      case kSimplePrimaryKey:
      case kPrimaryKeyWithPrefix:
        return ReadKey(field, kind == kPrimaryKeyWithPrefix);
      case kColumnVisibility:
        return ReadBits(
            field, [](const MapColumn&) { return true; },
            [](MapColumn* column, bool bit) { column->is_invisible = !bit; });
      case kVectorDimensionality:
        return ReadDimensions(field);
      case kGeometryType:
        break;
    }
    return true;
  }

  // A bit a column that is meant, the highest of a byte first.
  template <typename Meant, typename Set>
  bool ReadBits(ByteCursor* field, Meant meant, Set set) {
    size_t bit = 0;
    const auto bytes = field->rest();
    for (MapColumn& column : map_.columns) {
      if (!meant(column)) continue;
      if (bit / 8 >= bytes.size()) return false;
      set(&column, (bytes[bit / 8] & 0x80 >> bit % 8) != 0);
      ++bit;
    }
    return bytes.size() == (bit + 7) / 8;
  }

  // One for all, and exceptions: place among the columns that are meant, and theirs.
  template <typename Meant>
  bool ReadDefaultCollation(ByteCursor* field, Meant meant) {
    uint64_t collation;
    if (!field->ReadPacked(&collation)) return false;
    std::vector<MapColumn*> columns;
    for (MapColumn& column : map_.columns) {
      if (!meant(column)) continue;
      column.collation = static_cast<uint32_t>(collation);
      columns.push_back(&column);
    }
    while (field->left() > 0) {
      uint64_t place;
      if (!field->ReadPacked(&place) || !field->ReadPacked(&collation) || place >= columns.size())
        return false;
      columns[place]->collation = static_cast<uint32_t>(collation);
    }
    return true;
  }

  template <typename Meant>
  bool ReadCollations(ByteCursor* field, Meant meant) {
    for (MapColumn& column : map_.columns) {
      uint64_t collation;
      if (!meant(column)) continue;
      if (!field->ReadPacked(&collation)) return false;
      column.collation = static_cast<uint32_t>(collation);
    }
    return field->left() == 0;
  }

  bool ReadNames(ByteCursor* field) {
    for (MapColumn& column : map_.columns) {
      std::span<const uint8_t> name;
      if (!field->ReadPackedBytes(&name)) return false;
      column.name = NameToUtf8(AsText(name));
    }
    names_ = map_.columns.size();
    return field->left() == 0;
  }

  bool ReadLabels(ByteCursor* field, FieldType type) {
    for (MapColumn& column : map_.columns) {
      uint64_t count;
      if (column.type != type) continue;
      if (!field->ReadPacked(&count) || count > field->left()) return false;
      column.labels.clear();
      for (; count > 0; --count) {
        std::span<const uint8_t> label;
        if (!field->ReadPackedBytes(&label)) return false;
        column.labels.emplace_back(AsText(label));
      }
    }
    return field->left() == 0;
  }

  bool ReadKey(ByteCursor* field, bool with_prefix) {
    for (uint32_t place = 1; field->left() > 0; ++place) {
      uint64_t column;
      uint64_t prefix;
      if (!field->ReadPacked(&column) || (with_prefix && !field->ReadPacked(&prefix))) return false;
      if (column >= map_.columns.size() || map_.columns[column].key_place != 0) return false;
      map_.columns[column].key_place = place;
    }
    return true;
  }

  bool ReadDimensions(ByteCursor* field) {
    for (MapColumn& column : map_.columns) {
      uint64_t dimension;
      if (column.type != FieldType::kVector) continue;
      if (!field->ReadPacked(&dimension) || dimension > INT32_MAX / sizeof(float)) return false;
      column.dimension = static_cast<uint32_t>(dimension);
    }
    return field->left() == 0;
  }

  const Flavor flavor_;
  TableMap& map_;
  size_t names_ = 0;
};

}  // namespace

arrow::Result<TableMapHead> ReadTableMapHead(std::span<const uint8_t> body) {
  TableMapHead head;
  ByteCursor cursor(body);
  std::string* const names[] = {&head.name.schema, &head.name.table};
  bool sound = cursor.Read<6>(&head.table_id) && cursor.Skip(2);  // flags
  for (std::string* const name : names) {
    std::span<const uint8_t> text;
    sound = sound && cursor.ReadPackedBytes(&text) && cursor.Skip(1);  // a NUL
    if (sound) *name = NameToUtf8(AsText(text));
  }
  if (!sound || head.name.table.empty()) {
    return MakeError(ErrorKind::kProtocol, "a table map does not begin as one", "", "");
  }
  head.columns_at = cursor.offset();
  return head;
}

arrow::Result<TableMap> ReadTableMap(std::span<const uint8_t> body, Flavor flavor) {
  ARROW_ASSIGN_OR_RAISE(TableMapHead head, ReadTableMapHead(body));
  TableMap map;
  map.name = std::move(head.name);
  TableMapReader reader(flavor, &map);
  ByteCursor cursor(body.subspan(head.columns_at));
  ARROW_RETURN_NOT_OK(reader.ReadColumns(&cursor));
  ARROW_RETURN_NOT_OK(reader.ReadOptional(&cursor));
  return map;
}

}  // namespace arrowcdc::mysql
