// Sinks by URI: the part before the first ':' names the kind, the rest says where or how.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
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
#include "src/sink/live_table.h"
#include "src/sink/parquet_sink.h"

namespace arrowcdc {
namespace {

constexpr int64_t kZstdLevelMax = 22;

constexpr char kForms[] =
    "use one of parquet:DIR, ipc:FILE, ipc:-, console, console:ndjson, console:table; DIR and FILE are local "
    "paths, and ./ in front makes a path of what looks like a URL";

// Nothing of the URI but its kind is repeated: a connection string may stand where the sink should.
arrow::Status BadUri(const std::string& why, const std::string& remedy = kForms) {
  return MakeError(ErrorKind::kInvalidOption, why, "option --sink", remedy);
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsSchemeCharacter(char c) {
  return IsLetter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

// Length of "scheme" where text begins with one and ':', else 0.
size_t SchemeLength(std::string_view text) {
  const size_t length =
      static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsSchemeCharacter) - text.begin());
  return length > 0 && length < text.size() && text[length] == ':' && IsLetter(text[0]) ? length : 0;
}

int HexDigit(char c) {
  const char* const digits = "0123456789abcdef";
  const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  const char* const found = c == '\0' ? nullptr : std::strchr(digits, lower);
  return found == nullptr ? -1 : static_cast<int>(found - digits);
}

arrow::Result<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '?' || text[i] == '#') {
      return BadUri("a file URL with '?' or '#'",
                    "write %3F and %23 for them in a URL, or give the plain path");
    }
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return BadUri("a file URL with a '%' that two hexadecimal digits do not follow",
                    "write %25 for it in a URL, or give the plain path");
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

// The local path that `where` names.
arrow::Result<std::string> LocalPath(std::string_view kind, std::string_view where) {
  std::string path(where);
  const size_t scheme_length = SchemeLength(where);
  if (scheme_length > 0 && where.substr(scheme_length + 1).starts_with('/')) {
    const std::string scheme(where.substr(0, scheme_length));
    if (scheme != "file") {
      return BadUri(
          std::string(kind) + ": stores on local disks only, not at " + scheme + "://",
          "write to a local path and copy complete files; a local path of that name is written with "
          "./ in front");
    }
    std::string_view rest = where.substr(scheme_length + 1);
    if (rest.starts_with("//")) rest.remove_prefix(2);
    if (!rest.starts_with('/')) {
      return BadUri("a file URL with a host", "give the path on this machine, as in file:///srv/changes");
    }
    ARROW_ASSIGN_OR_RAISE(path, PercentDecoded(rest));
  } else if (where.starts_with("//")) {
    return BadUri(std::string(kind) + "://: the path of a sink is no URL",
                  "write " + std::string(kind) + ":/PATH for a path from the root, " + std::string(kind) +
                      ":PATH for one below the working directory");
  } else if (where.starts_with('~')) {
    return BadUri("the shell did not expand '~', and no other program does",
                  "write $HOME instead, as in " + std::string(kind) +
                      ":\"$HOME/changes\"; a local path that "
                      "begins with ~ is written with ./ in front");
  }
  if (path.find('\0') != std::string::npos) return BadUri("a path cannot hold a NUL character");
  return path;
}

// Standard output's.
TerminalStyle StyleOfTerminal() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const kind = std::getenv("TERM");
  const bool plain =
      (no_colour != nullptr && *no_colour != '\0') || (kind != nullptr && std::string_view(kind) == "dumb");
  return {.colour = !plain, .columns = [] {
            constexpr size_t kUsual = 80;
            winsize size{};
            const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
            return known ? size_t{size.ws_col} : kUsual;
          }};
}

arrow::Result<std::unique_ptr<Sink>> MakeConsole(std::string_view form, const SinkOptions& options) {
  const bool table = form.empty() || form == "table";
  if (table && isatty(STDOUT_FILENO) == 1) {
    const auto live = std::make_shared<LiveTable>(StyleOfTerminal());
    return std::make_unique<ConsoleSink>(
        [live](const ChangeBatch& batch, std::string* out) { return live->Append(batch, out); },
        StandardOutput(options.stop));
  }
  if (form == "table") return std::make_unique<ConsoleSink>(AppendTable, StandardOutput(options.stop));
  if (form == "ndjson" || form.empty())
    return std::make_unique<ConsoleSink>(AppendNdjson, StandardOutput(options.stop));
  return BadUri("the console writes ndjson or table");
}

arrow::Status CheckOptions(const SinkOptions& options) {
  if (options.roll_bytes <= 0 || options.roll_rows <= 0 || options.roll_age.count() <= 0) {
    return MakeError(ErrorKind::kInvalidOption, "the limits at which files are closed must be above zero",
                     "sink options", "give bytes, rows and age above zero");
  }
  if (options.parquet.compression_level < 1 || options.parquet.compression_level > kZstdLevelMax) {
    return MakeError(ErrorKind::kInvalidOption, "Zstandard has no such compression level", "sink options",
                     "give a level from 1 to " + std::to_string(kZstdLevelMax));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::unique_ptr<Sink>> MakeSink(std::string_view uri, const SinkOptions& options) {
  ARROW_RETURN_NOT_OK(CheckOptions(options));
  const size_t colon = uri.find(':');
  const std::string_view kind = uri.substr(0, colon);
  const bool has_colon = colon != std::string_view::npos;
  const std::string_view where = has_colon ? uri.substr(colon + 1) : std::string_view();
  if (kind == "parquet") {
    if (where.empty()) return BadUri("the directory is missing");
    ARROW_ASSIGN_OR_RAISE(const std::string path, LocalPath(kind, where));
    return std::make_unique<ParquetSink>(path, options);
  }
  if (kind == "ipc") {
    if (where.empty()) return BadUri("the file is missing");
    if (where == "-") return std::make_unique<IpcPipeSink>(StandardOutput(options.stop));
    ARROW_ASSIGN_OR_RAISE(const std::string path, LocalPath(kind, where));
    return std::make_unique<IpcFileSink>(path, options);
  }
  if (kind == "console") {
    if (has_colon && where.empty()) return BadUri("the form is missing after ':'");
    return MakeConsole(where, options);
  }
  if (uri.empty()) return BadUri("no sink was given");
  const bool is_scheme = SchemeLength(uri) > 0 && SchemeLength(uri) == kind.size();
  return BadUri("there is no sink of " + (is_scheme ? "kind " + Shown(kind) : "this kind"));
}

}  // namespace arrowcdc
