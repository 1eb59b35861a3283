#include "src/options/reference.h"

#include "src/options/option.h"

namespace arrowcdc {
namespace {

constexpr const char* kHead =
    "# Reference\n"
    "\n"
    "Every option of the command and of the Python package, with its default. `make reference` writes this\n"
    "page from the option table (src/options/option_table.cc).\n"
    "\n"
    "On the command line a *size* is a whole number of bytes, or with kB, MB, GB, KiB, MiB or GiB, and a\n"
    "*duration* a whole number with ms, s, min, h or d, at most 36500d. Both are spelt exactly so: no\n"
    "fractions, no spaces, capitals as here. What a command does and how it ends:\n"
    "[operations](operations.md).\n";

constexpr const char* kPythonHead =
    "\n"
    "## Python: `ArrowCDCReaderConfig` and its `auto_configure`\n"
    "\n"
    "Keyword arguments ([python](python.md)). Sizes are in bytes, durations in seconds.\n"
    "\n";

constexpr const char* kColumns = "| option | type | range | default | what it is |\n|---|---|---|---|---|\n";

// For a cell of a table.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '<') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

const char* TypeName(const Option& option, Door door) {
  const bool python = door == Door::kPython;
  switch (option.type) {
    case OptionType::kText:
      return python ? "str" : "text";
    case OptionType::kList:
      return python ? "str or list" : "one or more texts";
    case OptionType::kFlag:
      return python ? "bool" : "flag";
    case OptionType::kCount:
      return python ? "int" : "number";
    case OptionType::kSize:
      return python ? "int, bytes" : "size";
    case OptionType::kDuration:
      return python ? "float, seconds" : "duration";
    case OptionType::kChoice:
      return python ? "str" : "choice";
    case OptionType::kPosition:
      return python ? "str or int" : "position";
  }
  return "";
}

// As it is written in Python.
std::string PythonValue(const OptionValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "True" : "False";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* duration = std::get_if<std::chrono::milliseconds>(&value)) {
    const auto text = std::to_string(static_cast<double>(duration->count()) / 1000);
    return text.substr(0, text.find('.') + 2);
  }
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && !text->empty())
    return "'" + *text + "'";
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    return list->empty() ? "()" : "'" + list->front() + "'";
  return "None";
}

std::string DefaultIn(const Option& option, Door door) {
  const OptionValue value = option.field.get(DefaultsOf(door));
  if (door == Door::kPython) return "`" + PythonValue(value) + "`";
  if (option.required) return "required";
  if (option.type == OptionType::kFlag) return "";
  const std::string text = FormatValue(option, value);
  return text.empty() ? "" : "`" + text + "`";
}

std::string RowOf(const Option& option, Door door) {
  std::string name = NameOf(option, door);
  if (option.letter != 0 && door == Door::kCommand) name += std::string(", -") + option.letter;
  return "| `" + name + "` | " + TypeName(option, door) + " | " + Escaped(RangeOf(option)) + " | " +
         DefaultIn(option, door) + " | " + Escaped(HelpOf(option, door)) + " |\n";
}

std::string RowsOf(unsigned bit) {
  std::string rows = kColumns;
  for (const Option& option : OptionTable()) {
    if ((option.commands & bit) != 0) rows += RowOf(option, Door::kCommand);
  }
  return rows;
}

}  // namespace

std::string MakeReference() {
  std::string page = kHead;
  for (const Command& command : Commands()) {
    page += std::string("\n## `arrowcdc ") + command.name + "`\n\n" + Escaped(command.what) + "\n\n" +
            RowsOf(command.bit);
  }
  page += "\n## Every command\n\nBefore the command's name or behind it.\n\n" + RowsOf(kProgram);
  page += kPythonHead;
  page += kColumns;
  for (const Option& option : OptionTable()) {
    if (*option.python != '\0') page += RowOf(option, Door::kPython);
  }
  return page;
}

}  // namespace arrowcdc
