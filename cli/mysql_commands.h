// What setup, status and the others are for MySQL and MariaDB, where nothing has to be made.
#pragma once

#include "cli/exit_code.h"
#include "src/options/options.h"

namespace arrowcdc::cli {

// What was found right, what to know, and what is in the way, with the SQL that helps.
ExitCode RunMysqlSetup(const Options& options);
// The server's binary log, once or again and again.
ExitCode RunMysqlStatus(const Options& options);
// A command that has no meaning there.
ExitCode RefuseForMysql(const char* command, const char* remedy);

}  // namespace arrowcdc::cli
