// What is asked of a run, and what follows from it: who takes part, in which order.
#pragma once

#include <string>
#include <vector>

#include "bench/contender.h"
#include "bench/workload.h"

namespace arrowcdc::bench {

struct RunOptions {
  bool quick = false;
  bool fsync = false;
  bool peers = false;                   // contenders that are downloaded, too
  int rounds = 0;                       // 0: three when quick, else five
  std::vector<std::string> workloads;   // empty: all
  std::vector<std::string> contenders;  // empty: all
  std::string commit;                   // what is measured
  std::string output = "bench/results/latest.json";

  int rounds_or_default() const { return rounds > 0 ? rounds : quick ? 3 : 5; }
  bool WantsWorkload(const std::string& name) const;
  bool WantsContender(const std::string& name) const;
};

inline constexpr char kNotAContender[] = "not a contender of this workload";
inline constexpr char kLeftOut[] = "left out of this run";
// Why the contender does not take part in a workload with these participants; empty: it does.
std::string ReasonToSkip(const RunOptions& options, const Contender& contender,
                         const std::vector<std::string>& participants);
// Round by round another contender begins.
std::vector<const Contender*> OrderOfRound(const std::vector<const Contender*>& contenders, int round);
// Progress, for people.
void Say(const std::string& line);

}  // namespace arrowcdc::bench
