#include "tests/same_wal/model.h"

#include <algorithm>
#include <iterator>

namespace arrowcdc::test {

const Column* Table::find(Role role) const {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.role == role; });
  return found == columns.end() ? nullptr : &*found;
}

bool Table::has(Role role) const { return find(role) != nullptr; }

std::vector<size_t> Table::payload() const {
  std::vector<size_t> found;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].role == Role::kPayload) found.push_back(i);
  }
  return found;
}

std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string Sql(const Table& table) { return Quoted(table.schema) + "." + Quoted(table.name); }

size_t Model::Add(Table table, Transaction* transaction) {
  Table missing = table;
  missing.exists = false;
  tables_.push_back(std::move(missing));
  Alter(tables_.size() - 1, transaction) = std::move(table);
  return tables_.size() - 1;
}

bool Model::LockedByOther(size_t table, const Transaction& transaction) const {
  const auto found = altered_by_.find(table);
  return found != altered_by_.end() && found->second != transaction.number;
}

std::vector<size_t> Model::Writable(const Transaction& transaction) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].exists && !LockedByOther(i, transaction)) found.push_back(i);
  }
  return found;
}

std::vector<size_t> Model::Alterable(const Transaction& transaction) const {
  std::vector<size_t> found = Writable(transaction);
  std::erase_if(found, [&](size_t i) {
    const auto writers = writers_.find(i);
    if (writers == writers_.end()) return false;
    return std::any_of(writers->second.begin(), writers->second.end(),
                       [&](int number) { return number != transaction.number; });
  });
  return found;
}

Table& Model::Alter(size_t table, Transaction* transaction) {
  altered_by_[table] = transaction->number;
  transaction->frames.back().before.emplace_back(table, tables_[table]);
  return tables_[table];
}

void Model::Savepoint(const std::string& name, Transaction* transaction) {
  transaction->frames.push_back({name, {}});
}

void Model::Undo(Transaction::Frame* frame) {
  for (auto i = frame->before.rbegin(); i != frame->before.rend(); ++i) tables_[i->first] = i->second;
  frame->before.clear();
}

void Model::RollbackTo(Transaction* transaction) { Undo(&transaction->frames.back()); }

void Model::Release(Transaction* transaction) {
  auto released = std::move(transaction->frames.back());
  transaction->frames.pop_back();
  auto& before = transaction->frames.back().before;
  std::move(released.before.begin(), released.before.end(), std::back_inserter(before));
}

void Model::Rollback(Transaction* transaction) {
  for (auto frame = transaction->frames.rbegin(); frame != transaction->frames.rend(); ++frame) Undo(&*frame);
  Unlock(*transaction);
}

void Model::Unlock(const Transaction& transaction) {
  std::erase_if(altered_by_, [&](const auto& entry) { return entry.second == transaction.number; });
  for (auto& [table, writers] : writers_) writers.erase(transaction.number);
}

}  // namespace arrowcdc::test
