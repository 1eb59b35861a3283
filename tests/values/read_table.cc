#include "tests/values/read_table.h"

#include <random>
#include <utility>

#include <libpq-fe.h>

#include "src/change/table_schema.h"
#include "src/postgres/decode/copy/copy_decoder.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {

namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

arrow::Status Failure(PGconn* connection) { return arrow::Status::IOError(PQerrorMessage(connection)); }

}  // namespace

void ValuesTest::Prepare(const std::string& ddl) {
  ASSERT_NO_FATAL_FAILURE(PluginTest::Prepare(ddl));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(values_, SharedServer().Connect(database()));
  // As those of the plugin; what a database or a role sets otherwise must not show.
  ARROWCDC_ASSERT_OK(
      values_->Exec("SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET "
                    "timezone = 'UTC';"
                    "SET bytea_output = 'hex'; SET xmloption = 'content'"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(connection_, postgres::Connection::Open(SharedServer().conninfo(database()),
                                                                        postgres::ConnectionMode::kSql));
  catalog_ = std::make_unique<postgres::SqlTypeCatalog>(connection_.get());
}

void ValuesTest::TearDown() {
  catalog_.reset();
  connection_.reset();
  values_.reset();
  PluginTest::TearDown();
}

arrow::Result<MappedColumns> ValuesTest::MapTable(const ValueOptions& options, const std::string& table) {
  ARROW_ASSIGN_OR_RAISE(
      const auto rows,
      values_->Query("SELECT attname, atttypid, atttypmod, attnum, coalesce((SELECT "
                     "array_position(indkey::int2[], attnum) + 1 FROM pg_index WHERE "
                     "indrelid = attrelid AND indisprimary), 0) FROM pg_attribute WHERE "
                     "attrelid = '" +
                     table + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"));
  std::vector<ColumnDescription> columns;
  for (const SqlRow& row : rows) {
    ColumnDescription& column = columns.emplace_back();
    column.attribute = {*row[0], static_cast<uint32_t>(std::stoul(*row[1])), std::stoi(*row[2])};
    column.attnum = static_cast<int16_t>(std::stoi(*row[3]));
    column.key_place = std::stoi(*row[4]);
  }
  return MapColumns(columns, options, catalog_.get());
}

arrow::Result<std::unique_ptr<RowReader>> ValuesTest::MakeRows(MappedColumns columns) {
  ARROW_ASSIGN_OR_RAISE(
      auto table, MakeTableSchema({"public", "t"}, 1, 2, ReplicaIdentity::kDefault, columns.fields, nullptr));
  return RowReader::Make(std::move(table), std::move(columns), arrow::system_memory_pool());
}

arrow::Result<ChangeBatch> ValuesTest::Select(ValueForm form, const ValueOptions& options) {
  ARROW_ASSIGN_OR_RAISE(MappedColumns columns, MapTable(options));
  ARROW_ASSIGN_OR_RAISE(const auto rows, MakeRows(std::move(columns)));
  const Result result(PQexecParams(values_->raw(), "SELECT * FROM t ORDER BY id", 0, nullptr, nullptr,
                                   nullptr, nullptr, form == ValueForm::kBinary ? 1 : 0),
                      PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return Failure(values_->raw());
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int field = 0; field < PQnfields(result.get()); ++field) {
      if (PQgetisnull(result.get(), row, field) != 0) {
        rows->ReadNull(field);
        continue;
      }
      const std::string_view value(PQgetvalue(result.get(), row, field),
                                   static_cast<size_t>(PQgetlength(result.get(), row, field)));
      ARROW_RETURN_NOT_OK(rows->Read(field, form, value, 0));
    }
    RowMetadata metadata;
    metadata.lsn = static_cast<uint64_t>(row) + 1;
    ARROW_RETURN_NOT_OK(rows->batch()->EndRow(metadata));
  }
  return rows->batch()->Finish();
}

arrow::Result<ChangeBatch> ValuesTest::Copy(size_t chunk_bytes_max, const ValueOptions& options,
                                            const std::string& table) {
  ARROW_ASSIGN_OR_RAISE(MappedColumns columns, MapTable(options, table));
  std::string sql = "COPY (SELECT ";
  for (size_t i = 0; i < columns.fields.size(); ++i) {
    const std::string name = '"' + columns.fields[i]->name() + '"';
    if (i > 0) sql += ", ";
    sql += (columns.forms[i] == ValueForm::kBinary
                ? name
                : "CASE WHEN num_nulls(" + name + ") = 0 THEN format('%s', " + name + ") END");
  }
  ARROW_ASSIGN_OR_RAISE(auto rows, MakeRows(std::move(columns)));
  CopyOptions copy;
  copy.batch_bytes_max = BatchBuilder::kBatchBytesMax;
  CopyDecoder decoder(std::move(rows), copy);

  PGconn* const connection = values_->raw();
  sql += " FROM " + table + " ORDER BY id) TO STDOUT (FORMAT binary)";
  const Result started(PQexec(connection, sql.c_str()), PQclear);
  if (PQresultStatus(started.get()) != PGRES_COPY_OUT) return Failure(connection);
  std::string stream;
  char* message = nullptr;
  int bytes;
  while ((bytes = PQgetCopyData(connection, &message, 0)) > 0) {
    stream.append(message, static_cast<size_t>(bytes));
    PQfreemem(message);
  }
  if (bytes != -1) return Failure(connection);
  while (PGresult* const last = PQgetResult(connection)) PQclear(last);

  std::mt19937_64 random(Seed());
  std::vector<ChangeBatch> batches;
  for (size_t at = 0; at < stream.size();) {
    const std::string chunk = stream.substr(at, 1 + random() % chunk_bytes_max);
    ARROW_RETURN_NOT_OK(decoder.Decode(chunk, &batches));
    at += chunk.size();
  }
  ARROW_RETURN_NOT_OK(decoder.Finish(&batches));
  if (batches.size() != 1) return arrow::Status::Invalid(batches.size(), " batches");
  return batches[0];
}

}  // namespace arrowcdc::test
