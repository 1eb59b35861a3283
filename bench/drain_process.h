// A drain in a process of its own, so that its memory and CPU time are its own. Both sides are here: the
// parent's, and what the child runs. Child's stdout: "started PID" (0: the server knows who reads the slot),
// then one line of JSON; it keeps its connection until its stdin ends. Clients that are not C++
// (bench/client_program.h) take the same arguments and say the same.
#pragma once

#include <chrono>
#include <memory>

#include <arrow/result.h>

#include "bench/drain.h"
#include "bench/process_stats.h"
#include "tests/testing/sql_connection.h"
#include "tests/testing/subprocess.h"

namespace arrowcdc::bench {

struct MeasuredDrain {
  DrainResult client;
  double server_cpu_s = 0;        // of the process that serves the drain, from its start
  double client_cpu_s = 0;        // of the client's, from its start to the last row
  int64_t server_peak_bytes = 0;  // its anonymous memory
};

class DrainProcess {
 public:
  // Returns when the stream has begun. `control`: finds the server process of a slot.
  static arrow::Result<std::unique_ptr<DrainProcess>> Start(const DrainTask& task,
                                                            test::SqlConnection* control);
  // CPU time so far.
  double server_cpu_s() const;
  double client_cpu_s() const;
  // To a client that cannot count, of a task that does not say where its rows end: it has had them all.
  arrow::Status SayEnd();
  // Waits for the last row. Errors: the child's own, or IOError when `limit` has passed; the child is dead
  // then.
  arrow::Result<MeasuredDrain> Finish(std::chrono::seconds limit);

 private:
  arrow::Result<std::string> ReadLine(std::chrono::seconds limit);

  std::unique_ptr<test::Subprocess> child_;
  pid_t server_process_ = 0;
  std::unique_ptr<ProcessSampler> sampler_;
  std::string pending_;   // read from the child, not yet a line
  int64_t began_us_ = 0;  // the stream, as the server says; 0: not asked
};

// The child's side: what `arrowcdc_bench drain` does. Returns the exit code.
int RunDrainChild(const DrainTask& task);

}  // namespace arrowcdc::bench
