// The group of transactions that is being made (docs/wire.md): what is in it, and how far the client has been
// told. Plain state: when a group ends is decided, and its frames are sent, in flush.h.
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct Group {
  bool marked;           // one of its frames said DIRTY, and all that follow until its last one do
  uint64_t sent_bytes;   // of rows that are on their way
  uint64_t whole_lsn;    // end LSN of the last transaction that is in it as a whole; 0: none yet
  uint32_t whole_count;  // such transactions
  uint32_t whole_max;    // so many may be in it: doubles with every group of the session
  TimestampTz since;     // when it was held back first
  uint64_t safe_lsn;     // of the frames that are written now
  uint64_t reached_lsn;  // safe_lsn of the last group that is on its way whole
};

void InitGroup(Group* group, uint64_t confirmed_lsn);

// A transaction of which something is published is in it as a whole.
void AddTransaction(Group* group, uint64_t end_lsn);

// It may be held back; from when on is remembered.
void HoldBack(Group* group);
bool IsOld(const Group& group);

// Whole transactions are held back.
inline bool HoldsBack(const Group& group) { return group.whole_lsn != 0; }

// The last message of the group is about to be handed to the server: the next one begins.
void EndGroup(Group* group);

}  // namespace arrowcdc::plugin
