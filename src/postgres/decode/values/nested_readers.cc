// Readers of values that consist of values. What one of those has no Arrow form for, the whole has none for.
#include <strings.h>

#include <utility>

#include "src/postgres/decode/values/quoted_text.h"
#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

constexpr char kNoArray[] = "no array";
constexpr char kNoComposite[] = "no composite value";
constexpr char kNoRange[] = "no range";
constexpr char kNoMultirange[] = "no multirange";
constexpr char kNoHstore[] = "no hstore";

// A part that was read: a fault in text without its quotes is one of where that text came from.
ReadOutcome ReadPart(const ValueReader& reader, std::string_view part, const char* from, bool in_place,
                     ColumnBuilder* column, ReadContext* context) {
  const ReadOutcome outcome = reader.ReadText(part, column, context);
  if (outcome == ReadOutcome::kFault && !in_place) context->Fault(from, context->fault_what());
  return outcome;
}

// The next part: in quotes, or up to one of two characters.
bool TakePart(QuotedText* text, char stop, char other_stop, std::string* scratch, std::string_view* part) {
  return text->StartsWith('"') ? text->TakeQuoted(scratch, part) : text->TakePlain(stop, other_stop, part);
}

bool InPlace(std::string_view part, const std::string& scratch) { return part.data() != scratch.data(); }

// Takes back the parts of a value that has not become one.
ReadOutcome CutBack(ReadOutcome outcome, ColumnBuilder* column) {
  if (outcome != ReadOutcome::kValue) column->Truncate(column->length());
  return outcome;
}

// Dimensions, whether there are nulls, the elements' type; of each dimension size and lower bound; elements.
class ListReader : public ReaderBase<ListReader> {
 public:
  ListReader(ElementReader element, char delimiter) : element_(std::move(element)), delimiter_(delimiter) {}

  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    constexpr int32_t kDimensionsMax = 6;
    BinaryCursor cursor(value);
    int32_t dimensions;
    int32_t has_nulls;
    uint32_t type;
    if (!cursor.Read(&dimensions) || !cursor.Read(&has_nulls) || !cursor.Read(&type) || dimensions < 0 ||
        dimensions > kDimensionsMax || has_nulls < 0 || has_nulls > 1) {
      return context->Fault(value.data(), kNoArray);
    }
    if (type != element_.type) return context->Fault(value.data(), "an array of another type");
    if (dimensions > 1) return ReadOutcome::kNoForm;
    int32_t count = 0;
    int32_t lower = 1;
    if (dimensions == 1 && (!cursor.Read(&count) || !cursor.Read(&lower))) {
      return context->Fault(cursor.at(), kNoArray);
    }
    // Each element has its length at least.
    if (count < 0 || count > cursor.left() / static_cast<int64_t>(sizeof(int32_t))) {
      return context->Fault(cursor.at(), "an array of more elements than it has bytes for");
    }
    if (lower != 1) return ReadOutcome::kNoForm;
    return CutBack(Elements(&cursor, count, column, context), column);
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    QuotedText text(value);
    if (text.StartsWith('[')) return ReadOutcome::kNoForm;  // bounds that are not those of a list
    if (!text.Take('{')) return context->Fault(value.data(), kNoArray);
    const ReadOutcome outcome = text.Take('}') ? ReadOutcome::kValue : Elements(&text, column, context);
    if (outcome != ReadOutcome::kValue) return CutBack(outcome, column);
    if (!text.AtEnd()) return CutBack(context->Fault(text.at(), kNoArray), column);
    return Appended(column->EndList());
  }

 private:
  ReadOutcome Elements(BinaryCursor* cursor, int32_t count, ColumnBuilder* column,
                       ReadContext* context) const {
    ColumnBuilder* const elements = column->child(0);
    if (!elements->Reserve(count)) return ReadOutcome::kNoForm;
    const char* at = cursor->at();
    const ReadOutcome outcome =
        element_.reader->ReadBinaryElements(&at, cursor->end(), count, elements, context);
    if (outcome != ReadOutcome::kValue) return outcome;
    if (at != cursor->end()) return context->Fault(at, "bytes behind the last element");
    return Appended(column->EndList());
  }

  // Up to the closing brace, which is taken.
  ReadOutcome Elements(QuotedText* text, ColumnBuilder* column, ReadContext* context) const {
    ReadContext::Scratch scratch(context);
    ColumnBuilder* const elements = column->child(0);
    do {
      if (text->StartsWith('{')) return ReadOutcome::kNoForm;  // more than one dimension
      const char* const from = text->at();
      const bool quoted = text->StartsWith('"');
      std::string_view part;
      if (!TakePart(text, delimiter_, '}', &*scratch, &part) || (part.empty() && !quoted)) {
        return context->Fault(from, kNoArray);
      }
      const bool is_null = !quoted && part.size() == 4 && strncasecmp(part.data(), "NULL", 4) == 0;
      const ReadOutcome outcome =
          is_null ? Appended(elements->AppendNull())
                  : ReadPart(*element_.reader, part, from, InPlace(part, *scratch), elements, context);
      if (outcome != ReadOutcome::kValue) return outcome;
    } while (text->Take(delimiter_));
    return text->Take('}') ? ReadOutcome::kValue : context->Fault(text->at(), kNoArray);
  }

  ElementReader element_;
  char delimiter_;
};

// Attributes: how many, then type and value of each. What does not fit the description is of another version
// of the type, so it is no fault: it has no form in this one.
class CompositeReader : public ReaderBase<CompositeReader> {
 public:
  explicit CompositeReader(std::vector<ElementReader> attributes) : attributes_(std::move(attributes)) {}

  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    int32_t count;
    if (!cursor.Read(&count) || count < 0) return context->Fault(value.data(), kNoComposite);
    if (static_cast<size_t>(count) != attributes_.size()) return ReadOutcome::kNoForm;
    const ReadOutcome outcome = Attributes(&cursor, column, context);
    if (outcome != ReadOutcome::kValue) return CutBack(outcome, column);
    if (!cursor.AtEnd()) return CutBack(context->Fault(cursor.at(), kNoComposite), column);
    return Appended(column->EndStruct());
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    QuotedText text(value);
    if (!text.Take('(')) return context->Fault(value.data(), kNoComposite);
    const ReadOutcome outcome = Attributes(&text, column, context);
    if (outcome != ReadOutcome::kValue) return CutBack(outcome, column);
    if (!text.AtEnd()) return CutBack(context->Fault(text.at(), kNoComposite), column);
    return Appended(column->EndStruct());
  }

 private:
  ReadOutcome Attributes(BinaryCursor* cursor, ColumnBuilder* column, ReadContext* context) const {
    for (size_t i = 0; i < attributes_.size(); ++i) {
      ColumnBuilder* const child = column->child(static_cast<int>(i));
      uint32_t type;
      std::string_view part;
      bool is_null = false;
      if (!cursor->Read(&type) || !cursor->ReadValue(&part, &is_null)) {
        return context->Fault(cursor->at(), kNoComposite);
      }
      if (type != attributes_[i].type) return ReadOutcome::kNoForm;
      const ReadOutcome outcome =
          is_null ? Appended(child->AppendNull()) : attributes_[i].reader->ReadBinary(part, child, context);
      if (outcome != ReadOutcome::kValue) return outcome;
    }
    return ReadOutcome::kValue;
  }

  // Up to the closing parenthesis, which is taken.
  ReadOutcome Attributes(QuotedText* text, ColumnBuilder* column, ReadContext* context) const {
    ReadContext::Scratch scratch(context);
    for (size_t i = 0; i < attributes_.size(); ++i) {
      if (i > 0 && !text->Take(',')) break;
      ColumnBuilder* const child = column->child(static_cast<int>(i));
      const char* const from = text->at();
      const bool quoted = text->StartsWith('"');
      std::string_view part;
      if (!TakePart(text, ',', ')', &*scratch, &part)) return context->Fault(from, kNoComposite);
      const bool is_null = part.empty() && !quoted;
      const ReadOutcome outcome =
          is_null ? Appended(child->AppendNull()) : attributes_[i].reader->ReadText(part, child, context);
      if (outcome != ReadOutcome::kValue) return ReadOutcome::kNoForm;
      if (i + 1 == attributes_.size() && text->Take(')')) return ReadOutcome::kValue;
    }
    const bool none = attributes_.empty() && text->Take(')');
    return none ? ReadOutcome::kValue : ReadOutcome::kNoForm;  // more attributes, or less
  }

  std::vector<ElementReader> attributes_;
};

// struct<lower, upper, lower_inc, upper_inc, empty>. A bound that is infinite is null.
class RangeReader : public ReaderBase<RangeReader> {
 public:
  explicit RangeReader(ReaderPointer bound) : bound_(std::move(bound)) {}

  // Flags, then each bound that there is.
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    uint8_t flags;
    if (!cursor.Read(&flags)) return context->Fault(value.data(), kNoRange);
    const bool empty = (flags & kEmpty) != 0;
    ReadOutcome outcome = Bound(empty || (flags & kNoLower) != 0, &cursor, column->child(0), context);
    if (outcome == ReadOutcome::kValue) {
      outcome = Bound(empty || (flags & kNoUpper) != 0, &cursor, column->child(1), context);
    }
    if (outcome == ReadOutcome::kValue && !cursor.AtEnd()) outcome = context->Fault(cursor.at(), kNoRange);
    if (outcome == ReadOutcome::kValue) {
      const bool has_lower = !empty && (flags & kNoLower) == 0;
      const bool has_upper = !empty && (flags & kNoUpper) == 0;
      outcome = End(has_lower && (flags & kLowerInclusive) != 0, has_upper && (flags & kUpperInclusive) != 0,
                    empty, column);
    }
    return CutBack(outcome, column);
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    QuotedText text(value);
    ReadOutcome outcome = TakeRange(&text, column, context);
    if (outcome != ReadOutcome::kValue) return outcome;
    if (text.AtEnd()) return outcome;
    column->Truncate(column->length() - 1);
    return context->Fault(text.at(), kNoRange);
  }

  // One range, where others may follow.
  ReadOutcome TakeRange(QuotedText* text, ColumnBuilder* column, ReadContext* context) const {
    return CutBack(text->Take("empty") ? Empty(column) : TakeBounds(text, column, context), column);
  }

 private:
  static constexpr uint8_t kEmpty = 0x01;
  static constexpr uint8_t kLowerInclusive = 0x02;
  static constexpr uint8_t kUpperInclusive = 0x04;
  static constexpr uint8_t kNoLower = 0x08 | 0x20;  // infinite; and null, which is no longer written
  static constexpr uint8_t kNoUpper = 0x10 | 0x40;

  ReadOutcome Bound(bool none, BinaryCursor* cursor, ColumnBuilder* column, ReadContext* context) const {
    if (none) return Appended(column->AppendNull());
    std::string_view part;
    bool is_null = false;
    if (!cursor->ReadValue(&part, &is_null) || is_null) return context->Fault(cursor->at(), kNoRange);
    return bound_->ReadBinary(part, column, context);
  }

  static ReadOutcome Empty(ColumnBuilder* column) {
    if (!column->child(0)->AppendNull() || !column->child(1)->AppendNull()) return ReadOutcome::kNoForm;
    return End(false, false, true, column);
  }

  static ReadOutcome End(bool lower_inclusive, bool upper_inclusive, bool empty, ColumnBuilder* column) {
    return Appended(column->child(2)->AppendBool(lower_inclusive) &&
                    column->child(3)->AppendBool(upper_inclusive) && column->child(4)->AppendBool(empty) &&
                    column->EndStruct());
  }

  ReadOutcome TakeBounds(QuotedText* text, ColumnBuilder* column, ReadContext* context) const {
    const bool lower_inclusive = text->Take('[');
    if (!lower_inclusive && !text->Take('(')) return context->Fault(text->at(), kNoRange);
    ReadOutcome outcome = TakeBound(text, ',', ',', column->child(0), context);
    if (outcome != ReadOutcome::kValue) return outcome;
    if (!text->Take(',')) return context->Fault(text->at(), kNoRange);
    outcome = TakeBound(text, ']', ')', column->child(1), context);
    if (outcome != ReadOutcome::kValue) return outcome;
    const bool upper_inclusive = text->Take(']');
    if (!upper_inclusive && !text->Take(')')) return context->Fault(text->at(), kNoRange);
    return End(lower_inclusive, upper_inclusive, false, column);
  }

  ReadOutcome TakeBound(QuotedText* text, char stop, char other_stop, ColumnBuilder* column,
                        ReadContext* context) const {
    ReadContext::Scratch scratch(context);
    const char* const from = text->at();
    const bool quoted = text->StartsWith('"');
    std::string_view part;
    if (!TakePart(text, stop, other_stop, &*scratch, &part)) return context->Fault(from, kNoRange);
    if (part.empty() && !quoted) return Appended(column->AppendNull());
    return ReadPart(*bound_, part, from, InPlace(part, *scratch), column, context);
  }

  ReaderPointer bound_;
};

// A list of ranges.
class MultirangeReader : public ReaderBase<MultirangeReader> {
 public:
  explicit MultirangeReader(ReaderPointer bound) : range_(std::move(bound)) {}

  // How many, then each behind its length.
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    int32_t count;
    if (!cursor.Read(&count) || count < 0 || count > cursor.left() / static_cast<int64_t>(sizeof(count))) {
      return context->Fault(value.data(), kNoMultirange);
    }
    const char* at = cursor.at();
    const ReadOutcome outcome =
        range_.ReadBinaryElements(&at, cursor.end(), count, column->child(0), context);
    if (outcome != ReadOutcome::kValue) return CutBack(outcome, column);
    if (at != cursor.end()) return CutBack(context->Fault(at, kNoMultirange), column);
    return Appended(column->EndList());
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    QuotedText text(value);
    if (!text.Take('{')) return context->Fault(value.data(), kNoMultirange);
    if (!text.StartsWith('}')) {
      do {
        const ReadOutcome outcome = range_.TakeRange(&text, column->child(0), context);
        if (outcome != ReadOutcome::kValue) return CutBack(outcome, column);
      } while (text.Take(','));
    }
    if (!text.Take('}') || !text.AtEnd()) return CutBack(context->Fault(text.at(), kNoMultirange), column);
    return Appended(column->EndList());
  }

 private:
  RangeReader range_;
};

// map<utf8, utf8>
class HstoreReader : public ReaderBase<HstoreReader> {
 public:
  // How many, then key and value, each behind its length.
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    int32_t count;
    if (!cursor.Read(&count) || count < 0) return context->Fault(value.data(), kNoHstore);
    for (int32_t i = 0; i < count; ++i) {
      std::string_view key;
      std::string_view text;
      bool is_null = false;
      if (!cursor.ReadValue(&key, &is_null) || is_null || !cursor.ReadValue(&text, &is_null)) {
        return CutBack(context->Fault(cursor.at(), kNoHstore), column);
      }
      if (!AppendPair(key, text, is_null, column)) return CutBack(ReadOutcome::kNoForm, column);
    }
    if (!cursor.AtEnd()) return CutBack(context->Fault(cursor.at(), kNoHstore), column);
    return Appended(column->EndList());
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    QuotedText text(value);
    ReadContext::Scratch key_scratch(context);
    ReadContext::Scratch value_scratch(context);
    while (!text.AtEnd()) {
      std::string_view key;
      std::string_view part;
      bool is_null = false;
      if (!text.TakeQuoted(&*key_scratch, &key) || !text.Take("=>") ||
          !((is_null = text.Take("NULL")) || text.TakeQuoted(&*value_scratch, &part)) ||
          (!text.Take(", ") && !text.AtEnd())) {
        return CutBack(context->Fault(text.at(), kNoHstore), column);
      }
      if (!AppendPair(key, part, is_null, column)) return CutBack(ReadOutcome::kNoForm, column);
    }
    return Appended(column->EndList());
  }

 private:
  static bool AppendPair(std::string_view key, std::string_view text, bool is_null, ColumnBuilder* column) {
    ColumnBuilder* const pairs = column->child(0);
    return AppendText(key, pairs->child(0)) == ReadOutcome::kValue &&
           (is_null ? pairs->child(1)->AppendNull()
                    : AppendText(text, pairs->child(1)) == ReadOutcome::kValue) &&
           pairs->EndStruct();
  }
};

}  // namespace

ReaderPointer MakeListReader(ElementReader element, char delimiter) {
  return std::make_unique<ListReader>(std::move(element), delimiter);
}
ReaderPointer MakeCompositeReader(std::vector<ElementReader> attributes) {
  return std::make_unique<CompositeReader>(std::move(attributes));
}
ReaderPointer MakeRangeReader(ReaderPointer bound) { return std::make_unique<RangeReader>(std::move(bound)); }
ReaderPointer MakeMultirangeReader(ReaderPointer bound) {
  return std::make_unique<MultirangeReader>(std::move(bound));
}
ReaderPointer MakeHstoreReader() { return std::make_unique<HstoreReader>(); }

}  // namespace arrowcdc
