// Values of change batches in the two forms that servers have for them: as mysqlbinlog prints a column, and
// as SELECT gives it. Written from what those programs do, and without the decoder of this library.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/array.h>

#include "src/mysql/decode/flavor.h"
#include "tests/mysql/logged_rows.h"

namespace arrowcdc::mysql::test {

// As mysqlbinlog or mariadb-binlog prints it with -vv, without the comment behind it.
std::string PrintedText(const arrow::Array& array, int64_t row, const LoggedColumn& column, Flavor flavor);
// Bytes between quotes, with what they write for some of them.
std::string PrintedBytes(const std::string& bytes, Flavor flavor);

// What SelectExpression of the column gives.
std::string SelectedText(const arrow::Array& array, int64_t row, const std::string& mysql_type);
// `data_type` and `column_type`: as information_schema.columns has them.
std::string SelectExpression(const std::string& quoted_name, const std::string& data_type);
// Numbers by their value.
bool SameSelected(const std::string& left, const std::string& right, const arrow::DataType& type);

// Whether a date, as any of these programs has it, is one of the calendar.
bool IsCalendarDate(const std::string& text);

}  // namespace arrowcdc::mysql::test
