// What becomes of values that have no Arrow form, for every source.
#pragma once

namespace arrowcdc {

// What becomes of a value that has no Arrow form in its column's type.
enum class Unrepresentable {
  kNull,   // null, and its column is listed in _unrepresentable
  kText,   // columns whose type has such values are text, all of them
  kError,  // the stream ends at it
};

}  // namespace arrowcdc
