// Where connections get a password from that nobody has given them: a command that prints a token, a vault.
#pragma once

#include <functional>
#include <string>

#include <arrow/result.h>

namespace arrowcdc {

// Returns the password. Called by one thread at a time, whichever connects; may block.
using PasswordProvider = std::function<arrow::Result<std::string>()>;

// For all connections of this process from now on whose connection string or URL holds none; it comes before
// environment variables and password files. Asked once, and again where a server refuses what it said then: a
// token that has run out is replaced. Empty: there is none.
void SetPasswordProvider(PasswordProvider provider);

}  // namespace arrowcdc
