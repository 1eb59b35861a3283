// See rows_event.h.
#include "src/mysql/decode/rows_event.h"

#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {
namespace {

arrow::Status CutOff() { return MakeError(ErrorKind::kProtocol, "a rows event is cut off", "", ""); }

bool ReadHead(ByteCursor* cursor, RowsEvent* event) {
  constexpr uint16_t kStatementEnd = 1;
  uint16_t flags;
  if (!cursor->Read<6>(&event->table_id) || !cursor->Read<2>(&flags)) return false;
  event->statement_end = (flags & kStatementEnd) != 0;
  return true;
}

bool SkipExtra(ByteCursor* cursor) {
  uint16_t size;  // itself included
  return cursor->Read<2>(&size) && size >= 2 && cursor->Skip(size - 2);
}

}  // namespace

std::optional<RowsEventKind> RowsEventKindOf(uint8_t event_type) {
  using Change = RowsEventKind::Change;
  constexpr uint8_t kPartialUpdate = 39;
  // Where each version's three begin: writes, updates, deletes.
  struct Version {
    uint8_t first;
    bool has_extra;
    bool is_compressed;
  };
  static constexpr Version kVersions[] = {
      {23, false, false}, {30, true, false}, {166, false, true}, {169, true, true}};
  if (event_type == kPartialUpdate) return RowsEventKind{Change::kUpdate, true, true, false};
  for (const Version& version : kVersions) {
    const int place = event_type - version.first;
    if (place < 0 || place > 2) continue;
    return RowsEventKind{static_cast<Change>(place), version.has_extra, false, version.is_compressed};
  }
  return std::nullopt;
}

arrow::Result<RowsEvent> ReadRowsEventHead(RowsEventKind kind, std::span<const uint8_t> body) {
  RowsEvent event;
  event.kind = kind;
  ByteCursor cursor(body);
  if (!ReadHead(&cursor, &event)) return CutOff();
  return event;
}

arrow::Result<RowsEvent> ReadRowsEvent(RowsEventKind kind, std::span<const uint8_t> body) {
  using Change = RowsEventKind::Change;
  RowsEvent event;
  event.kind = kind;
  ByteCursor cursor(body);
  if (!ReadHead(&cursor, &event)) return CutOff();
  if (IsDummyTable(event.table_id)) return event;
  if ((kind.has_extra && !SkipExtra(&cursor)) || !cursor.ReadPacked(&event.column_count)) return CutOff();
  const uint64_t bitmap = event.column_count / 8 + (event.column_count % 8 != 0 ? 1 : 0);
  if (kind.change != Change::kWrite && !cursor.ReadBytes(bitmap, &event.before)) return CutOff();
  if (kind.change != Change::kDelete && !cursor.ReadBytes(bitmap, &event.after)) return CutOff();
  event.rows = cursor.rest();
  return event;
}

}  // namespace arrowcdc::mysql
