// Reads values of one PostgreSQL type, in the forms in which a server sends them, into an Arrow column.
// Made by the type table (type_table.h). No I/O, no clock; bytes are hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/status.h>

#include "src/change/column_builder.h"

namespace arrowcdc {

enum class ValueForm : uint8_t {
  kText,    // what typoutput writes
  kBinary,  // what typsend writes
};

enum class ReadOutcome : uint8_t {
  kValue,   // one value was appended
  kNoForm,  // the value has no Arrow form (docs/types.md); nothing was appended
  kFault,   // not what PostgreSQL writes; nothing was appended, the context says where and what
};

// What reading needs besides the bytes: where a fault goes, and memory that is used again. One for all
// readers of a thread.
class ReadContext {
 public:
  // Remembers the fault. `what`: a literal. `at` is in the value that is being read, or just behind it.
  ReadOutcome Fault(const char* at, const char* what) {
    fault_at_ = at;
    fault_what_ = what;
    return ReadOutcome::kFault;
  }
  const char* fault_at() const { return fault_at_; }
  const char* fault_what() const { return fault_what_; }

  // Text of an element without its quotes, one for each depth of nesting; grows with the input only.
  class Scratch {
   public:
    explicit Scratch(ReadContext* context) : context_(context) {
      if (context->scratch_.size() == context->depth_) {
        context->scratch_.push_back(std::make_unique<std::string>());
      }
      text_ = context->scratch_[context->depth_++].get();
    }
    ~Scratch() { --context_->depth_; }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string* operator->() { return text_; }
    std::string& operator*() { return *text_; }

   private:
    ReadContext* context_;
    std::string* text_;
  };

 private:
  const char* fault_at_ = nullptr;
  const char* fault_what_ = "";
  std::vector<std::unique_ptr<std::string>> scratch_;
  size_t depth_ = 0;
};

// Immutable; may be used by several threads, each with a context and columns of its own.
class ValueReader {
 public:
  virtual ~ValueReader() = default;

  // One value that is not NULL, into a column of the reader's type. Unless the outcome is kValue the column
  // is as it was before.
  virtual ReadOutcome ReadBinary(std::string_view value, ColumnBuilder* column,
                                 ReadContext* context) const = 0;
  virtual ReadOutcome ReadText(std::string_view value, ColumnBuilder* column, ReadContext* context) const = 0;

  // `count` values or nulls, each behind its length as in an array: one virtual call for all of them. What
  // follows them begins at *at. Where the outcome is not kValue the caller cuts the column back.
  virtual ReadOutcome ReadBinaryElements(const char** at, const char* end, int32_t count,
                                         ColumnBuilder* column, ReadContext* context) const = 0;
};

}  // namespace arrowcdc
