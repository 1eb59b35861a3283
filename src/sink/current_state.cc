// A directory and a table's name to a query: where the public function is put together.
#include "arrowcdc/current_state.h"

#include "src/sink/current_state_sql.h"
#include "src/sink/stored_table.h"

namespace arrowcdc {

arrow::Result<std::string> CurrentStateQuery(const std::string& directory, const std::string& table) {
  ARROW_ASSIGN_OR_RAISE(const StoredTable stored, FindStoredTable(*PosixFileSystem(), directory, table));
  return CurrentStateSql(stored);
}

}  // namespace arrowcdc
