#include "bench/run_options.h"

#include <algorithm>
#include <cstdio>

#include "bench/client_program.h"

namespace arrowcdc::bench {
namespace {

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool RunOptions::WantsWorkload(const std::string& name) const {
  return workloads.empty() || Has(workloads, name);
}
bool RunOptions::WantsContender(const std::string& name) const {
  return contenders.empty() || Has(contenders, name);
}

std::string ReasonToSkip(const RunOptions& options, const Contender& contender,
                         const std::vector<std::string>& participants) {
  if (!Has(participants, contender.name)) return kNotAContender;
  if (contender.downloaded && !options.peers) return "only measured with PEERS=all";
  if (!options.WantsContender(contender.name)) return kLeftOut;
  const auto program = FindClientProgram(contender.reader);
  if (!program.ok()) return program.status().message();
  return "";
}

std::vector<const Contender*> OrderOfRound(const std::vector<const Contender*>& contenders, int round) {
  std::vector<const Contender*> order = contenders;
  if (!order.empty())
    std::rotate(order.begin(), order.begin() + round % static_cast<int>(order.size()), order.end());
  return order;
}

void Say(const std::string& line) {
  std::fprintf(stderr, "bench: %s\n", line.c_str());
  std::fflush(stderr);
}

}  // namespace arrowcdc::bench
