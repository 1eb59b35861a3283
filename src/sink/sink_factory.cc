// Sinks by URI: the part before the first ':' names the kind, the rest says where or how.
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"
#include "arrowcdc/sink.h"
#include "src/sink/console_format.h"
#include "src/sink/console_sink.h"
#include "src/sink/ipc_file_sink.h"
#include "src/sink/ipc_pipe_sink.h"
#include "src/sink/parquet_sink.h"

namespace arrowcdc {
namespace {

arrow::Status BadUri(std::string_view uri, const std::string& why) {
  return MakeError(ErrorKind::kInvalidOption, "sink " + Shown(uri) + ": " + why, "--sink",
                   "use one of parquet:DIR, ipc:FILE, ipc:-, console, console:ndjson, console:table");
}

arrow::Result<std::unique_ptr<Sink>> MakeConsole(std::string_view uri, std::string_view form,
                                                 const SinkOptions& options) {
  const bool people_read = form.empty() && isatty(STDOUT_FILENO) == 1;
  if (form == "table" || people_read)
    return std::make_unique<ConsoleSink>(AppendTable, StandardOutput(options.stop));
  if (form == "ndjson" || form.empty())
    return std::make_unique<ConsoleSink>(AppendNdjson, StandardOutput(options.stop));
  return BadUri(uri, "the console writes ndjson or table, not " + Shown(form));
}

arrow::Status CheckOptions(const SinkOptions& options) {
  if (options.roll_bytes > 0 && options.roll_rows > 0 && options.roll_age.count() > 0)
    return arrow::Status::OK();
  return MakeError(ErrorKind::kInvalidOption, "the limits at which files are closed must be above zero",
                   "sink options", "give bytes, rows and age above zero");
}

}  // namespace

arrow::Result<std::unique_ptr<Sink>> MakeSink(std::string_view uri, const SinkOptions& options) {
  ARROW_RETURN_NOT_OK(CheckOptions(options));
  const size_t colon = uri.find(':');
  const std::string_view kind = uri.substr(0, colon);
  const bool has_colon = colon != std::string_view::npos;
  const std::string where(has_colon ? uri.substr(colon + 1) : std::string_view());
  if (where.find('\0') != std::string::npos) return BadUri(uri, "a path cannot hold a NUL character");
  if (kind == "parquet") {
    if (where.empty()) return BadUri(uri, "the directory is missing");
    return std::make_unique<ParquetSink>(where, options);
  }
  if (kind == "ipc") {
    if (where.empty()) return BadUri(uri, "the file is missing");
    if (where == "-") return std::make_unique<IpcPipeSink>(StandardOutput(options.stop));
    return std::make_unique<IpcFileSink>(where, options);
  }
  if (kind == "console") {
    if (has_colon && where.empty()) return BadUri(uri, "the form is missing after ':'");
    return MakeConsole(uri, where, options);
  }
  if (uri.empty()) return BadUri(uri, "no sink was given");
  return BadUri(uri, "there is no sink of this kind");
}

}  // namespace arrowcdc
