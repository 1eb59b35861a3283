// How fast commits come: where waking for each of them costs more than decoding it, the walsender rests
// before it waits for more, and finds several, although its client asked for no delay. Only counts; whether
// it may rest is walsender.cc's.
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct CommitRate {
  TimestampTz window_begin;  // transactions are counted from here on
  uint64_t window_number;    // of the last transaction before it
  bool busy;                 // they came fast in the window before
};

// So long, less the time since it last left off waiting. A change waits for half of it, as a rule.
inline constexpr int64_t kBusyDelayUs = 800;

// `number`: of the transactions that were begun in the session. Looks once a window.
void WatchRate(CommitRate* rate, uint64_t number);

}  // namespace arrowcdc::plugin
