#include "src/options/config_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "arrowcdc/error.h"
#include "src/patterns/nearest_name.h"

namespace arrowcdc {
namespace {

bool IsNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Errors of one reading, with the file and the line.
class ConfigReader {
 public:
  ConfigReader(std::string file, const Environment& environment, Options& options,
               std::set<std::string_view>* given)
      : file_(std::move(file)), environment_(environment), options_(options), given_(*given) {}

  // Of what follows "---" or "...": it is a document of its own, and would be passed over.
  arrow::Status CheckEmpty(const YAML::Node& next) const {
    if (next.IsNull()) return arrow::Status::OK();
    return ErrorAt(next, "a second document begins here", "leave out the line --- or ... before it");
  }

  arrow::Status Read(const YAML::Node& root) const {
    if (root.IsNull()) return arrow::Status::OK();
    if (!root.IsMap()) return ErrorAt(root, "the file holds no sections", kShape);
    ARROW_RETURN_NOT_OK(CheckNoneTwice(root));
    for (const auto& entry : root) {
      const std::string section = entry.first.Scalar();
      if (!IsSection(section)) return UnknownSection(section, entry.first);
      ARROW_RETURN_NOT_OK(ReadSection(section, entry.second));
    }
    return arrow::Status::OK();
  }

 private:
  static constexpr const char* kShape = "write sections, with options in them, as in docs/configuration.md";

  arrow::Status ErrorAt(const YAML::Node& node, const std::string& what, const std::string& remedy) const {
    return MakeError(ErrorKind::kInvalidOption, what,
                     file_ + ", line " + std::to_string(node.Mark().line + 1), remedy);
  }

  // Names are no secrets, and yet what stands in the place of one may be: only what looks like a name is
  // shown.
  arrow::Status Unknown(const YAML::Node& node, const char* what, const std::string& name,
                        const std::vector<std::string>& known) const {
    const bool is_name = std::ranges::all_of(name, [](char c) { return IsNamePart(c) || c == '-'; });
    const std::string nearest = NearestName(name, known);
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    return ErrorAt(node,
                   "there is no " + std::string(what) + (is_name ? " \"" + name + "\"" : " of this name"),
                   nearest.empty() ? "there are " + all : "the nearest is " + nearest);
  }

  static bool IsSection(const std::string& name) {
    const auto sections = Sections();
    return std::ranges::find(sections, name) != sections.end();
  }

  static std::vector<std::string> Sections() {
    std::vector<std::string> names;
    for (const Option& option : OptionTable()) {
      if (!IsOfFile(option) || std::ranges::find(names, option.section) != names.end()) continue;
      names.emplace_back(option.section);
    }
    return names;
  }

  // Readers are the package's; what has no section belongs to one run.
  static bool IsOfFile(const Option& option) {
    const bool address = std::string_view(option.section) == "source";
    return *option.section != '\0' && (option.commands != 0 || address);
  }

  static const Option* Find(const std::string& section, const std::string& name) {
    for (const Option& option : OptionTable()) {
      if (IsOfFile(option) && section == option.section && name == option.name) return &option;
    }
    return nullptr;
  }

  arrow::Status CheckNoneTwice(const YAML::Node& map) const {
    std::set<std::string> names;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) return ErrorAt(entry.first, "this is no name", kShape);
      if (!names.insert(entry.first.Scalar()).second)
        return ErrorAt(entry.first, "this name stands there twice", "leave one of them");
    }
    return arrow::Status::OK();
  }

  // A value alone is that of the option that is called as the section is.
  arrow::Status ReadSection(const std::string& section, const YAML::Node& node) const {
    if (node.IsNull()) return arrow::Status::OK();
    if (!node.IsMap()) {
      const Option* const option = Find(section, section);
      if (option == nullptr) return ErrorAt(node, "section " + section + " holds no options", kShape);
      return ReadOption(*option, node);
    }
    ARROW_RETURN_NOT_OK(CheckNoneTwice(node));
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      const Option* const option = Find(section, name);
      if (option == nullptr) return UnknownOption(section, name, entry.first);
      ARROW_RETURN_NOT_OK(ReadOption(*option, entry.second));
    }
    return arrow::Status::OK();
  }

  arrow::Status UnknownSection(const std::string& name, const YAML::Node& node) const {
    for (const Option& option : OptionTable()) {
      if (name == option.name && IsOfFile(option))
        return ErrorAt(node, "option " + name + " stands in no section",
                       std::string("write it in section ") + option.section);
    }
    return Unknown(node, "section", name, Sections());
  }

  arrow::Status UnknownOption(const std::string& section, const std::string& name,
                              const YAML::Node& node) const {
    std::vector<std::string> known;
    for (const Option& option : OptionTable()) {
      if (name == option.name && IsOfFile(option))
        return ErrorAt(node, "option " + name + " does not belong to section " + section,
                       std::string("write it in section ") + option.section);
      if (name == option.name && *option.section == '\0')
        return ErrorAt(node, "option " + name + " belongs to one run", "give it on the command line");
      if (IsOfFile(option) && section == option.section) known.emplace_back(option.name);
    }
    return Unknown(node, ("option of section " + section + " called").c_str(), name, known);
  }

  arrow::Status ReadOption(const Option& option, const YAML::Node& node) const {
    OptionValue value;
    const arrow::Status read = ValueOf(option, node).Value(&value);
    const arrow::Status set = read.ok() ? SetOption(option, Door::kCommand, value, options_) : read;
    if (set.ok()) {
      given_.insert(option.name);
      return set;
    }
    const ErrorDetail* const detail = GetErrorDetail(set);
    if (detail != nullptr && detail->object().starts_with(file_)) return set;
    // What could not even be read may be anything: it is not repeated.
    const std::string what = read.ok() ? set.message() : "this value cannot be used";
    return ErrorAt(node, std::string(option.section) + "." + option.name + ": " + what,
                   detail == nullptr ? "" : detail->remedy());
  }

  arrow::Result<OptionValue> ValueOf(const Option& option, const YAML::Node& node) const {
    if (option.type == OptionType::kList) {
      std::vector<std::string> list;
      if (node.IsScalar()) {
        ARROW_ASSIGN_OR_RAISE(std::string item, Expand(node));
        return std::vector<std::string>{std::move(item)};
      }
      if (!node.IsSequence()) return ErrorAt(node, "a list is expected", "write [a, b]");
      for (const YAML::Node& item : node) {
        if (!item.IsScalar()) return ErrorAt(item, "a text is expected", "write [a, b]");
        ARROW_ASSIGN_OR_RAISE(std::string text, Expand(item));
        list.push_back(std::move(text));
      }
      return list;
    }
    if (!node.IsScalar())
      return ErrorAt(node, std::string("option ") + option.name + " takes one value", kShape);
    ARROW_ASSIGN_OR_RAISE(const std::string text, Expand(node));
    if (option.type != OptionType::kFlag) return ReadValue(option, text);
    if (text != "true" && text != "false")
      return ErrorAt(node, std::string("option ") + option.name + " is neither true nor false",
                     "write true or false");

    return text == "true";
  }

  // ${NAME} is what the environment has; $$ is a dollar.
  arrow::Result<std::string> Expand(const YAML::Node& node) const {
    const std::string& text = node.Scalar();
    // What YAML calls a tag is no part of the value, and would be lost.
    if (node.Tag().size() > 1 && node.Tag().starts_with('!'))
      return ErrorAt(node, "a value that begins with ! stands without quotes", "put it in quotes");
    std::string expanded;
    for (size_t at = 0; at < text.size(); ++at) {
      const char next = at + 1 < text.size() ? text[at + 1] : '\0';
      if (text[at] != '$' || (next != '$' && next != '{')) {
        expanded += text[at];
        continue;
      }
      if (next == '$') {
        expanded += text[++at];
        continue;
      }
      const size_t end = text.find('}', at);
      const std::string name = end == std::string::npos ? "" : text.substr(at + 2, end - at - 2);
      if (name.empty() || !std::ranges::all_of(name, IsNamePart))
        return ErrorAt(node, "${ has no name of a variable and } behind it",
                       "write ${NAME}, or $$ for a dollar");
      const auto value = environment_(name);
      if (!value.has_value())
        return ErrorAt(node, "there is no environment variable " + name, "set it, or write $$ for a dollar");
      expanded += *value;
      at = end;
    }
    return expanded;
  }

  const std::string file_;
  const Environment& environment_;
  Options& options_;
  std::set<std::string_view>& given_;
};

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

arrow::Status ReadConfig(const std::string& text, const std::string& file, const Environment& environment,
                         Options& options, std::set<std::string_view>* given) {
  try {
    const ConfigReader reader(file, environment, options, given);
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    for (size_t i = 1; i < documents.size(); ++i) ARROW_RETURN_NOT_OK(reader.CheckEmpty(documents[i]));
    return reader.Read(documents.empty() ? YAML::Node() : documents.front());
  } catch (const YAML::Exception& error) {
    // Its message may quote the text.
    return MakeError(ErrorKind::kInvalidOption, "this is no YAML",
                     file + ", line " + std::to_string(error.mark.line + 1),
                     "look at quotes, colons and how far lines are indented");
  }
}

arrow::Status ReadConfigFile(const std::string& path, Options& options, std::set<std::string_view>* given) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // Not by iterators: those throw where reading fails, as of a directory.
  std::array<char, 4096> bytes;
  while (file.read(bytes.data(), bytes.size()) || file.gcount() > 0)
    text.append(bytes.data(), static_cast<size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    return MakeError(ErrorKind::kInvalidOption,
                     std::string("the file cannot be read: ") + std::strerror(errno == 0 ? EIO : errno), path,
                     "name another one");
  }
  return ReadConfig(text, path, ProcessEnvironment(), options, given);
}

}  // namespace arrowcdc
