// What the generator knows of the database: tables as each transaction sees them, and who holds locks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace arrowcdc::test {

enum class Role { kId, kRegion, kCode, kPayload, kGenerated };

struct Column {
  std::string name;  // as it is, not quoted
  Role role = Role::kPayload;
  size_t type = 0;          // of SampleTypes, of kPayload
  bool long_values = true;  // its storage lets them be
};

enum class Identity { kKey, kIndex, kFull, kNone };

struct Leaf {
  std::string name;
  int region = 0;
};

struct Table {
  std::string schema;
  std::string name;
  std::vector<Column> columns;  // the first is id
  bool has_key = false;         // a primary key; else the index of kIndex, or none
  Identity identity = Identity::kKey;
  bool partitioned = false;
  std::vector<Leaf> leaves;
  bool exists = true;

  bool has(Role role) const;
  const Column* find(Role role) const;
  std::vector<size_t> payload() const;
};

std::string Quoted(const std::string& name);
std::string Sql(const Table& table);

// A transaction that has begun: of a session, or prepared.
struct Transaction {
  int number = 0;
  int lane = 0;               // rows whose id is of another one belong to somebody else
  bool old_snapshot = false;  // it does not see what is committed after its first statement
  // Savepoints from the bottom, which is the transaction itself; with the tables as they were before.
  struct Frame {
    std::string savepoint;
    std::vector<std::pair<size_t, Table>> before;
  };
  std::vector<Frame> frames{1};
};

// Ids are lane + kLanes * n: open transactions never meet in a row.
inline constexpr int kLanes = 8;

class Model {
 public:
  size_t size() const { return tables_.size(); }
  const Table& table(size_t i) const { return tables_[i]; }

  // A new one, seen by its transaction alone until that commits.
  size_t Add(Table table, Transaction* transaction);

  // Tables that the transaction may write to, or change, without waiting for another.
  std::vector<size_t> Writable(const Transaction& transaction) const;
  std::vector<size_t> Alterable(const Transaction& transaction) const;
  void Write(size_t table, const Transaction& transaction) { writers_[table].insert(transaction.number); }
  // The table, to be changed; taken back with the transaction's savepoint.
  Table& Alter(size_t table, Transaction* transaction);

  void Savepoint(const std::string& name, Transaction* transaction);
  // The last savepoint: undone, and still there.
  void RollbackTo(Transaction* transaction);
  void Release(Transaction* transaction);
  void Commit(const Transaction& transaction) { Unlock(transaction); }
  void Rollback(Transaction* transaction);

 private:
  void Undo(Transaction::Frame* frame);
  void Unlock(const Transaction& transaction);
  bool LockedByOther(size_t table, const Transaction& transaction) const;

  std::vector<Table> tables_;
  std::map<size_t, int> altered_by_;
  std::map<size_t, std::set<int>> writers_;
};

}  // namespace arrowcdc::test
