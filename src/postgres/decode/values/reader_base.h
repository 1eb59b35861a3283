// What the readers of all types share. A reader says how one value is read (Binary, Text); elements of an
// array are then read in a loop without virtual calls.
#pragma once

#include <string_view>

#include <arrow/util/utf8.h>

#include "src/postgres/decode/values/binary_cursor.h"
#include "src/postgres/decode/values/value_reader.h"

namespace arrowcdc {

inline constexpr char kWrongSize[] = "a value of a size that its type does not have";
inline constexpr char kWrongText[] = "text that is no value of its type";

// What a builder says of a value: one that does not fit into its column has no form there.
inline ReadOutcome Appended(bool appended) { return appended ? ReadOutcome::kValue : ReadOutcome::kNoForm; }

// Text that is not UTF-8 has no Arrow form; whoever makes a reader has initialised the check.
inline ReadOutcome AppendText(std::string_view text, ColumnBuilder* column) {
  return Appended(arrow::util::ValidateUTF8(text) &&
                  column->AppendBytes(text.data(), static_cast<int64_t>(text.size())));
}

template <typename Reader>
class ReaderBase : public ValueReader {
 public:
  ReadOutcome ReadBinary(std::string_view value, ColumnBuilder* column, ReadContext* context) const final {
    return self().Binary(value, column, context);
  }

  ReadOutcome ReadText(std::string_view value, ColumnBuilder* column, ReadContext* context) const final {
    return self().Text(value, column, context);
  }

  ReadOutcome ReadBinaryElements(const char** at, const char* end, int32_t count, ColumnBuilder* column,
                                 ReadContext* context) const final {
    BinaryCursor cursor(std::string_view(*at, static_cast<size_t>(end - *at)));
    for (int32_t i = 0; i < count; ++i) {
      std::string_view value;
      bool is_null = false;
      if (!cursor.ReadValue(&value, &is_null)) return context->Fault(cursor.at(), "an element that is cut");
      const ReadOutcome outcome =
          is_null ? Appended(column->AppendNull()) : self().Binary(value, column, context);
      if (outcome != ReadOutcome::kValue) return outcome;
    }
    *at = cursor.at();
    return ReadOutcome::kValue;
  }

 private:
  const Reader& self() const { return static_cast<const Reader&>(*this); }
};

}  // namespace arrowcdc
