// --password-command: a password that is in no file and no argument.
#pragma once

#include <string>

#include <arrow/result.h>

namespace arrowcdc::cli {

// What the command prints on standard output, without the line break at its end. Blocking: as long as it
// takes. Errors: kInvalidOption where it fails or prints nothing; with no word of what it printed.
arrow::Result<std::string> RunPasswordCommand(const std::string& command);

// The same as the password of all connections that have no other one: run now, and again where a server
// refuses what it printed.
arrow::Status UsePasswordOf(const std::string& command);

}  // namespace arrowcdc::cli
