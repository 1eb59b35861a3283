#include "cli/documents/manual_page.h"

#include <sstream>
#include <string_view>

#include "cli/exit_code.h"
#include "cli/help_text.h"

namespace arrowcdc::cli {
namespace {

constexpr const char* kSeeAlso =
    ".PP\n"
    "The pages that are named here as docs/..., and others, are below /usr/share/doc/arrowcdc where arrowcdc "
    "was\ninstalled as a Debian package.\n";

char Upper(char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); }

// In the middle of a line: what troff would take for something else, and what it would set as typographic
// quotes and hyphens.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '`':
        escaped += "\\(ga";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Bold(std::string_view text) { return "\\fB" + Escaped(text) + "\\fR"; }
std::string Italic(std::string_view text) { return "\\fI" + Escaped(text) + "\\fR"; }

// A line of its own, which a '.' in front would make a macro.
std::string Line(std::string_view text) {
  return (text.starts_with('.') ? "\\&" : "") + Escaped(text) + "\n";
}

// Each line a paragraph, indented ones as they are.
std::string Paragraphs(const std::string& text) {
  std::istringstream lines(text);
  std::string page;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (line.starts_with(' ')) {
      page += ".PP\n.RS 4\n.nf\n" + Line(line.substr(line.find_first_not_of(' '))) + ".fi\n.RE\n";
    } else {
      page += ".PP\n" + Line(line);
    }
  }
  return page;
}

std::string Head(const std::string& name, std::string_view what) {
  std::string upper;
  for (const char c : name) upper += Upper(c);
  return ".\\\" Made from the option table; not to be edited.\n.TH \"" + Escaped(upper) +
         "\" \"1\" \"\" \"arrowcdc " ARROWCDC_VERSION "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n" +
         Escaped(name) + " \\- " + Escaped(what) + "\n";
}

std::string ValueOf(const Option& option) {
  const std::string dots = option.type == OptionType::kList ? " ..." : "";
  return ValueName(option).empty() ? "" : " " + Italic(ValueName(option)) + dots;
}

std::string EntryOf(const Option& option) {
  const std::string name = NameOf(option, Door::kCommand);
  std::string entry = ".TP\n";
  if (option.letter != 0) entry += Bold(std::string("-") + option.letter) + ", ";
  entry += option.positional ? Italic(name) + "\n" : Bold(name) + ValueOf(option) + "\n";
  entry += Line(HelpOf(option, Door::kCommand));
  std::string more = option.words.empty() ? RangeOf(option) : "";
  if (option.type != OptionType::kFlag && !option.required) {
    const std::string value = FormatValue(option, option.field.get(DefaultsOf(Door::kCommand)));
    if (!value.empty()) more += (more.empty() ? "default: " : "; default: ") + value;
  }
  return more.empty() ? entry : entry + ".br\n" + Line("(" + more + ")");
}

std::string EntriesOf(unsigned bit, bool positional) {
  std::string entries;
  for (const Option& option : OptionTable()) {
    if ((option.commands & bit) != 0 && option.positional == positional) entries += EntryOf(option);
  }
  return entries;
}

std::string SynopsisOf(const Command& command) {
  std::string synopsis = ".SH SYNOPSIS\n" + Bold(std::string("arrowcdc ") + command.name);
  for (const Option& option : OptionTable()) {
    if ((option.commands & command.bit) == 0 || (!option.required && !option.positional)) continue;
    const std::string name = NameOf(option, Door::kCommand);
    if (!option.required) {
      synopsis += " [" + Italic(name) + (option.type == OptionType::kList ? " ...]" : "]");
    } else if (option.positional) {
      synopsis += " " + Italic(name) + (option.type == OptionType::kList ? " ..." : "");
    } else {
      synopsis += " " + Bold(name) + ValueOf(option);
    }
  }
  return synopsis + " [" + Italic("OPTION") + " ...]\n";
}

std::string ExitStatus() {
  constexpr std::string_view kTitle = "Exit codes: ";
  std::string_view text = kExitCodeHelp;
  if (text.starts_with(kTitle)) text.remove_prefix(kTitle.size());
  std::istringstream lines{std::string(text)};
  std::string section = ".SH EXIT STATUS\n";
  for (std::string line; std::getline(lines, line);) section += Line(line);
  return section;
}

}  // namespace

std::string MakeManualPage() {
  std::string page = Head("arrowcdc", "row changes of a database as Apache Arrow record batches");
  page += ".SH SYNOPSIS\n" + Bold("arrowcdc") + " " + Italic("COMMAND") + " [" + Italic("OPTION") + " ...]\n";
  page += ".SH DESCRIPTION\n" + Paragraphs(kDescription);
  page += ".SH COMMANDS\n";
  for (const Command& command : Commands()) {
    page += ".TP\n\\fBarrowcdc\\-" + Escaped(command.name) + "\\fR(1)\n" + Line(command.what);
  }
  page += ".SH OPTIONS\nBefore the command's name or behind it.\n";
  page += EntriesOf(kProgram, false);
  page += ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nhelp of the program, or of the command that is named\n";
  page += ".TP\n\\fB\\-\\-version\\fR\nprint the version and end\n";
  page += ExitStatus();
  page += ".SH SEE ALSO\n";
  std::string separator;
  for (const Command& command : Commands()) {
    page += separator + "\\fBarrowcdc\\-" + Escaped(command.name) + "\\fR(1)";
    separator = ",\n";
  }
  return page + "\n" + kSeeAlso;
}

std::string MakeManualPage(const Command& command) {
  std::string page = Head(std::string("arrowcdc-") + command.name, command.what);
  page += SynopsisOf(command);
  std::string sentence = command.what + std::string(".");
  sentence[0] = Upper(sentence[0]);
  page += ".SH DESCRIPTION\n" + Line(sentence) + Paragraphs(command.footer);
  const std::string arguments = EntriesOf(command.bit, true);
  if (!arguments.empty()) page += ".SH ARGUMENTS\n" + arguments;
  page += ".SH OPTIONS\n" + EntriesOf(command.bit, false);
  page += ".PP\nThose of every command: see \\fBarrowcdc\\fR(1).\n";
  if (TakesAmounts(command)) page += ".SH AMOUNTS\n" + Paragraphs(kAmountsHelp);
  return page + ExitStatus() + ".SH SEE ALSO\n\\fBarrowcdc\\fR(1)\n" + kSeeAlso;
}

}  // namespace arrowcdc::cli
