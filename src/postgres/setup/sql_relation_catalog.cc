// A few queries a relation.
#include "src/postgres/setup/sql_relation_catalog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/change/utf8_text.h"
#include "src/postgres/client/text_as_it_is.h"
#include "src/postgres/setup/published_tables.h"

namespace arrowcdc::postgres {
namespace {

std::string ColumnsQuery(const std::string& oid) {
  return "SELECT a.attname, a.atttypid, a.atttypmod, a.attnum, "
         "coalesce(array_position((i.indkey::int2[])[0:i.indnkeyatts - 1], a.attnum), 0) FROM pg_class AS c "
         "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped " +
         std::string(kIdentityIndex) + "WHERE c.oid = " + oid + " ORDER BY a.attnum";
}

std::string AncestorsQuery(const std::string& oid) {
  return "SELECT relid::oid FROM pg_partition_ancestors(" + oid +
         ") WITH ORDINALITY AS x(relid, place) WHERE relid::oid <> " + oid + " ORDER BY place";
}

arrow::Result<RelationFacts> ReadColumns(const QueryResult& rows) {
  RelationFacts facts;
  std::vector<std::pair<int64_t, std::string>> key;  // with its place
  for (int row = 0; row < rows.rows(); ++row) {
    RelationFacts::Column& column = facts.columns.emplace_back();
    column.attribute.name = NameToUtf8(rows.Text(row, 0));
    ARROW_ASSIGN_OR_RAISE(const int64_t type, rows.Int(row, 1));
    ARROW_ASSIGN_OR_RAISE(const int64_t typmod, rows.Int(row, 2));
    ARROW_ASSIGN_OR_RAISE(const int64_t attnum, rows.Int(row, 3));
    ARROW_ASSIGN_OR_RAISE(const int64_t place, rows.Int(row, 4));
    column.attribute.type = static_cast<uint32_t>(type);
    column.attribute.typmod = static_cast<int32_t>(typmod);
    column.attnum = static_cast<int16_t>(attnum);
    if (place > 0) key.emplace_back(place, column.attribute.name);
  }
  std::sort(key.begin(), key.end());
  for (auto& [place, name] : key) facts.key.push_back(std::move(name));
  return facts;
}

}  // namespace

arrow::Status SqlRelationCatalog::Connect() {
  if (connection_ != nullptr) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(connection_, Connection::OpenAt(server_, conninfo_, ConnectionMode::kSql, stop_));
  types_ = std::make_unique<SqlTypeCatalog>(connection_.get());
  return TakeTextAsItIs(*connection_);
}

template <typename Question>
auto SqlRelationCatalog::Ask(const Question& question) -> decltype(question()) {
  ARROW_RETURN_NOT_OK(Connect());
  auto answer = question();
  if (answer.ok() || PQstatus(connection_->raw()) == CONNECTION_OK) return answer;
  types_.reset();
  connection_.reset();
  ARROW_RETURN_NOT_OK(Connect());
  return question();
}

arrow::Result<std::optional<TypeDescription>> SqlRelationCatalog::FindType(uint32_t oid) {
  return Ask([&] { return types_->FindType(oid); });
}

arrow::Result<int> SqlRelationCatalog::MoneyDigits() {
  return Ask([&] { return types_->MoneyDigits(); });
}

arrow::Result<std::optional<RelationFacts>> SqlRelationCatalog::FindRelation(uint32_t oid) {
  const std::string text = std::to_string(oid);
  ARROW_ASSIGN_OR_RAISE(const QueryResult known,
                        Ask([&] { return connection_->Query("SELECT FROM pg_class WHERE oid = " + text); }));
  if (known.rows() == 0) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const QueryResult columns,
                        Ask([&] { return connection_->Query(ColumnsQuery(text)); }));
  ARROW_ASSIGN_OR_RAISE(RelationFacts facts, ReadColumns(columns));
  ARROW_ASSIGN_OR_RAISE(const QueryResult ancestors,
                        Ask([&] { return connection_->Query(AncestorsQuery(text)); }));
  for (int row = 0; row < ancestors.rows(); ++row) {
    ARROW_ASSIGN_OR_RAISE(const int64_t ancestor, ancestors.Int(row, 0));
    facts.ancestors.push_back(static_cast<uint32_t>(ancestor));
  }
  return facts;
}

void SqlRelationCatalog::Forget() {
  if (types_ != nullptr) types_->Forget();
}

}  // namespace arrowcdc::postgres
