#include "cli/documents/completions.h"

#include <algorithm>
#include <string_view>

#include "src/options/option.h"

namespace arrowcdc::cli {
namespace {

constexpr const char* kHead = "# Made from arrowcdc's option table; not to be edited.\n";

std::string NameOf(const Option& option) { return NameOf(option, Door::kCommand); }

// Ends before what only a manual has room for.
std::string_view Short(std::string_view help) {
  const size_t end = std::min({help.find(';'), help.find(": "), help.find(" (")});
  return help.substr(0, end);
}

std::string Joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : " ") + std::string(word);
  return text;
}

// Between single quotes, where `quote` stands for one of them.
std::string Quoted(std::string_view text, std::string_view quote, std::string_view escape_also = "") {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += quote;
      continue;
    }
    if (escape_also.find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

// Of a command, without its positional arguments; those of every command with them.
std::string OptionNames(unsigned bit) {
  std::string names;
  for (const Option& option : OptionTable()) {
    if ((option.commands & (bit | kProgram)) != 0 && !option.positional) names += NameOf(option) + " ";
  }
  return names + "--help";
}

// --- bash -------------------------------------------------------------------------------------------------

// Words are split at blanks, names of files are not. The word before a value, and its beginning: readline
// takes '=' and ':' for words of their own.
constexpr const char* kBashWords = R"(_arrowcdc() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= kind= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
)";

constexpr const char* kBashValues = R"(    esac
  done
  i=$((COMP_CWORD - 1))
  if [[ $current == : ]]; then
    kind=$previous current= i=$((i - 1))
  elif [[ $previous == : ]]; then
    kind=${COMP_WORDS[COMP_CWORD-2]} i=$((i - 2))
  elif [[ $current == = ]]; then
    current=
  fi
  if [[ ${COMP_WORDS[i]} == = ]]; then i=$((i - 1)); fi
  case ${COMP_WORDS[i]} in
)";

std::string BashForms(const Option& option) {
  std::string text = "    " + NameOf(option) + ")\n      case $kind in\n";
  text += "        '') COMPREPLY=($(compgen -W '" + Joined(option.forms) +
          "' -- \"$current\"))\n"
          "          [[ ${COMPREPLY[*]} != *: ]] || compopt -o nospace ;;\n";
  std::string paths;
  for (const std::string_view form : option.forms) {
    const size_t colon = form.find(':');
    if (colon == std::string_view::npos) continue;
    if (colon + 1 == form.size()) paths += (paths.empty() ? "" : "|") + std::string(form.substr(0, colon));
  }
  text += "        " + paths +
          ") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n";
  return text + "      esac\n      return ;;\n";
}

std::string BashValue(const Option& option) {
  if (!option.forms.empty()) return BashForms(option);
  std::string action;
  if (!option.words.empty()) {
    action = "COMPREPLY=($(compgen -W '" + Joined(option.words) + "' -- \"$current\")); ";
  } else if (option.path != PathKind::kNone) {
    action = std::string("compopt -o filenames; mapfile -t COMPREPLY < <(compgen ") +
             (option.path == PathKind::kDirectory ? "-d" : "-f") + " -- \"$current\"); ";
  }
  return "    " + NameOf(option) + ") " + action + "return ;;\n";
}

// What its positional arguments may be, as arguments of compgen; which of them is typed is not counted.
std::string BashArguments(const Command& command) {
  std::string words;
  std::string paths;
  for (const Option& option : OptionTable()) {
    if ((option.commands & command.bit) == 0 || !option.positional) continue;
    if (!option.words.empty()) words += " -W '" + Joined(option.words) + "'";
    if (option.path != PathKind::kNone) paths = option.path == PathKind::kDirectory ? " -d" : " -f";
  }
  return words + paths;
}

// --- zsh --------------------------------------------------------------------------------------------------

// What `_arguments` takes: an option with its value.
std::string ZshSpec(const Option& option) {
  constexpr const char* kQuote = "'\\''";
  std::string action = " ";
  if (!option.forms.empty()) {
    action = "->forms";
  } else if (!option.words.empty()) {
    action = "(" + Joined(option.words) + ")";
  } else if (option.path != PathKind::kNone) {
    action = option.path == PathKind::kDirectory ? "_files -/" : "_files";
  }
  const std::string name = NameOf(option);
  if (option.positional) return "':" + name + ":" + action + "'";
  const std::string help = "[" + Quoted(Short(option.help), kQuote, "[]:\\") + "]";
  if (option.type == OptionType::kFlag) {
    if (option.letter == 0) return "'" + name + help + "'";
    const std::string letter = std::string("-") + option.letter;
    return "'(" + letter + " " + name + ")'{" + letter + "," + name + "}'" + help + "'";
  }
  const std::string repeated = option.type == OptionType::kList ? "*" : "";
  return "'" + repeated + name + "=" + help + ":" + option.name + ":" + action + "'";
}

std::string ZshSpecs(unsigned bit, const char* indent) {
  std::string specs;
  for (const Option& option : OptionTable()) {
    if ((option.commands & bit) != 0) specs += std::string(" \\\n") + indent + ZshSpec(option);
  }
  return specs;
}

std::string ZshForms() {
  std::string text;
  for (const Option& option : OptionTable()) {
    if (option.forms.empty()) continue;
    std::string before_paths;
    std::string whole;
    for (const std::string_view form : option.forms) {
      if (form.ends_with(':')) {
        before_paths += (before_paths.empty() ? "" : "|") + std::string(form);
      } else {
        whole += " " + std::string(form);
      }
    }
    text += "    if compset -P '(" + before_paths + ")'; then _files; return; fi\n";
    std::replace(before_paths.begin(), before_paths.end(), '|', ' ');
    text += "    compadd --" + whole + "\n    compadd -S '' -- " + before_paths + "\n";
  }
  return text + "    ;;\n";
}

// --- fish -------------------------------------------------------------------------------------------------

std::string FishOption(const Option& option, const std::string& condition) {
  const auto quoted = [](std::string_view text) { return Quoted(text, "\\'", "\\"); };
  std::string offers = option.words.empty() ? Joined(option.forms) : Joined(option.words);
  if (option.path == PathKind::kDirectory) offers = "(__fish_complete_directories)";
  const bool takes_files = option.path == PathKind::kFile || !option.forms.empty();
  std::string line = "complete -c arrowcdc" + condition;
  if (!option.positional) {
    line += " -l " + std::string(option.name);
    if (option.letter != 0) line += std::string(" -s ") + option.letter;
    if (option.type != OptionType::kFlag) line += takes_files ? " -r -F" : " -x";
    line += " -d '" + quoted(Short(option.help)) + "'";
  }
  if (option.positional && takes_files) line += " -F";
  return line + (offers.empty() ? "" : " -a '" + offers + "'") + "\n";
}

}  // namespace

std::string MakeBashCompletion() {
  std::string text = kHead + std::string(kBashWords) + "      ";
  std::string names;
  for (const Command& command : Commands()) names += (names.empty() ? "" : "|") + std::string(command.name);
  text += names + ") command=${COMP_WORDS[i]}; break ;;\n" + kBashValues;
  for (const Option& option : OptionTable()) {
    if (option.commands != 0 && !option.positional && option.type != OptionType::kFlag)
      text += BashValue(option);
  }
  text += "  esac\n  case $command in\n";
  std::replace(names.begin(), names.end(), '|', ' ');
  text += "    '') COMPREPLY=($(compgen -W '" + names + " " + OptionNames(kProgram) +
          " --version' -- \"$current\")) ;;\n";
  for (const Command& command : Commands()) {
    text += std::string("    ") + command.name + ")\n";
    if (const std::string arguments = BashArguments(command); !arguments.empty()) {
      text += "      if [[ $current != -* ]]; then compopt -o filenames; mapfile -t COMPREPLY < <(compgen" +
              arguments + " -- \"$current\"); return; fi\n";
    }
    text += "      COMPREPLY=($(compgen -W '" + OptionNames(command.bit) + "' -- \"$current\")) ;;\n";
  }
  return text + "  esac\n}\ncomplete -F _arrowcdc arrowcdc\n";
}

std::string MakeZshCompletion() {
  std::string text =
      std::string("#compdef arrowcdc\n") + kHead +
      "local curcontext=$curcontext state line\nlocal -A opt_args\nlocal -a commands\ncommands=(\n";
  for (const Command& command : Commands()) {
    text += std::string("  '") + command.name + ":" + Quoted(command.what, "'\\''", ":\\") + "'\n";
  }
  text += ")\n_arguments -C" + ZshSpecs(kProgram, "  ") +
          " \\\n  '(- *)'{-h,--help}'[help]' \\\n  '(- *)--version[print the version]' \\\n"
          "  '1:command:->command' \\\n  '*::argument:->arguments'\n"
          "case $state in\n  command) _describe command commands; return ;;\n  arguments) ;;\n"
          "  *) return ;;\nesac\n"
          "curcontext=${curcontext%:*:*}:arrowcdc-$words[1]:\ncase $words[1] in\n";
  for (const Command& command : Commands()) {
    text += std::string("  ") + command.name + ")\n    _arguments '(- *)'{-h,--help}'[help]'" +
            ZshSpecs(command.bit | kProgram, "      ") + "\n    ;;\n";
  }
  return text + "esac\ncase $state in\n  forms)\n" + ZshForms() + "esac\n";
}

std::string MakeFishCompletion() {
  std::string text = kHead + std::string("complete -c arrowcdc -f\n");
  text += "complete -c arrowcdc -s h -l help -d 'help'\n";
  text += "complete -c arrowcdc -n __fish_use_subcommand -l version -d 'print the version'\n";
  for (const Command& command : Commands()) {
    text += std::string("complete -c arrowcdc -n __fish_use_subcommand -a ") + command.name + " -d '" +
            Quoted(command.what, "\\'", "\\") + "'\n";
  }
  for (const Option& option : OptionTable()) {
    std::string names;
    for (const Command& command : Commands()) {
      if ((option.commands & command.bit) != 0) names += std::string(" ") + command.name;
    }
    if ((option.commands & kProgram) != 0) text += FishOption(option, "");
    const bool offers_nothing = option.path == PathKind::kNone && option.words.empty();
    if (names.empty() || (option.positional && offers_nothing)) continue;
    text += FishOption(option, " -n '__fish_seen_subcommand_from" + names + "'");
  }
  return text;
}

}  // namespace arrowcdc::cli
