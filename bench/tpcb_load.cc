#include "bench/tpcb_load.h"

#include <cstdlib>
#include <vector>

namespace arrowcdc::bench {

arrow::Status MakeTpcbTables(Server& server, int scale, const std::string& database) {
  ARROW_RETURN_NOT_OK(
      server.Pgbench({"--initialize", "--quiet", "--scale=" + std::to_string(scale)}, database).status());
  return server.Settle().status();
}

arrow::Status TidyTpcbTables(Server& server, const std::string& database) {
  ARROW_ASSIGN_OR_RAISE(const auto sql, server.Connect(database));
  ARROW_RETURN_NOT_OK(sql->Exec("VACUUM pgbench_branches, pgbench_tellers"));
  return server.Settle().status();
}

arrow::Result<double> RunTpcbLoad(Server& server, const TpcbRun& run, const std::string& database) {
  std::vector<std::string> arguments = {"--client=" + std::to_string(kTpcbClients), "--jobs=1",
                                        "--protocol=prepared", "--builtin=tpcb-like"};
  if (run.rate > 0) arguments.push_back("--rate=" + std::to_string(run.rate));
  if (run.per_client > 0) arguments.push_back("--transactions=" + std::to_string(run.per_client));
  if (run.seconds > 0) arguments.push_back("--time=" + std::to_string(run.seconds));
  ARROW_ASSIGN_OR_RAISE(const std::string output, server.Pgbench(arguments, database));
  const size_t at = output.find("tps = ");
  if (at == std::string::npos) return arrow::Status::IOError("pgbench did not say its rate");
  return std::atof(output.c_str() + at + 6);
}

}  // namespace arrowcdc::bench
