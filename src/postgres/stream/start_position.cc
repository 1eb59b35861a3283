#include "src/postgres/stream/start_position.h"

#include <algorithm>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

arrow::Status Gap(const SlotStanding& now, const std::string& text, const std::string& remedy) {
  return MakeError(ErrorKind::kPositionGap, text, "slot \"" + now.slot + "\"", remedy);
}

// A stored position is worth something on the current timeline only if that timeline left the stored one
// after it.
arrow::Status CheckTimeline(const Position& stored, const SlotStanding& now,
                            const TimelineEnd& timeline_end) {
  if (stored.epoch == now.timeline) return arrow::Status::OK();
  const std::string stored_text = FormatLsn(stored.order) + " on timeline " + std::to_string(stored.epoch);
  if (stored.epoch > now.timeline) {
    return Gap(now,
               "the stored position " + stored_text + " is on a later timeline than the server's " +
                   std::to_string(now.timeline) + ": this server was restored to an earlier state",
               "capture into a new sink from a new slot");
  }
  ARROW_ASSIGN_OR_RAISE(const uint64_t end, timeline_end(stored.epoch));
  if (stored.order <= end) return arrow::Status::OK();
  return Gap(now,
             "the stored position " + stored_text +
                 " has diverged: the server's history left that timeline at " + FormatLsn(end) +
                 ", so the sink holds changes that this server does not have",
             "capture into a new sink from a new slot");
}

}  // namespace

arrow::Status CheckHistory(const Position& stored, const SlotStanding& now, const TimelineEnd& timeline_end) {
  ARROW_RETURN_NOT_OK(CheckTimeline(stored, now, timeline_end));
  if (stored.order <= now.current_flush) return arrow::Status::OK();
  return Gap(now,
             "the stored position " + FormatLsn(stored.order) + " is beyond the end of the server's WAL, " +
                 FormatLsn(now.current_flush) + ": this server was restored to an earlier state",
             "capture into a new sink from a new slot");
}

namespace {

arrow::Status CheckSlotOfNewSink(const SlotStanding& now) {
  const std::string confirmed = FormatLsn(now.confirmed_flush);
  if (!now.used) return arrow::Status::OK();
  const std::string own_slot =
      "for a second sink make a slot of its own (--slot NAME with 'arrowcdc setup'); if this one takes the "
      "slot over, --snapshot initial copies all rows that are there first; ";
  if (!now.start_known) {
    return Gap(
        now,
        "the sink is new, the slot's changes were decoded before, and nothing tells whether any up to " +
            confirmed + " were acknowledged elsewhere: setup did not note where the slot began",
        "check the path of --sink: another sink may have received them; " + own_slot +
            "if no other sink was fed from this slot, --accept-gap begins at " + confirmed);
  }
  return Gap(now,
             "the sink is new, but changes of the slot up to " + confirmed +
                 " were already acknowledged elsewhere: they would be missing here",
             "check the path of --sink: another sink received them; " + own_slot + "--accept-gap begins at " +
                 confirmed + " and leaves them out");
}

arrow::Status CheckSlotOfStored(const Position& stored, const SlotStanding& now) {
  if (stored.order >= now.confirmed_flush) return arrow::Status::OK();
  return Gap(
      now,
      "the slot stands at " + FormatLsn(now.confirmed_flush) + ", ahead of the sink's stored position " +
          FormatLsn(stored.order) +
          ": the changes between were acknowledged elsewhere, or the slot was recreated",
      "use the sink that received them; or copy all rows anew into this one (--snapshot when-needed), or "
      "capture into a new sink from a new slot; --accept-gap goes on without them");
}

// The same server as before, and nobody moved or recreated the slot meanwhile.
arrow::Status CheckReconnect(const Position& delivered, const SlotStanding& now,
                             const TimelineEnd& timeline_end) {
  if (now.source_before.has_value() && *now.source_before != now.source) {
    return Gap(now,
               "the server changed while reconnecting: system identifier " + now.source_before->id +
                   " before, " + now.source.id + " now",
               "check the host name or the proxy in --source");
  }
  ARROW_RETURN_NOT_OK(CheckHistory(delivered, now, timeline_end));
  if (now.confirmed_flush <= delivered.order) return arrow::Status::OK();
  return Gap(now,
             "the slot moved to " + FormatLsn(now.confirmed_flush) +
                 " while the connection was away; only changes up to " + FormatLsn(delivered.order) +
                 " were delivered",
             "somebody else used or recreated the slot: capture into a new sink from a new slot");
}

}  // namespace

arrow::Result<Position> ChooseStart(const SlotStanding& now, const ResumeRequest& request,
                                    const TimelineEnd& timeline_end) {
  const uint64_t has = request.position.order;
  switch (request.have) {
    case ResumeRequest::Have::kNothing:
      break;
    case ResumeRequest::Have::kNothingYet:
      if (!request.accept_gap) ARROW_RETURN_NOT_OK(CheckSlotOfNewSink(now));
      break;
    case ResumeRequest::Have::kStored:
      ARROW_RETURN_NOT_OK(CheckHistory(request.position, now, timeline_end));
      if (!request.accept_gap) ARROW_RETURN_NOT_OK(CheckSlotOfStored(request.position, now));
      return Position{now.timeline, std::max(has, now.confirmed_flush)};
    case ResumeRequest::Have::kDelivered:
      ARROW_RETURN_NOT_OK(CheckReconnect(request.position, now, timeline_end));
      return Position{now.timeline, has};
  }
  return Position{now.timeline, now.confirmed_flush};
}

}  // namespace arrowcdc::postgres
