// The option table: what the command line, the arguments of the Python package and docs/reference.md are made
// of. Data and what reads it; no I/O, and nothing of a door's library (CLI11, Python).
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "src/options/options.h"

namespace arrowcdc {

// The commands, as bits. kProgram: options that stand with any of them.
enum CommandBits : unsigned {
  kSetup = 1,
  kStream = 2,
  kStatus = 4,
  kTables = 8,
  kTeardown = 16,
  kSql = 32,
  kResnapshot = 64,
  kAddTables = 128,
  kProgram = 256,
  kDoctor = 512,
  kConfig = 1024,
  kTail = 2048,
};
inline constexpr unsigned kEveryWithSource = kSetup | kStream | kStatus | kTables | kTeardown | kDoctor;

struct Command {
  CommandBits bit;
  const char* name;
  const char* what;
  const char* footer;  // of its help; may be empty
};

// Where options are given. Each has its names for them, its units, and its words for what is wrong.
enum class Door { kCommand, kPython };

enum class OptionType {
  kText,
  kList,      // of texts
  kFlag,      // given or not; Python: bool
  kCount,     // a number
  kSize,      // bytes; the command line: 64MiB
  kDuration,  // the command line: 30s; Python: seconds
  kChoice,    // one of words
  kPosition,  // "now" or an LSN
};

// Whose sources have the option.
enum class Database { kAny, kPostgres, kMysql };

// The kinds of sinks, as bits: those that an option is of. Others keep nothing, and have none.
enum SinkBits : unsigned {
  kParquetSink = 1,
  kIpcFileSink = 2,
};

// What is on disk that a value names.
enum class PathKind { kNone, kFile, kDirectory };

// monostate: not given. kCount and kSize are int64_t; kText, kChoice and kPosition are texts.
using OptionValue = std::variant<std::monostate, bool, int64_t, std::chrono::milliseconds, std::string,
                                 std::vector<std::string>>;

// The field of Options that holds the value. An error without ErrorDetail: the word is none of the choice's.
struct OptionField {
  OptionValue (*get)(const Options& options);
  arrow::Status (*set)(const OptionValue& value, Options& options);
};

struct Option {
  // Where it stands in a configuration that is written down; empty: it belongs to one run, and does not.
  const char* section;
  const char* name;         // there, and with -- in front on the command line
  const char* python = "";  // the argument of the package; empty: there is none
  unsigned commands = 0;
  OptionType type;
  OptionField field;
  const char* help;
  const char* python_help = "";                  // where the package's says something else
  std::span<const std::string_view> words = {};  // of kChoice
  // In bytes, milliseconds or as it is.
  int64_t minimum = std::numeric_limits<int64_t>::min();
  int64_t maximum = std::numeric_limits<int64_t>::max();
  char letter = 0;          // the command line's short form
  bool required = false;    // the command line
  bool positional = false;  // on the command line, without a name
  bool secret = false;      // may hold a password: never shown
  Database database = Database::kAny;
  unsigned sinks = 0;  // on which alone it has an effect; 0: whatever the sink is
  // What a shell offers, besides `words`.
  PathKind path = PathKind::kNone;
  std::span<const std::string_view> forms = {};  // that a value may have; a path follows a ':' at the end
};

std::span<const Command> Commands();
std::span<const Option> OptionTable();

// What a door begins with.
Options DefaultsOf(Door door);

// "--roll-bytes", "DIR", "retry_max".
std::string NameOf(const Option& option, Door door);

std::string HelpOf(const Option& option, Door door);

// "above 0", "1 to 65536", the words of a choice; empty: whatever the type holds.
std::string RangeOf(const Option& option);

// A value that was typed, of any type but kList and kFlag. Errors: kInvalidOption without the option's name.
arrow::Result<OptionValue> ReadValue(const Option& option, const std::string& text);

// Checks bounds and words, and sets the field. `value` has the option's type; monostate changes nothing.
// Errors: kInvalidOption in the words of the door.
arrow::Status SetOption(const Option& option, Door door, const OptionValue& value, Options& options);

// An option that was given for a source of another database. Errors: kInvalidOption naming the first.
arrow::Status CheckDatabase(const Options& options, Door door);

// Those that were given and have no effect on the sink that was: "--roll-rows".
std::vector<std::string> OptionsOfOtherSinks(const Options& options);

// As the command line reads it: 128MiB, 30s, lz4; empty: none.
std::string FormatValue(const Option& option, const OptionValue& value);

}  // namespace arrowcdc
