// Keepalives of the walsender: none of them speaks of transactions that are held back (docs/wire.md). Sends
// no row, and leaves the request for a reply as it is.
#pragma once

#include "format/replication_message.h"
#include "plugin/interception.h"

namespace arrowcdc::plugin {

inline bool IsKeepalive(char type, const char* data, size_t size) {
  return type == 'd' && size == format::kKeepaliveBytes && data[0] == 'k';
}

// The walsender is about to send this one. While transactions are held back the client is told so before, and
// walEnd is changed in the bytes given.
void CheckKeepalive(Interception* state, char* keepalive);

// A message of ours as the walsender would stamp it.
void StampSendTime(char* xlog_data);

}  // namespace arrowcdc::plugin
