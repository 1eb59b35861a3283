#include "bench/client_program.h"

#include <filesystem>

namespace arrowcdc::bench {
namespace {

namespace fs = std::filesystem;

arrow::Result<ClientProgram> FindPython() {
  const fs::path packages = fs::path(ARROWCDC_BENCH_BUILD) / "python";
  std::error_code ignored;
  bool built = false;
  for (const auto& entry : fs::directory_iterator(packages / "arrowcdc", ignored)) {
    built |= entry.path().filename().string().starts_with("_core.");
  }
  if (!built) return arrow::Status::Invalid("the Python package is not built: `make bench` builds it");
  const fs::path source = ARROWCDC_BENCH_SOURCE;
  return ClientProgram{
      .argv = {(source / ".venv/bin/python").string(), (source / "bench/python_drain.py").string()},
      .env = {{"PYTHONPATH", packages.string()}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
}

arrow::Result<ClientProgram> FindDebezium() {
  const fs::path directory = fs::path(ARROWCDC_BENCH_BUILD) / "bench/debezium";
  if (!fs::exists(directory / "classes/DebeziumDrain.class")) {
    return arrow::Status::Invalid("Debezium could not be had: build/bench/debezium.log says why");
  }
  const std::string classes = (directory / "classes").string();
  const std::string libraries = (directory / "lib/*").string();
  return ClientProgram{.argv = {"java", "-cp", classes + ":" + libraries, "DebeziumDrain"}, .env = {}};
}

}  // namespace

arrow::Result<ClientProgram> FindClientProgram(Reader reader) {
  if (reader == Reader::kPython) return FindPython();
  if (reader == Reader::kDebezium) return FindDebezium();
  return ClientProgram{.argv = {"/proc/self/exe", "drain"}, .env = {}};
}

}  // namespace arrowcdc::bench
