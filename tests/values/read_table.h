// A table of a real server, read by a query in either form or by COPY into change batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "plugin/testing/test_stream.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/decode/values/row_reader.h"
#include "src/postgres/setup/sql_type_catalog.h"

namespace arrowcdc::test {

class ValuesTest : public PluginTest {
 protected:
  // A database of its own, `ddl` run in it; after that the methods below may be used.
  void Prepare(const std::string& ddl);
  void TearDown() override;

  // The columns of a table as the decoders map them.
  arrow::Result<MappedColumns> MapTable(const ValueOptions& options = {}, const std::string& table = "t");
  // The rows of table t in the order of its column id, with _lsn counting them from 1.
  arrow::Result<ChangeBatch> Select(ValueForm form, const ValueOptions& options = {});
  // The same by COPY of any table, in chunks of 1 to `chunk_bytes_max` bytes; _lsn counts the rows.
  arrow::Result<ChangeBatch> Copy(size_t chunk_bytes_max, const ValueOptions& options = {},
                                  const std::string& table = "t");

  std::unique_ptr<SqlConnection> values_;  // a session with the settings of one that replicates

 private:
  static arrow::Result<std::unique_ptr<RowReader>> MakeRows(MappedColumns columns);

  std::unique_ptr<postgres::Connection> connection_;
  std::unique_ptr<postgres::SqlTypeCatalog> catalog_;
};

}  // namespace arrowcdc::test
