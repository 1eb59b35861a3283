// Where a stream may start, given what the sink has stored and where the slot stands. Pure decisions: every
// refusal here prevents rows from being lost or repeated in silence.
#pragma once

#include <cstdint>
#include <functional>

#include <arrow/result.h>

#include "arrowcdc/sink.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

// Where the server's history leaves `timeline` for the next one. Errors: as the source's.
using TimelineEnd = std::function<arrow::Result<uint64_t>(uint32_t timeline)>;

// LSN to give to Source::Start. accept_gap: the user has said that changes the sink never got may stay lost.
// Errors: kPositionGap with both positions and the remedy.
arrow::Result<uint64_t> ChooseStart(const SourceInfo& info, const SinkState& sink, bool sink_keeps_data,
                                    bool accept_gap, const TimelineEnd& timeline_end);

// At a reconnect: the same server as before, and nobody moved or recreated the slot meanwhile. `delivered`:
// what the sink was handed.
arrow::Status CheckReconnect(const StreamIdentity& before, const SourceInfo& info, uint64_t delivered,
                             const TimelineEnd& timeline_end);

}  // namespace arrowcdc
