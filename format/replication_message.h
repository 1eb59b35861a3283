// What stands around a frame: the messages of PostgreSQL's streaming replication protocol that a walsender
// puts into CopyData ("Streaming Replication Protocol" in PostgreSQL's manual). Integers are big-endian.
// Depends on nothing.
#pragma once

#include <cstdint>

namespace arrowcdc::format {

// XLogData: 'w', dataStart, walEnd, sendTime, and what the plugin wrote.
inline constexpr uint32_t kDataStartAt = 1;
inline constexpr uint32_t kWalEndAt = 9;
inline constexpr uint32_t kSendTimeAt = 17;
inline constexpr uint32_t kXLogDataHeaderBytes = 25;

// Primary keepalive: 'k', walEnd, sendTime, and whether a reply is requested.
inline constexpr uint32_t kKeepaliveWalEndAt = 1;
inline constexpr uint32_t kKeepaliveReplyAt = 17;
inline constexpr uint32_t kKeepaliveBytes = 18;

}  // namespace arrowcdc::format
