// Prints the changes of one table, a line a row, from the first run on:
//
//   read_table CONNINFO TABLE        until it is ended
//   read_table CONNINFO TABLE now    up to what is committed at the start
//
// What was printed is committed and does not come again. When this program is killed in between, the rows of
// the last batch come once more. `arrowcdc teardown --source CONNINFO --slot read_table` removes what the
// first run has set up.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include <arrow/api.h>

#include <arrowcdc/change_rows.h>
#include <arrowcdc/error.h>
#include <arrowcdc/postgres.h>
#include <arrowcdc/readers.h>

namespace {

arrow::Status Print(const arrowcdc::TableSchema& table, const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(const arrowcdc::ChangeRows changes, arrowcdc::ChangeRows::Make(table, rows));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    std::cout << arrowcdc::OpName(changes.op(row));
    for (int i = 0; i < table.column_count; ++i) {
      ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Scalar> value, rows.column(i)->GetScalar(row));
      std::cout << ' ' << table.schema->field(i)->name() << '=' << value->ToString();
    }
    std::cout << '\n';
  }
  std::cout.flush();
  return arrow::Status::OK();
}

arrow::Status Run(const std::string& conninfo, const std::string& table, bool until_now) {
  arrowcdc::PostgresOptions source_options;
  source_options.conninfo = conninfo;
  source_options.slot = "read_table";
  source_options.tables = {table};

  // A publication and a slot, where they are not there yet.
  ARROW_ASSIGN_OR_RAISE(const arrowcdc::SetupPlan plan, arrowcdc::PlanSetup(source_options, {}));
  ARROW_RETURN_NOT_OK(arrowcdc::ApplySetup(source_options, plan, nullptr));
  if (plan.tables.size() != 1) return arrow::Status::Invalid("not one table: ", table);

  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrowcdc::Source> source,
                        arrowcdc::MakePostgresSource(source_options));
  arrowcdc::ReaderSetOptions options;
  options.tables = plan.tables;
  if (until_now) options.until = "now";
  ARROW_ASSIGN_OR_RAISE(const std::unique_ptr<arrowcdc::ReaderSet> readers,
                        arrowcdc::ReaderSet::Open(std::move(source), options));

  const std::shared_ptr<arrowcdc::Reader> reader = readers->reader(plan.tables.front());
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const arrowcdc::ReadResult read, reader->Next(std::chrono::seconds(10)));
    if (read.state == arrowcdc::ReadState::kEnd) break;
    if (read.state == arrowcdc::ReadState::kTimeout) continue;
    ARROW_RETURN_NOT_OK(Print(*read.table, *read.rows));
    ARROW_RETURN_NOT_OK(reader->Commit());
  }
  return readers->Stop();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4 || (argc == 4 && std::string(argv[3]) != "now")) {
    std::cerr << "usage: read_table CONNINFO TABLE [now]\n";
    return 2;
  }
  const arrow::Status status = Run(argv[1], argv[2], argc == 4);
  if (status.ok()) return 0;
  std::cerr << "read_table: " << status.message() << '\n';
  if (const arrowcdc::ErrorDetail* detail = arrowcdc::GetErrorDetail(status)) {
    std::cerr << detail->remedy() << '\n';
  }
  return 1;
}
