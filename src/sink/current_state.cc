// A directory and a table's name to a query: where the public function is put together.
#include "arrowcdc/current_state.h"

#include "src/sink/current_state_sql.h"
#include "src/sink/stored_table.h"

namespace arrowcdc {

arrow::Result<std::string> CurrentStateQuery(
    const std::string& directory, const std::string& table,
    const std::function<std::string(const SourceId&, const Position&)>& place_of) {
  ARROW_ASSIGN_OR_RAISE(StoredTable stored, FindStoredTable(*PosixFileSystem(), directory, table));
  if (stored.whole.has_value() && place_of) stored.place = place_of(stored.source, *stored.whole);
  return CurrentStateSql(stored);
}

}  // namespace arrowcdc
