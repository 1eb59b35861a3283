// The drain loop: each turn of the walsender's own loop decodes many records instead of one. Never waits, and
// leaves the last record that can be read to the walsender, which takes its position from the record it
// processes itself.
#pragma once

#include "plugin/interception.h"

namespace arrowcdc::plugin {

// At the top of the walsender's loop: decodes what can be read, for some milliseconds at most.
void DrainRecords(Interception* state);

// The record that was read last counts among the session's.
void CountRecord(Interception* state);

}  // namespace arrowcdc::plugin
