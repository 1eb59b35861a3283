// The results as tables for people.
#pragma once

#include <string>

#include "bench/results.h"
#include "bench/workload.h"

namespace arrowcdc::bench {

void PrintBacklog(const Results& results, const std::string& workload);
void PrintPaced(const Results& results, const std::string& workload);
void PrintPartition(const Results& results);
void PrintTpcb(const Results& results, const std::string& workload);
void PrintLive(const Results& results, const LiveWorkload& workload);
void PrintIdleStreams(const Results& results, const std::string& workload);

}  // namespace arrowcdc::bench
