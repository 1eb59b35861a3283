// All that a slot holds, read by a source of the product, and the comparison of two such logs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/postgres.h"

namespace arrowcdc::test {

struct ChangeLog {
  // By the name that the rows came under, in the order in which they came; a TRUNCATE is a row.
  std::map<TableName, std::vector<ChangeBatch>> tables;
  int64_t rows = 0;
};

// The slot does not move. Errors: those of the source, and batches that are not sound in themselves.
arrow::Result<ChangeLog> ReadChangeLog(const PostgresOptions& options);

// What is different, for people; empty: nothing is. Not compared, since pgoutput takes it from the catalog as
// it is when the rows are decoded: PARQUET:field_id, the fingerprint, which is made of it too, and the order
// of the columns of a key.
std::string Difference(const ChangeLog& wanted, const ChangeLog& got);

}  // namespace arrowcdc::test
