// Families of types, each with values and what they become, written and read in every way: by the plugin,
// by pgoutput in binary and in text, by COPY. What is expected of a value is written by hand; of columns that
// are text under unrepresentable=text it is the server's own text.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type.h>

#include "tests/values/read_table.h"

namespace arrowcdc::test {

inline constexpr char kNoForm[] = "!";

struct Value {
  std::string literal;  // SQL, without the cast
  std::string json;     // as Arrow's JSON reader takes it, or kNoForm
  // What comes of it where values are text, if that is something else: a documented difference.
  std::string json_of_text = {};
};

struct Family {
  std::string sql;
  std::shared_ptr<arrow::DataType> type;
  std::vector<Value> values;
  bool always_has_form = true;      // its columns are the same under unrepresentable=text
  const char* no_binary = nullptr;  // why values are not read in binary; a documented difference
  std::shared_ptr<arrow::DataType> json_type = {};  // of the JSON, where its reader does not know `type`
  bool in_arrays = true;
  bool in_hex = false;  // bytes, which the JSON has as hexadecimal digits
};

std::vector<Family> ScalarFamilies();
std::vector<Family> TextFamilies();
std::vector<Family> NestedFamilies();
// What the families need.
extern const char* const kFamilyTypes;

std::shared_ptr<arrow::DataType> RangeOf(const std::shared_ptr<arrow::DataType>& bound);
// A string of JSON.
std::string JsonText(const std::string& text);
// The output text of a literal that is its own.
Value Same(const std::string& text);

class TypeMatrix : public ValuesTest {
 protected:
  // A table a family: the type, a domain over it, and arrays of both. Rows: nulls, each value, arrays without
  // elements, of nulls, of two dimensions and with another lower bound. Prints how many cells agreed, and
  // which differ as documented.
  void Run(const std::vector<Family>& families, const std::string& ddl);
  void TearDown() override;
  // That were compared so far.
  int64_t cells() const { return cells_; }

 private:
  enum class Way { kPlugin, kBinary, kText, kCopy };
  static const char* NameOf(Way way);
  struct Cells {
    std::vector<std::string> json;  // a row each
    std::vector<bool> has_form;
  };
  using Tables = std::map<std::string, ChangeBatch>;

  void Write(const std::string& ddl);
  Cells Expect(const Family& family, int column, bool text) const;
  void Compare(Way way, const Tables& tables);
  void CompareColumn(const Family& family, int column, const Cells& cells, const ChangeBatch& batch);
  void CompareFields(const Tables& tables) const;
  void CompareAsText(Way way, const Tables& tables);
  arrow::Result<Tables> ReadPlugin(const PluginOptions& options);
  arrow::Result<Tables> ReadPgoutput(bool binary, const ValueOptions& options);
  arrow::Result<Tables> ReadCopies(const ValueOptions& options);
  int columns(const Family& family) const { return family.in_arrays ? 4 : 2; }

  std::vector<Family> families_;
  Tables plugin_;
  int64_t cells_ = 0;
  int64_t different_ = 0;
};

}  // namespace arrowcdc::test
