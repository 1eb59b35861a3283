// Where a stream may start, given what there is of it already and where the slot stands. Pure decisions:
// every refusal here prevents rows from being lost or repeated in silence.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <arrow/result.h>

#include "arrowcdc/position.h"
#include "arrowcdc/source.h"

namespace arrowcdc::postgres {

// The server and its slot at a connect.
struct SlotStanding {
  std::string slot;
  SourceId source;
  std::optional<SourceId> source_before;  // of the last connection that could start
  uint32_t timeline = 0;
  uint64_t confirmed_flush = 0;  // the slot's: changes that commit after it will come
  uint64_t current_flush = 0;    // end of the server's WAL on its disk
  bool start_known = true;       // false: `used` is what can be guessed without knowing where the slot began
  bool used = false;             // changes of it were acknowledged before, as far as the server can tell
};

// Where the server's history leaves `timeline` for the next one. Errors: as the connection's; kPositionGap
// where the history does not go through it.
using TimelineEnd = std::function<arrow::Result<uint64_t>(uint32_t timeline)>;

// Whether what is at that position is part of the server's history. Errors: kPositionGap where it is not.
arrow::Status CheckHistory(const Position& stored, const SlotStanding& now, const TimelineEnd& timeline_end);

// The start for START_REPLICATION, on the server's timeline. Errors: kPositionGap with both positions and the
// remedy.
arrow::Result<Position> ChooseStart(const SlotStanding& now, const ResumeRequest& request,
                                    const TimelineEnd& timeline_end);

}  // namespace arrowcdc::postgres
