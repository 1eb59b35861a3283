// A file of options (YAML): sections and names of the option table. What is not understood is an error with
// its line, and the nearest name; values are never repeated, they may be passwords.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <arrow/status.h>

#include "src/options/option.h"

namespace arrowcdc {

// What ${NAME} stands for; nullopt: there is none of that name.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// Sets what `text` says, and adds the names of these options to `given`. file: how messages call it.
// Errors: kInvalidOption.
arrow::Status ReadConfig(const std::string& text, const std::string& file, const Environment& environment,
                         Options& options, std::set<std::string_view>* given);

// The same of a file. Errors: where it cannot be read, too. Blocking: on it.
arrow::Status ReadConfigFile(const std::string& path, Options& options, std::set<std::string_view>* given);

}  // namespace arrowcdc
