#include "tests/end_to_end/client.h"

#include <cstdlib>

#include "arrowcdc/position.h"

namespace arrowcdc::test {

std::filesystem::path CommandPath() {
  const char* given = std::getenv("ARROWCDC_COMMAND");
  return given != nullptr ? given : ARROWCDC_COMMAND_PATH;
}

SubprocessOptions Command(const PrivateServer& server, const std::string& subcommand,
                          std::vector<std::string> arguments) {
  SubprocessOptions options;
  options.argv = {CommandPath(), "--log=json", subcommand, "--source", server.conninfo()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  return options;
}

arrow::Status RunCommand(const PrivateServer& server, const std::string& subcommand,
                         std::vector<std::string> arguments) {
  return RunProgram(Command(server, subcommand, std::move(arguments)), std::chrono::minutes(2)).status();
}

arrow::Result<uint64_t> ConfirmedFlush(SqlConnection& sql, const std::string& slot) {
  ARROW_ASSIGN_OR_RAISE(
      const std::string text,
      sql.Scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + slot + "'"));
  return ParseLsn(text);
}

arrow::Status CompareReplay(const PrivateServer& server, const std::filesystem::path& files,
                            const std::vector<std::string>& tables) {
  SubprocessOptions options;
  options.argv = {ARROWCDC_PYTHON, ARROWCDC_COMPARE,  "--parquet", files,
                  "--conninfo",    server.conninfo(), "--tables"};
  options.argv.insert(options.argv.end(), tables.begin(), tables.end());
  ARROW_ASSIGN_OR_RAISE(auto program, Subprocess::Start(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(const ExitState ended, program->Wait(std::chrono::minutes(5)));
  if (ended.ok()) return arrow::Status::OK();
  return arrow::Status::Invalid("the files are not what the tables are\n", program->output(),
                                program->error());
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "arrowcdc-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace arrowcdc::test
