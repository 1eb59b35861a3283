// Queries over pg_type and what belongs to it.
#include "src/postgres/setup/sql_type_catalog.h"

#include <string>
#include <utility>

#include "src/change/utf8_text.h"

namespace arrowcdc::postgres {
namespace {

// Whether a function is internal code of that name, under whatever name.
std::string IsInternal(const std::string& function, const std::string& name) {
  return "EXISTS (SELECT FROM pg_proc AS f JOIN pg_language AS l ON l.oid = f.prolang WHERE f.oid = " +
         function + " AND l.lanname = 'internal' AND f.prosrc = '" + name + "')";
}

std::string TypeQuery(uint32_t oid) {
  return "SELECT t.typname, t.typtype, t.typlen, coalesce(x.extname, ''), "
         "CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem ELSE 0 END, "
         "coalesce(e.typdelim, ','), t.typbasetype, t.typtypmod, coalesce(r.rngsubtype, m.rngtypid, 0), "
         "t.typrelid, " +
         IsInternal("t.typoutput", "textout") + ", t.typsend <> 0, " + IsInternal("t.typsend", "textsend") +
         " FROM pg_type AS t LEFT JOIN pg_type AS e ON e.oid = t.typelem "
         "LEFT JOIN pg_range AS r ON r.rngtypid = t.oid LEFT JOIN pg_range AS m ON m.rngmultitypid = t.oid "
         "LEFT JOIN pg_depend AS d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND "
         "d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' "
         "LEFT JOIN pg_extension AS x ON x.oid = d.refobjid WHERE t.oid = " +
         std::to_string(oid);
}

arrow::Result<uint32_t> ReadOid(const QueryResult& rows, int row, int column) {
  ARROW_ASSIGN_OR_RAISE(const int64_t number, rows.Int(row, column));
  return static_cast<uint32_t>(number);
}

arrow::Result<int32_t> ReadInt32(const QueryResult& rows, int row, int column) {
  ARROW_ASSIGN_OR_RAISE(const int64_t number, rows.Int(row, column));
  return static_cast<int32_t>(number);
}

arrow::Status ReadAttributes(Connection* connection, uint32_t relation, TypeDescription* type) {
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection->Query("SELECT attname, atttypid, atttypmod, attnum FROM pg_attribute WHERE attrelid = " +
                        std::to_string(relation) + " AND attnum > 0 AND NOT attisdropped ORDER BY attnum"));
  for (int row = 0; row < rows.rows(); ++row) {
    Attribute& attribute = type->attributes.emplace_back();
    attribute.name = NameToUtf8(rows.Text(row, 0));
    ARROW_ASSIGN_OR_RAISE(attribute.type, ReadOid(rows, row, 1));
    ARROW_ASSIGN_OR_RAISE(attribute.typmod, ReadInt32(rows, row, 2));
    ARROW_ASSIGN_OR_RAISE(const int64_t attnum, rows.Int(row, 3));
    attribute.attnum = static_cast<int16_t>(attnum);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::optional<TypeDescription>> SqlTypeCatalog::AskForType(uint32_t oid) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows, connection_->Query(TypeQuery(oid)));
  if (rows.rows() == 0) return std::nullopt;
  TypeDescription type;
  type.oid = oid;
  type.name = NameToUtf8(rows.Text(0, 0));
  type.kind = static_cast<TypeKind>(rows.Text(0, 1)[0]);
  ARROW_ASSIGN_OR_RAISE(const int32_t length, ReadInt32(rows, 0, 2));
  type.length = static_cast<int16_t>(length);
  type.extension = NameToUtf8(rows.Text(0, 3));
  ARROW_ASSIGN_OR_RAISE(type.element, ReadOid(rows, 0, 4));
  type.delimiter = rows.Text(0, 5)[0];
  ARROW_ASSIGN_OR_RAISE(type.base, ReadOid(rows, 0, 6));
  ARROW_ASSIGN_OR_RAISE(type.base_typmod, ReadInt32(rows, 0, 7));
  ARROW_ASSIGN_OR_RAISE(type.subtype, ReadOid(rows, 0, 8));
  ARROW_ASSIGN_OR_RAISE(const uint32_t relation, ReadOid(rows, 0, 9));
  type.output_is_textout = rows.Bool(0, 10);
  type.has_send = rows.Bool(0, 11);
  type.send_is_textsend = rows.Bool(0, 12);
  if (type.kind == TypeKind::kComposite) ARROW_RETURN_NOT_OK(ReadAttributes(connection_, relation, &type));
  return type;
}

arrow::Result<std::optional<TypeDescription>> SqlTypeCatalog::FindType(uint32_t oid) {
  const auto found = types_.find(oid);
  if (found != types_.end()) return found->second;
  ARROW_ASSIGN_OR_RAISE(auto type, AskForType(oid));
  types_.emplace(oid, type);
  return type;
}

// One unit of the currency is sent as 10 to the number of its digits.
arrow::Result<int> SqlTypeCatalog::MoneyDigits() {
  if (!money_digits_.has_value()) {
    ARROW_ASSIGN_OR_RAISE(
        const QueryResult rows,
        connection_->Query(
            "SELECT length(('x' || encode(cash_send(1::money), 'hex'))::bit(64)::int8::text) - 1"));
    ARROW_ASSIGN_OR_RAISE(money_digits_, ReadInt32(rows, 0, 0));
  }
  return *money_digits_;
}

}  // namespace arrowcdc::postgres
