// Nearly all batches have no such row, and cost one look.
#include "src/change/check_representable.h"

#include <string>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/position.h"

namespace arrowcdc {

arrow::Status CheckRepresentable(const ChangeBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows rows, ChangeRows::Make(*batch.table, *batch.rows));
  if (!rows.unrepresentable().any()) return arrow::Status::OK();
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (rows.unrepresentable().count(row) == 0) continue;
    const RowPosition at = rows.position(row);
    return MakeError(ErrorKind::kUnsupported,
                     "a value has no Arrow form, in the row of commit " + FormatLsn(at.commit_lsn) +
                         ", record " + FormatLsn(at.lsn) + ", place " + std::to_string(at.ord) +
                         "; nothing of it or behind it was acknowledged",
                     "column " + std::string(rows.unrepresentable().name(row, 0)) + " of table " +
                         ToString(batch.table->name),
                     "stream on with unrepresentable=null, where such values are null and listed in "
                     "_unrepresentable, or with text, where the column is text (docs/types.md)");
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc
