#include "src/delivery/start_position.h"

#include <algorithm>
#include <string>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

std::string SlotObject(const SourceInfo& info) { return "slot \"" + info.stream.slot + "\""; }

// A stored position is worth something on the current timeline only if that timeline left the stored one
// after it.
arrow::Status CheckTimeline(uint32_t stored_timeline, uint64_t stored, const SourceInfo& info,
                            const TimelineEnd& timeline_end) {
  if (stored_timeline == info.stream.timeline) return arrow::Status::OK();
  const std::string stored_text = FormatLsn(stored) + " on timeline " + std::to_string(stored_timeline);
  if (stored_timeline > info.stream.timeline) {
    return MakeError(ErrorKind::kPositionGap,
                     "the stored position " + stored_text + " is on a later timeline than the server's " +
                         std::to_string(info.stream.timeline) +
                         ": this server was restored to an earlier state",
                     SlotObject(info), "capture into a new sink from a new slot");
  }
  ARROW_ASSIGN_OR_RAISE(const uint64_t end, timeline_end(stored_timeline));
  if (stored <= end) return arrow::Status::OK();
  return MakeError(ErrorKind::kPositionGap,
                   "the stored position " + stored_text +
                       " has diverged: the server's history left that timeline at " + FormatLsn(end) +
                       ", so the sink holds changes that this server does not have",
                   SlotObject(info), "capture into a new sink from a new slot");
}

arrow::Status CheckNotBeyondServer(uint64_t stored, const SourceInfo& info) {
  if (stored <= info.current_flush) return arrow::Status::OK();
  return MakeError(ErrorKind::kPositionGap,
                   "the stored position " + FormatLsn(stored) + " is beyond the end of the server's WAL, " +
                       FormatLsn(info.current_flush) + ": this server was restored to an earlier state",
                   SlotObject(info), "capture into a new sink from a new slot");
}

}  // namespace

arrow::Result<uint64_t> ChooseStart(const SourceInfo& info, const SinkState& sink, bool sink_keeps_data,
                                    bool accept_gap, const TimelineEnd& timeline_end) {
  if (!sink_keeps_data) return info.confirmed_flush;
  if (!sink.position.has_value()) {
    if (!info.slot_used || accept_gap) return info.confirmed_flush;
    if (!info.slot_start_known) {
      return MakeError(
          ErrorKind::kPositionGap,
          "the sink is new, the slot's changes were decoded before, and nothing tells whether any up to " +
              FormatLsn(info.confirmed_flush) +
              " were acknowledged elsewhere: setup did not note where the slot began",
          SlotObject(info),
          "pass --accept-gap to begin at " + FormatLsn(info.confirmed_flush) +
              " if no other sink was fed from this slot; else use that sink, or make a new slot (arrowcdc "
              "teardown, then setup)");
    }
    return MakeError(
        ErrorKind::kPositionGap,
        "the sink is new, but changes of the slot up to " + FormatLsn(info.confirmed_flush) +
            " were already acknowledged elsewhere: they would be missing here",
        SlotObject(info),
        "use the sink that received them, or make a new slot (arrowcdc teardown, then setup), or pass "
        "--accept-gap to begin at " +
            FormatLsn(info.confirmed_flush));
  }
  const uint64_t stored = sink.position->order;
  ARROW_RETURN_NOT_OK(CheckTimeline(sink.position->timeline, stored, info, timeline_end));
  ARROW_RETURN_NOT_OK(CheckNotBeyondServer(stored, info));
  if (stored < info.confirmed_flush && !accept_gap) {
    return MakeError(
        ErrorKind::kPositionGap,
        "the slot stands at " + FormatLsn(info.confirmed_flush) + ", ahead of the sink's stored position " +
            FormatLsn(stored) +
            ": the changes between were acknowledged elsewhere, or the slot was recreated",
        SlotObject(info),
        "use the sink that received them, or capture into a new sink from a new slot, or pass --accept-gap "
        "to go on without them");
  }
  return std::max(stored, info.confirmed_flush);
}

arrow::Status CheckReconnect(const StreamIdentity& before, const SourceInfo& info, uint64_t delivered,
                             const TimelineEnd& timeline_end) {
  if (!(before.source == info.stream.source)) {
    return MakeError(ErrorKind::kPositionGap,
                     "the server changed while reconnecting: system identifier " + before.source.id +
                         " before, " + info.stream.source.id + " now",
                     SlotObject(info), "check the host name or the proxy in --source");
  }
  ARROW_RETURN_NOT_OK(CheckTimeline(before.timeline, delivered, info, timeline_end));
  ARROW_RETURN_NOT_OK(CheckNotBeyondServer(delivered, info));
  if (info.confirmed_flush > delivered) {
    return MakeError(ErrorKind::kPositionGap,
                     "the slot moved to " + FormatLsn(info.confirmed_flush) +
                         " while the connection was away; only changes up to " + FormatLsn(delivered) +
                         " were delivered",
                     SlotObject(info),
                     "somebody else used or recreated the slot: capture into a new sink from a new slot");
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc
