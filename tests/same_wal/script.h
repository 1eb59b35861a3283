// A script: what several sessions do, one step after the other, so that it is the same in every run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "tests/testing/private_server.h"

namespace arrowcdc::test {

struct Step {
  int session = 0;
  std::string sql{};
  std::string copy_data{};  // of a COPY ... FROM STDIN
  bool may_fail = false;    // it is there to fail, or to be behind one that is
  int transaction = 0;      // steps of one number go together; a prepared transaction's end is among them
};

struct Script {
  uint64_t seed = 0;
  std::vector<std::string> setup{};
  std::vector<Step> steps{};
  int sessions = 0;
  std::map<std::string, std::string> leaves{};  // the table that each partition is one of, without schemas
};

// For people, and nearly for psql: a session's number stands in front of its statements.
std::string ToText(const Script& script);

struct RunResult {
  // What the server said to statements that were not there to fail; not what followed from it in the same
  // transaction.
  std::vector<std::string> failures{};
};
// Runs setup in `database`, which must be new.
arrow::Status RunSetup(const PrivateServer& server, const std::string& database, const Script& script);
// Runs the steps. Whatever a statement's fate, the next one follows; at the end no transaction is open, and
// none is prepared.
arrow::Result<RunResult> RunSteps(const PrivateServer& server, const std::string& database,
                                  const Script& script);

}  // namespace arrowcdc::test
