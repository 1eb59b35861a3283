// See duckdb_types.h.
#include "src/sink/duckdb_types.h"

#include <arrow/extension_type.h>
#include <arrow/type_traits.h>

namespace arrowcdc {
namespace {

using arrow::DataType;
using arrow::Type;

std::string ExtensionName(const DataType& type) {
  return type.id() == Type::EXTENSION ? static_cast<const arrow::ExtensionType&>(type).extension_name() : "";
}

bool IsText(const DataType& type) { return type.id() == Type::STRING || ExtensionName(type) == "arrow.json"; }
bool IsUuid(const DataType& type) { return ExtensionName(type) == "arrow.uuid"; }
bool IsFloat(const DataType& type) { return type.id() == Type::FLOAT || type.id() == Type::DOUBLE; }
bool IsNumber(const DataType& type) {
  return arrow::is_integer(type.id()) || IsFloat(type) || type.id() == Type::DECIMAL128;
}
bool IsTimestamp(const DataType& type) { return type.id() == Type::TIMESTAMP; }
bool IsZoned(const DataType& type) {
  return IsTimestamp(type) && !static_cast<const arrow::TimestampType&>(type).timezone().empty();
}
bool IsScalar(const DataType& type) {
  return IsNumber(type) || IsText(type) || IsUuid(type) || IsTimestamp(type) || type.id() == Type::BOOL ||
         type.id() == Type::DATE32 || type.id() == Type::TIME64;
}

bool IsExact(const DataType& from, const DataType& to) {
  if (arrow::is_integer(from.id())) {
    return arrow::is_integer(to.id()) || to.id() == Type::DECIMAL128 || to.id() == Type::STRING;
  }
  if (from.id() == Type::DECIMAL128 && to.id() == Type::DECIMAL128) {
    return static_cast<const arrow::DecimalType&>(from).scale() <=
           static_cast<const arrow::DecimalType&>(to).scale();
  }
  if (from.id() == Type::FLOAT) return to.id() == Type::DOUBLE;
  if (from.id() == Type::DATE32) return IsTimestamp(to) && !IsZoned(to);
  // What has more digits than DuckDB's decimals is text.
  return (from.id() == Type::DECIMAL128 || IsUuid(from)) && to.id() == Type::STRING;
}

bool IsConvertible(const DataType& from, const DataType& to) {
  if (IsText(to)) return IsScalar(from);
  if (IsText(from)) return IsScalar(to);
  if (IsNumber(from) || from.id() == Type::BOOL) return IsNumber(to) || to.id() == Type::BOOL;
  if (from.id() == Type::DATE32) return IsTimestamp(to);
  return IsTimestamp(from) && (IsTimestamp(to) || to.id() == Type::DATE32 || to.id() == Type::TIME64);
}

bool PartConverts(const DataType& from, const DataType& to, bool* exact);

// By their names, as DuckDB does it. One that only the newer type has may have been called otherwise before.
bool MembersConvert(const DataType& from, const DataType& to, bool* exact) {
  bool some = false;
  for (const auto& member : to.fields()) {
    const auto before = static_cast<const arrow::StructType&>(from).GetFieldByName(member->name());
    if (before == nullptr) {
      *exact = false;
    } else {
      if (!PartConverts(*before->type(), *member->type(), exact)) return false;
      some = true;
    }
  }
  return some;
}

// Whether a cast of the whole converts this part of it. What needs more than a cast is not for parts.
bool PartConverts(const DataType& from, const DataType& to, bool* exact) {
  if (from.id() == Type::LIST && to.id() == Type::LIST) {
    return PartConverts(*from.field(0)->type(), *to.field(0)->type(), exact);
  }
  if (from.id() == Type::STRUCT && to.id() == Type::STRUCT) return MembersConvert(from, to, exact);
  const auto cast = CastInDuckdb("", from, to);
  if (!cast || IsZoned(from) != IsZoned(to)) return false;
  *exact = *exact && cast->exact;
  return true;
}

}  // namespace

std::string DuckdbType(const DataType& type) {
  if (IsUuid(type)) return "UUID";
  if (ExtensionName(type) == "arrow.json") return "JSON";
  switch (type.id()) {
    case Type::BOOL:
      return "BOOLEAN";
    case Type::INT8:
      return "TINYINT";
    case Type::INT16:
      return "SMALLINT";
    case Type::INT32:
      return "INTEGER";
    case Type::INT64:
      return "BIGINT";
    case Type::UINT8:
      return "UTINYINT";
    case Type::UINT16:
      return "USMALLINT";
    case Type::UINT32:
      return "UINTEGER";
    case Type::UINT64:
      return "UBIGINT";
    case Type::FLOAT:
      return "FLOAT";
    case Type::DOUBLE:
      return "DOUBLE";
    case Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      return "DECIMAL(" + std::to_string(decimal.precision()) + ", " + std::to_string(decimal.scale()) + ")";
    }
    case Type::DATE32:
      return "DATE";
    case Type::TIME64:
      return "TIME";
    case Type::TIMESTAMP:
      return IsZoned(type) ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
    case Type::LIST:
    case Type::FIXED_SIZE_LIST:  // Parquet does not tell it from a list
      return DuckdbType(*type.field(0)->type()) + "[]";
    case Type::STRUCT: {
      std::string members;
      for (const auto& field : type.fields()) {
        members +=
            (members.empty() ? "" : ", ") + QuoteIdentifier(field->name()) + " " + DuckdbType(*field->type());
      }
      return "STRUCT(" + members + ")";
    }
    case Type::MAP:
      return "MAP(" + DuckdbType(*static_cast<const arrow::MapType&>(type).key_type()) + ", " +
             DuckdbType(*static_cast<const arrow::MapType&>(type).item_type()) + ")";
    case Type::BINARY:
    case Type::FIXED_SIZE_BINARY:
      return "BLOB";
    default:
      return "VARCHAR";
  }
}

std::optional<DuckdbCast> CastInDuckdb(const std::string& value, const DataType& from, const DataType& to) {
  const std::string type = DuckdbType(to);
  if (DuckdbType(from) == type) return DuckdbCast{value, true};
  const bool nested = from.id() == Type::LIST || from.id() == Type::STRUCT;
  if (nested && from.id() == to.id()) {
    bool exact = true;
    if (!PartConverts(from, to, &exact)) return std::nullopt;
    return DuckdbCast{"TRY_CAST(" + value + " AS " + type + ")", exact};
  }
  if (!IsConvertible(from, to)) return std::nullopt;
  // DuckDB would take its session's time zone for this.
  if (IsZoned(from) && !IsText(to)) {
    return DuckdbCast{"CAST(" + value + " AT TIME ZONE 'UTC' AS " + type + ")", false};
  }
  if (IsZoned(to) && !IsText(from)) {
    return DuckdbCast{"CAST(" + value + " AS TIMESTAMP) AT TIME ZONE 'UTC'", false};
  }
  return DuckdbCast{"TRY_CAST(" + value + " AS " + type + ")", IsExact(from, to)};
}

std::string QuoteLiteral(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + '\'';
}

std::string QuoteIdentifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace arrowcdc
