// Keeps passwords out of what other users of the machine can see.
#pragma once

namespace arrowcdc::cli {

// Overwrites passwords of connection strings (password=..., postgresql://user:...@) in the process's
// arguments. Call it after they were read.
void HidePasswords(int argc, char** argv);

}  // namespace arrowcdc::cli
