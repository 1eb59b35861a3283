#include "src/delivery/sink_memory.h"

#include <algorithm>
#include <utility>

namespace arrowcdc {
namespace {

bool SameNames(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

std::string Joined(const std::vector<std::string>& names, const std::string& none) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? none : text;
}

}  // namespace

std::vector<SourceNotice> SinkMemory::Restore(SinkState state, const StreamIdentity& now) {
  table_ids_ = std::move(state.table_ids);
  std::vector<SourceNotice> warnings;
  if (!state.stream.has_value()) return warnings;
  const StreamIdentity& stored = *state.stream;
  const std::string object = now.slot.empty() ? "stream" : "slot \"" + now.slot + "\"";
  const auto warn = [&](const std::string& what, const std::string& before, const std::string& after) {
    warnings.push_back({false,
                        "the sink's rows came from " + what + " " + before + ", and the stream is now of " +
                            what + " " + after,
                        object});
  };
  if (stored.database != now.database) {
    warn("database", "\"" + stored.database + "\"", "\"" + now.database + "\"");
  }
  if (!SameNames(stored.publications, now.publications)) {
    warn("publications", Joined(stored.publications, "(none)"), Joined(now.publications, "(none)"));
  }
  if (!SameNames(stored.patterns, now.patterns)) {
    warn("tables", Joined(stored.patterns, "(all)"), Joined(now.patterns, "(all)"));
  }
  return warnings;
}

std::optional<SourceNotice> SinkMemory::Check(const std::shared_ptr<const TableSchema>& table) {
  if (table == last_) return std::nullopt;
  last_ = table;
  const auto [found, is_new] = table_ids_.try_emplace(table->name, table->table_id);
  if (is_new || found->second == table->table_id) return std::nullopt;
  const uint32_t before = std::exchange(found->second, table->table_id);
  if (!said_.emplace(table->name, table->table_id).second) return std::nullopt;
  return SourceNotice{false,
                      "the name belongs to another table than before: rows of relation " +
                          std::to_string(before) + " came first, and those of relation " +
                          std::to_string(table->table_id) + " follow",
                      "table " + ToString(table->name), NoticeKind::kDdlSeen};
}

}  // namespace arrowcdc
