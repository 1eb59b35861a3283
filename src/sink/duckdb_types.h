// Stored columns as DuckDB sees them, and what it takes to make a value of one type one of another. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <arrow/type.h>

namespace arrowcdc {

// DuckDB's name of a type that StoredType returns.
std::string DuckdbType(const arrow::DataType& type);

// How values of older files become values of the newest type, as PostgreSQL's own conversion does it.
struct DuckdbCast {
  std::string sql;
  bool exact = false;  // every value becomes the one that PostgreSQL's conversion makes of it
};
// None where there is no such conversion.
std::optional<DuckdbCast> CastInDuckdb(const std::string& value, const arrow::DataType& from,
                                       const arrow::DataType& to);

// 'text' and "name" with the quotes in them doubled.
std::string QuoteLiteral(const std::string& text);
std::string QuoteIdentifier(const std::string& name);

}  // namespace arrowcdc
