#include "python/options.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrowcdc/position.h"
#include "python/convert.h"
#include "src/options/option.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace arrowcdc::python {
namespace {

using std::chrono::milliseconds;

// The value is no part of it: it may be a password that stands in the wrong place.
[[noreturn]] void RaiseTypeError(const Option& option, const char* expected, nb::handle value) {
  PyErr_Format(PyExc_TypeError, "argument %s: %s is expected, not %s", option.python, expected,
               Py_TYPE(value.ptr())->tp_name);
  throw nb::python_error();
}

template <typename T>
T CastValue(const Option& option, const char* expected, nb::handle value) {
  T cast;
  if (!nb::try_cast<T>(value, cast)) RaiseTypeError(option, expected, value);
  return cast;
}

OptionValue ReadNumber(const Option& option, nb::handle value) {
  constexpr const char* kExpected = "a whole number";
  // A port may come as text, as from a URL or the environment.
  if (option.python != std::string_view("port") || !nb::isinstance<nb::str>(value))
    return CastValue<int64_t>(option, kExpected, value);
  auto number = ReadValue(option, nb::cast<std::string>(value));
  if (!number.ok()) RaiseTypeError(option, kExpected, value);
  return *std::move(number);
}

// What is beyond the clock's range is as good as for ever.
OptionValue ReadSeconds(const Option& option, nb::handle value) {
  constexpr double kForeverMs = int64_t{1} << 40;
  const double seconds = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred() != nullptr)
    PyErr_Clear();
  else if (!std::isnan(seconds))
    return milliseconds(std::llround(std::clamp(seconds * 1000, -kForeverMs, kForeverMs)));
  RaiseTypeError(option, "a number of seconds", value);
}

OptionValue ReadPosition(const Option& option, nb::handle value) {
  if (nb::isinstance<nb::int_>(value)) return FormatLsn(CastValue<uint64_t>(option, "an LSN", value));
  return CastValue<std::string>(option, "an LSN, or 'now',", value);
}

// None stands for itself where it is the default.
OptionValue ReadArgument(const Option& option, nb::handle value) {
  const OptionValue own = option.field.get(DefaultsOf(Door::kPython));
  if (value.is_none() && (own == OptionValue() || own == OptionValue(std::string()))) return {};
  switch (option.type) {
    case OptionType::kText:
    case OptionType::kChoice:
      return CastValue<std::string>(option, "a text", value);
    case OptionType::kList:
      return CastValue<std::vector<std::string>>(option, "a text, or a list of them,", value);
    case OptionType::kFlag:
      if (nb::isinstance<nb::int_>(value)) return PyObject_IsTrue(value.ptr()) == 1;  // bool is one, too
      RaiseTypeError(option, "True or False", value);
    case OptionType::kCount:
    case OptionType::kSize:
      return ReadNumber(option, value);
    case OptionType::kDuration:
      return ReadSeconds(option, value);
    case OptionType::kPosition:
      return ReadPosition(option, value);
  }
  return {};
}

Options MakeOptions(const nb::dict& arguments) {
  Options options = DefaultsOf(Door::kPython);
  for (const Option& option : OptionTable()) {
    if (*option.python == '\0') continue;
    const OptionValue value = ReadArgument(option, arguments[option.python]);
    Check(SetOption(option, Door::kPython, value, options));
  }
  return options;
}

struct DefaultMaker {
  nb::object operator()(std::monostate) const { return nb::none(); }
  nb::object operator()(bool given) const { return nb::bool_(given); }
  nb::object operator()(int64_t number) const { return nb::int_(number); }
  nb::object operator()(milliseconds time) const {
    return nb::float_(static_cast<double>(time.count()) / 1000);
  }
  nb::object operator()(const std::string& text) const {
    if (text.empty()) return nb::none();
    return nb::str(text.c_str());
  }
  // One that nobody can change; a single text may stand for itself.
  nb::object operator()(const std::vector<std::string>& list) const {
    if (list.size() == 1) return nb::str(list[0].c_str());
    return nb::tuple(nb::cast(list));
  }
};

const char* TypeName(const Option& option) {
  switch (option.type) {
    case OptionType::kText:
      return "text";
    case OptionType::kList:
      return "list";
    case OptionType::kFlag:
      return "flag";
    case OptionType::kCount:
      return "count";
    case OptionType::kSize:
      return "size";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kChoice:
      return "choice";
    case OptionType::kPosition:
      return "position";
  }
  return "";
}

std::vector<const Option*> ListArguments() {
  std::vector<const Option*> arguments;
  for (const Option& option : OptionTable()) {
    if (*option.python != '\0') arguments.push_back(&option);
  }
  return arguments;
}

std::vector<std::string> ListWords(const Option& option) {
  return {option.words.begin(), option.words.end()};
}

}  // namespace

void BindOptions(nb::module_& module) {
  nb::class_<Option>(module, "Option")
      .def_prop_ro("name", [](const Option& option) { return std::string(option.python); })
      .def_prop_ro("type", [](const Option& option) { return std::string(TypeName(option)); })
      .def_prop_ro("default",
                   [](const Option& option) {
                     return std::visit(DefaultMaker(), option.field.get(DefaultsOf(Door::kPython)));
                   })
      .def_prop_ro("words", &ListWords)
      .def_ro("secret", &Option::secret)
      .def_prop_ro("help", [](const Option& option) { return std::string(HelpOf(option, Door::kPython)); });
  // The arguments of ArrowCDCReaderConfig.
  module.def("option_table", &ListArguments, nb::rv_policy::reference);

  // Of all arguments by name.
  nb::class_<Options>(module, "Options")
      .def(
          "__init__",
          [](Options* self, const nb::typed<nb::dict, std::string, nb::object>& arguments) {
            new (self) Options(MakeOptions(arguments));
          },
          "arguments"_a);
}

}  // namespace arrowcdc::python
