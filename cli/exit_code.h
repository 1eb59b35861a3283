// What the command's exit code means. Listed in --help and docs/operations.md.
#pragma once

#include <arrow/status.h>

namespace arrowcdc::cli {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,         // anything not listed below
  kUsage = 2,           // command line
  kNoConnection = 3,    // connection, authentication, TLS
  kServerNotReady = 4,  // settings, permissions, plugin, replica identity
  kSlotOrPublication = 5,
  kPositionMismatch = 6,  // sink and slot do not fit together
  kSinkFailed = 7,        // its storage, or whoever reads standard output
  kPassesByItself = 75,   // EX_TEMPFAIL: slot or port in use, another session in the way, the server full
  kInterrupted = 130,     // stopped before it was done: the second Ctrl-C, or --stop-timeout is over
};

inline constexpr const char* kExitCodeHelp =
    "Exit codes: 0 done, 1 other failure, 2 command line, 3 connection or authentication, 4 server not ready "
    "(settings,\n"
    "permissions, plugin, replica identity), 5 slot or publication, 6 sink and slot do not fit together, 7 "
    "sink "
    "storage, or a reader of standard output has gone,\n"
    "75 passes by itself (slot or port in use, locks, server full), 130 stopped before all was done.";

ExitCode ExitCodeOf(const arrow::Status& status);

}  // namespace arrowcdc::cli
