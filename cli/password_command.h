// --password-command: a password that is in no file and no argument.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <arrow/result.h>

#include "arrowcdc/stop_token.h"

namespace arrowcdc::cli {

// As long as it takes: somebody may have to type.
constexpr auto kNoPasswordLimit = std::chrono::steady_clock::time_point::max();

// What the command prints on standard output, without the line break at its end. Blocking until the deadline,
// when the command is killed, or until `stop`, which may be null. Errors: kAuthentication where it fails or
// does not end, kInvalidOption where there is no such command or what it prints is no password, with no word
// of what it printed; kInterrupted.
arrow::Result<std::string> RunPasswordCommand(
    const std::string& command, const StopToken* stop = nullptr,
    std::chrono::steady_clock::time_point deadline = kNoPasswordLimit);

// The same as the password of all connections that have no other one: run now, and again where a server
// refuses what it printed. Where nobody can type it has a minute.
arrow::Status UsePasswordOf(const std::string& command, std::shared_ptr<StopToken> stop);

}  // namespace arrowcdc::cli
