// Statements over a table of the model, with values of a seed's choice. Each is right whatever rows there
// are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/same_wal/model.h"
#include "tests/testing/random.h"

namespace arrowcdc::test {

class Statements {
 public:
  explicit Statements(Random* random) : random_(random) {}

  // What changes rows of one lane. InsertMany and Copy make `rows` of them.
  std::string Insert(const Table& table, int lane);
  std::string InsertMany(const Table& table, int lane, int rows);
  std::string Copy(const Table& table) const;
  std::string CopyData(const Table& table, int lane, int rows);
  std::string Update(const Table& table, int lane);
  std::string UpdateKey(const Table& table, int lane);
  std::string Delete(const Table& table, int lane);
  std::string InsertOnConflict(const Table& table, int lane);
  std::string Merge(const Table& table, int lane);

  // A definition of a new table, its partitions and all.
  Table NewTable(const std::string& schema);
  std::vector<std::string> Create(const Table& table);
  std::vector<std::string> CreateLeaf(const Table& table, const Leaf& leaf);
  Column NewColumn();
  std::string ColumnSql(const Column& column) const;
  // A value of the column as SQL that does not depend on the row; `long_ones`: long ones among them.
  std::string Value(const Column& column, bool long_ones);

  // The labels of type hue.
  std::vector<std::string> hues{"hue 0"};

 private:
  std::string RawValue(const Column& column);
  std::string LongValue(const Column& column);
  std::string RowValue(const Table& table, const Column& column, const std::string& id);
  std::string InsertHead(const Table& table) const;
  std::string Row(const Table& table, const std::string& id);
  std::string KeyColumns(const Table& table) const;
  std::string Some(int lane);
  std::string SetSome(const Table& table);
  int64_t NewId(int lane) { return lane + int64_t{kLanes} * ++ids_; }

  Random* random_;
  int64_t ids_ = 0;
  int names_ = 0;
};

}  // namespace arrowcdc::test
