// How a row of the option table reaches the fields of Options: paths of members, made into two functions.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>

#include "src/options/option.h"

namespace arrowcdc {

// The member at the end of a path: Field<&Options::sink, &SinkOptions::roll_bytes>.
template <auto... kPath>
struct Field {
  static auto& In(Options& options) { return (options.*....*kPath); }
  static const auto& In(const Options& options) { return (options.*....*kPath); }

  static OptionValue Get(const Options& options) {
    using T = std::decay_t<decltype(In(options))>;
    if constexpr (requires(T field) { field.has_value(); }) {
      return In(options).has_value() ? OptionValue(*In(options)) : OptionValue();
    } else if constexpr (std::is_same_v<T, int>) {
      return int64_t{In(options)};
    } else {
      return In(options);
    }
  }

  static arrow::Status Set(const OptionValue& value, Options& options) {
    using T = std::decay_t<decltype(In(options))>;
    if constexpr (requires(T field) { field.has_value(); }) {
      In(options) = std::get<typename T::value_type>(value);
    } else if constexpr (std::is_same_v<T, int>) {
      In(options) = static_cast<int>(std::get<int64_t>(value));
    } else {
      In(options) = std::get<T>(value);
    }
    return arrow::Status::OK();
  }
};

// The same for an enumeration, or a bool, whose values the words name in order.
template <const auto& kWords, auto... kPath>
struct WordField {
  static OptionValue Get(const Options& options) {
    return std::string(kWords[static_cast<size_t>(Field<kPath...>::In(options))]);
  }

  static arrow::Status Set(const OptionValue& value, Options& options) {
    using T = std::decay_t<decltype(Field<kPath...>::In(options))>;
    const auto found = std::find(std::begin(kWords), std::end(kWords), std::get<std::string>(value));
    if (found == std::end(kWords)) return arrow::Status::Invalid("none of the words");
    Field<kPath...>::In(options) = static_cast<T>(found - std::begin(kWords));
    return arrow::Status::OK();
  }
};

// An option fills one field, or several that mean the same; all begin with the same value.
template <typename First, typename... Others>
constexpr OptionField Fills() {
  return {First::Get, [](const OptionValue& value, Options& options) {
            arrow::Status status = First::Set(value, options);
            ((status = status.ok() ? Others::Set(value, options) : status), ...);
            return status;
          }};
}

}  // namespace arrowcdc
