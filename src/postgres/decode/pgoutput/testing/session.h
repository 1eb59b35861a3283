// A session of pgoutput by hand ("Logical Replication Message Formats" in PostgreSQL's manual), and a catalog
// in memory that knows its tables.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/postgres/decode/pgoutput/relation_catalog.h"
#include "src/postgres/decode/values/testing/bytes.h"
#include "src/postgres/decode/values/testing/test_catalog.h"

namespace arrowcdc::test {

class TestRelationCatalog : public RelationCatalog {
 public:
  arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) override {
    return types.FindType(oid);
  }
  arrow::Result<int> MoneyDigits() override { return types.MoneyDigits(); }
  arrow::Result<std::optional<RelationFacts>> FindRelation(uint32_t oid) override {
    ++questions;
    const auto found = relations.find(oid);
    if (found == relations.end()) return std::nullopt;
    return found->second;
  }
  void Forget() override { ++forgotten; }

  TestCatalog types;
  std::map<uint32_t, RelationFacts> relations;
  int questions = 0;
  int forgotten = 0;
};

inline std::string String(const std::string& text) { return text + '\0'; }

// A tuple's cell: text; null where there is none.
inline std::string TextCell(const Part& text) { return text.has_value() ? "t" + Sized(*text) : "n"; }
inline std::string BinaryCell(const std::string& bytes) { return "b" + Sized(bytes); }
inline std::string UnchangedCell() { return "u"; }

inline std::string TupleOf(const std::vector<std::string>& cells) {
  std::string bytes = Be16(static_cast<int64_t>(cells.size()));
  for (const std::string& cell : cells) bytes += cell;
  return bytes;
}
inline std::string TextTuple(const std::vector<Part>& values) {
  std::vector<std::string> cells;
  for (const Part& value : values) cells.push_back(TextCell(value));
  return TupleOf(cells);
}

// commit_ts: since 2000.
inline std::string BeginBytes(uint64_t commit_lsn, uint32_t xid, int64_t commit_ts = 0) {
  return "B" + Be(commit_lsn) + Be64(commit_ts) + Be(xid);
}
inline std::string CommitBytes(uint64_t commit_lsn, uint64_t end_lsn, int64_t commit_ts = 0) {
  return "C" + std::string(1, '\0') + Be(commit_lsn) + Be(end_lsn) + Be64(commit_ts);
}
inline std::string InsertBytes(uint32_t oid, const std::string& tuple) { return "I" + Be(oid) + "N" + tuple; }
inline std::string UpdateBytes(uint32_t oid, const std::string& tuple) { return "U" + Be(oid) + "N" + tuple; }
// old_kind: 'K' or 'O'.
inline std::string UpdateBytes(uint32_t oid, char old_kind, const std::string& old,
                               const std::string& tuple) {
  return "U" + Be(oid) + old_kind + old + "N" + tuple;
}
inline std::string DeleteBytes(uint32_t oid, char old_kind, const std::string& old) {
  return "D" + Be(oid) + old_kind + old;
}
// options: 1 cascade, 2 restart identity.
inline std::string TruncateBytes(const std::vector<uint32_t>& oids, uint8_t options = 0) {
  std::string bytes = "T" + Be32(static_cast<int64_t>(oids.size())) + Be(options);
  for (const uint32_t oid : oids) bytes += Be(oid);
  return bytes;
}

// Of pg_logical_emit_message; end_lsn: of its record.
inline std::string MessageBytes(bool transactional, uint64_t end_lsn, const std::string& prefix,
                                const std::string& content) {
  return "M" + Be(static_cast<uint8_t>(transactional)) + Be(end_lsn) + String(prefix) + Sized(content);
}

// Of protocol 2. A message of a block has the xid of the transaction, or of a part of it, behind its kind.
inline std::string StreamStartBytes(uint32_t xid, bool first = true) {
  return "S" + Be(xid) + Be(static_cast<uint8_t>(first));
}
inline std::string StreamCommitBytes(uint32_t xid, uint64_t commit_lsn, uint64_t end_lsn,
                                     int64_t commit_ts = 0) {
  return "c" + Be(xid) + std::string(1, '\0') + Be(commit_lsn) + Be(end_lsn) + Be64(commit_ts);
}
inline std::string StreamAbortBytes(uint32_t xid, uint32_t subxid) { return "A" + Be(xid) + Be(subxid); }
inline std::string InBlock(uint32_t xid, const std::string& message) {
  return message.substr(0, 1) + Be(xid) + message.substr(1);
}

struct SentColumn {
  std::string name;
  uint32_t type = 0;
  bool key = false;
  int32_t typmod = -1;
};
inline std::string RelationBytes(uint32_t oid, const std::string& name, char identity,
                                 const std::vector<SentColumn>& columns,
                                 const std::string& schema = "public") {
  std::string bytes =
      "R" + Be(oid) + String(schema) + String(name) + identity + Be16(static_cast<int64_t>(columns.size()));
  for (const SentColumn& column : columns) {
    bytes +=
        Be(static_cast<uint8_t>(column.key)) + String(column.name) + Be(column.type) + Be32(column.typmod);
  }
  return bytes;
}

struct SentMessage {
  uint64_t lsn = 0;  // dataStart
  std::string bytes;
};

// Every kind of message: two transactions of a table and one of another.
inline std::vector<SentMessage> WholeSession() {
  const std::string items =
      RelationBytes(5000, "items", 'd', {{"id", kInt4, true}, {"name", kText}, {"day", kDate}});
  const std::string full = RelationBytes(5001, "full", 'f', {{"a", kInt4Array, true}, {"b", kNumeric, true}});
  return {
      {90, BeginBytes(1000, 700, 5)},
      {0, "O" + Be64(77) + String("other")},
      {0, items},
      {100, InsertBytes(5000, TextTuple({"1", "one", "2000-01-02"}))},
      {110, UpdateBytes(5000, TupleOf({TextCell("1"), UnchangedCell(), BinaryCell(Be32(7))}))},
      {120, UpdateBytes(5000, 'K', TextTuple({"1", std::nullopt, std::nullopt}),
                        TextTuple({"2", "two", "infinity"}))},
      {1010, CommitBytes(1000, 1010)},
      {1020, BeginBytes(2000, 701, 6)},
      {0, "Y" + Be32(20001) + String("public") + String("mood")},
      {0, full},
      {1030, InsertBytes(5001, TextTuple({"{1,NULL}", "1.50"}))},
      {1040, UpdateBytes(5001, 'O', TextTuple({"{1}", "1"}), TupleOf({UnchangedCell(), TextCell("2")}))},
      {1050, DeleteBytes(5001, 'O', TextTuple({std::nullopt, "NaN"}))},
      {1055, MessageBytes(true, 1055, "prefix", "content")},
      {1060, DeleteBytes(5000, 'K', TextTuple({"2", std::nullopt, std::nullopt}))},
      {1070, TruncateBytes({5000, 5001}, 3)},
      {2010, CommitBytes(2000, 2010)},
      {2050, MessageBytes(false, 2050, "", "")},
  };
}

}  // namespace arrowcdc::test
