// What a service manager is told: systemd's protocol of NOTIFY_SOCKET, which is a datagram with lines
// NAME=VALUE. Where there is no such socket nothing is done.
#pragma once

#include <chrono>
#include <string>

namespace arrowcdc::cli {

// Errors are not told: nobody could do anything, and the stream goes on.
void NotifyService(const std::string& state);

// The options are right, the sink is ours, and it streams or copies. Once; later calls do nothing.
void NotifyReady();
// It ends, which may take so long.
void NotifyStopping(std::chrono::milliseconds timeout);

}  // namespace arrowcdc::cli
