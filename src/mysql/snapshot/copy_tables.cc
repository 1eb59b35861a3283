// The catalog (information_schema) tells the same of a column as a table map does, in words.
#include "src/mysql/snapshot/copy_tables.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "arrowcdc/error.h"
#include "src/mysql/decode/table_rows.h"

namespace arrowcdc::mysql {
namespace {

using Row = std::vector<std::optional<std::string>>;

constexpr uint32_t kPartsMax = 4096;

uint64_t NumberIn(const std::optional<std::string>& text) {
  uint64_t number = 0;
  if (text.has_value()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

// The names of types, as DATA_TYPE has them.
const std::map<std::string, FieldType>& Types() {
  using enum FieldType;
  static const std::map<std::string, FieldType> types = {{"tinyint", kTiny},
                                                         {"smallint", kShort},
                                                         {"mediumint", kInt24},
                                                         {"int", kLong},
                                                         {"bigint", kLongLong},
                                                         {"float", kFloat},
                                                         {"double", kDouble},
                                                         {"decimal", kNewDecimal},
                                                         {"year", kYear},
                                                         {"bit", kBit},
                                                         {"date", kDate},
                                                         {"time", kTime2},
                                                         {"datetime", kDatetime2},
                                                         {"timestamp", kTimestamp2},
                                                         {"char", kString},
                                                         {"binary", kString},
                                                         {"varchar", kVarchar},
                                                         {"varbinary", kVarchar},
                                                         {"tinytext", kBlob},
                                                         {"text", kBlob},
                                                         {"mediumtext", kBlob},
                                                         {"longtext", kBlob},
                                                         {"tinyblob", kBlob},
                                                         {"blob", kBlob},
                                                         {"mediumblob", kBlob},
                                                         {"longblob", kBlob},
                                                         {"enum", kEnum},
                                                         {"set", kSet},
                                                         {"json", kJson},
                                                         {"vector", kVector},
                                                         {"geometry", kGeometry},
                                                         {"point", kGeometry},
                                                         {"linestring", kGeometry},
                                                         {"polygon", kGeometry},
                                                         {"multipoint", kGeometry},
                                                         {"multilinestring", kGeometry},
                                                         {"multipolygon", kGeometry},
                                                         {"geometrycollection", kGeometry},
                                                         {"geomcollection", kGeometry}};
  return types;
}

// Of a blob: bytes of the length in front of a value, which are a type's size.
uint16_t BlobLengthBytes(const std::string& type) {
  if (type.starts_with("tiny")) return 1;
  if (type.starts_with("medium")) return 3;
  return type.starts_with("long") ? 4 : 2;
}

enum ColumnField {
  kSchema,
  kTable,
  kName,
  kDataType,
  kColumnType,
  kOctets,
  kPrecision,
  kScale,
  kFraction,
  kExtra,
  kCharset,
  kCollationId,
  kKeyPlace,
  kColumnFieldCount
};

// The collation stands for its character set: any of that set does. (MariaDB from 11.5 on has default ones
// that are of no set.)
std::string ColumnsSql(const std::string& schema) {
  return "SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.column_type, "
         "c.character_octet_length, c.numeric_precision, c.numeric_scale, c.datetime_precision, c.extra, "
         "c.character_set_name, (SELECT MIN(o.id) FROM information_schema.collations o WHERE "
         "o.character_set_name = c.character_set_name), "
         "(SELECT MIN(s.seq_in_index) FROM information_schema.statistics s WHERE s.table_schema = "
         "c.table_schema AND s.table_name = c.table_name AND s.index_name = 'PRIMARY' AND s.column_name = "
         "c.column_name) "
         "FROM information_schema.columns c WHERE c.table_schema = " +
         QuoteText(schema) + " ORDER BY c.table_name, c.ordinal_position";
}

arrow::Result<MapColumn> ReadColumn(const Row& row, const TableName& table, Flavor flavor) {
  MapColumn column;
  column.name = row[kName].value_or("");
  const std::string type = row[kDataType].value_or("");
  const std::string whole = row[kColumnType].value_or("");
  const auto found = Types().find(type);
  if (found == Types().end()) {
    return MakeError(ErrorKind::kUnsupported, "the column is of a type that is not read",
                     "column " + column.name + " of table " + ToString(table),
                     "leave the table out of the tables to capture");
  }
  column.type = found->second;
  column.is_unsigned = whole.find("unsigned") != std::string::npos;
  // MariaDB's table maps do not tell.
  column.is_invisible =
      flavor == Flavor::kMysql && row[kExtra].value_or("").find("INVISIBLE") != std::string::npos;
  column.key_place = static_cast<uint32_t>(NumberIn(row[kKeyPlace]));
  const bool is_text = row[kCharset].has_value();
  if (is_text && !row[kCollationId].has_value()) {
    return MakeError(ErrorKind::kUnsupported, "the column is in a character set that is not read",
                     "column " + column.name + " of table " + ToString(table),
                     "leave the table out of the tables to capture");
  }
  column.collation = is_text ? static_cast<uint32_t>(NumberIn(row[kCollationId])) : kBinaryCollation;
  const auto octets = static_cast<uint16_t>(std::min<uint64_t>(NumberIn(row[kOctets]), UINT16_MAX));
  switch (column.type) {
    case FieldType::kNewDecimal:
      column.length = static_cast<uint16_t>(NumberIn(row[kPrecision]));
      column.decimals = static_cast<uint8_t>(NumberIn(row[kScale]));
      break;
    case FieldType::kBit:
      column.length = static_cast<uint16_t>(NumberIn(row[kPrecision]));
      break;
    case FieldType::kTime2:
    case FieldType::kDatetime2:
    case FieldType::kTimestamp2:
      column.decimals = static_cast<uint8_t>(NumberIn(row[kFraction]));
      break;
    case FieldType::kString:
    case FieldType::kVarchar:
      column.length = octets;
      break;
    case FieldType::kBlob:
      column.length = BlobLengthBytes(type);
      break;
    case FieldType::kEnum:
    case FieldType::kSet:
      column.length = 1;
      break;
    case FieldType::kVector: {
      column.length = 4;
      const size_t open = whole.find('(');
      if (open != std::string::npos)
        column.dimension = static_cast<uint32_t>(NumberIn(whole.substr(open + 1)));
      break;
    }
    case FieldType::kJson:
    case FieldType::kGeometry:
      column.length = 4;
      break;
    default:
      break;
  }
  return column;
}

bool IsInteger(FieldType type) {
  return type == FieldType::kTiny || type == FieldType::kShort || type == FieldType::kInt24 ||
         type == FieldType::kLong || type == FieldType::kLongLong;
}

struct TableFacts {
  std::string type;
  std::string engine;
  int64_t rows = -1;
  int64_t bytes = 0;
  std::vector<Row> columns;
};

// Of all tables of one schema.
arrow::Status ReadSchema(Connection& connection, const std::string& schema,
                         std::map<TableName, TableFacts>* facts) {
  ARROW_ASSIGN_OR_RAISE(
      const Rows tables,
      connection.Query("SELECT table_name, engine, table_rows, data_length, table_type FROM "
                       "information_schema.tables WHERE "
                       "table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND table_schema = " +
                       QuoteText(schema)));
  for (const Row& row : tables) {
    if (row.size() != 5) continue;
    TableFacts& table = (*facts)[{schema, row[0].value_or("")}];
    table.engine = row[1].value_or("");
    table.type = row[4].value_or("");
    if (row[2].has_value()) table.rows = static_cast<int64_t>(NumberIn(row[2]));
    table.bytes = static_cast<int64_t>(NumberIn(row[3]));
  }
  ARROW_ASSIGN_OR_RAISE(Rows columns, connection.Query(ColumnsSql(schema)));
  for (Row& row : columns) {
    if (row.size() != kColumnFieldCount) continue;
    const auto found = facts->find({schema, row[kTable].value_or("")});
    if (found != facts->end()) found->second.columns.push_back(std::move(row));
  }
  return arrow::Status::OK();
}

arrow::Result<CopyTable> MakeCopyTable(const TableName& name, const TableFacts& facts, TypeChoices choices) {
  if (facts.engine != "InnoDB") {
    return MakeError(
        ErrorKind::kUnsupported,
        "its rows cannot be read as they were at one point: its storage engine is " +
            (facts.engine.empty() ? std::string("not known") : facts.engine),
        "table " + ToString(name),
        "leave the table out of --tables, or the rows that are there before (--snapshot never); or "
        "ALTER TABLE ... ENGINE = InnoDB");
  }
  // Its log has columns that the catalog does not list, and rows that SELECT does not give.
  if (facts.type == "SYSTEM VERSIONED") {
    return MakeError(
        ErrorKind::kUnsupported,
        "its rows are not copied: it is system-versioned, and keeps former rows beside the present ones",
        "table " + ToString(name),
        "leave the table out of --tables, or the rows that are there before (--snapshot never)");
  }
  CopyTable table;
  table.map.name = name;
  table.rows = facts.rows;
  table.bytes = facts.bytes;
  for (const Row& row : facts.columns) {
    ARROW_ASSIGN_OR_RAISE(MapColumn column, ReadColumn(row, name, choices.flavor));
    if (column.key_place == 1 && IsInteger(column.type)) table.range_column = column.name;
    table.map.columns.push_back(std::move(column));
  }
  ARROW_ASSIGN_OR_RAISE(table.schema, SchemaOf(table.map, choices));
  return table;
}

__extension__ typedef __int128 Int128;

// Of MySQL's integers: from -2^63 to 2^64 - 1.
std::optional<Int128> ReadInteger(const std::string& text) {
  if (text.empty()) return std::nullopt;
  Int128 value = 0;
  const bool is_negative = text[0] == '-';
  for (size_t i = is_negative ? 1 : 0; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9' || i > 20) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return is_negative ? -value : value;
}

std::string IntegerText(Int128 value) {
  if (value == 0) return "0";
  std::string text;
  for (Int128 left = value < 0 ? -value : value; left > 0; left /= 10)
    text += static_cast<char>('0' + static_cast<int>(left % 10));
  if (value < 0) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

}  // namespace

arrow::Result<std::vector<CopyTable>> ReadCopyTables(Connection& connection,
                                                     const std::vector<TableName>& names, bool as_text) {
  std::map<TableName, TableFacts> facts;
  std::set<std::string> schemas;
  for (const TableName& name : names) schemas.insert(name.schema);
  for (const std::string& schema : schemas) ARROW_RETURN_NOT_OK(ReadSchema(connection, schema, &facts));
  std::vector<CopyTable> tables;
  for (const TableName& name : names) {
    const auto found = facts.find(name);
    if (found == facts.end()) continue;  // dropped meanwhile
    ARROW_ASSIGN_OR_RAISE(CopyTable table,
                          MakeCopyTable(name, found->second, {connection.flavor(), as_text}));
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<CopyPart> PlanParts(size_t table, int64_t bytes, int64_t part_bytes, const std::string& least,
                                const std::string& greatest) {
  const auto first = ReadInteger(least);
  const auto last = ReadInteger(greatest);
  CopyPart part{.table = table, .number = 0, .from = std::nullopt, .to = std::nullopt};
  if (!first.has_value() || !last.has_value() || *last <= *first || bytes <= part_bytes) return {part};
  const auto wanted = static_cast<uint64_t>(bytes / std::max<int64_t>(part_bytes, 1) + 1);
  const Int128 span = *last - *first + 1;
  const Int128 count = std::min<Int128>(std::min<uint64_t>(wanted, kPartsMax), span);
  std::vector<CopyPart> parts;
  for (Int128 i = 0; i < count; ++i) {
    part.number = static_cast<uint32_t>(i);
    part.from = i == 0 ? std::nullopt : std::exchange(part.to, std::nullopt);
    if (i + 1 < count)
      part.to = IntegerText(*first + span / count * (i + 1) + span % count * (i + 1) / count);
    parts.push_back(part);
  }
  return parts;
}

std::string SelectOf(const CopyTable& table, const CopyPart& part) {
  std::string sql = "SELECT ";
  for (size_t i = 0; i < table.map.columns.size(); ++i)
    sql += (i == 0 ? "" : ", ") + QuoteName(table.map.columns[i].name);
  sql += " FROM " + QuoteName(table.map.name.schema) + "." + QuoteName(table.map.name.table);
  const std::string column = QuoteName(table.range_column);
  if (part.from.has_value()) sql += " WHERE " + column + " >= " + *part.from;
  if (part.to.has_value()) sql += (part.from.has_value() ? " AND " : " WHERE ") + column + " < " + *part.to;
  return sql;
}

}  // namespace arrowcdc::mysql
