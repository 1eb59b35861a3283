// The program that drains for a contender: this one, or one of another language.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "bench/contender.h"

namespace arrowcdc::bench {

struct ClientProgram {
  std::vector<std::string> argv;  // the task's arguments follow
  std::map<std::string, std::string> env;
};

// Errors: what is missing, and what to do.
arrow::Result<ClientProgram> FindClientProgram(Reader reader);

}  // namespace arrowcdc::bench
