#include "src/postgres/snapshot/kept_parts.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "format/frame.h"
#include "src/change/table_schema.h"

namespace arrowcdc::postgres {
namespace {

// Beyond it 32 bits of a transaction's number do not tell whether it came before or behind a point.
constexpr uint64_t kTransactionsMax = uint64_t{1} << 31;

// The number in front of the next `separator`, which goes with it; the whole rest for the last one.
template <typename Number>
bool TakeNumber(std::string_view* text, char separator, Number* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  if (separator == 0) return true;
  if (text->empty() || text->front() != separator) return false;
  text->remove_prefix(1);
  return true;
}

using RangeKey = std::tuple<uint16_t, uint32_t, std::optional<uint32_t>>;

// As RangeText writes it.
std::optional<RangeKey> ParseRange(const CopyTable& table, std::string_view text) {
  uint32_t oid = 0;
  uint32_t first_block = 0;
  uint32_t end_block = 0;
  if (!TakeNumber(&text, ' ', &oid) || !TakeNumber(&text, ' ', &first_block)) return std::nullopt;
  const bool open = text == "end";
  if (!open && (!TakeNumber(&text, 0, &end_block) || !text.empty() || end_block <= first_block))
    return std::nullopt;
  const auto leaf = std::find_if(table.leaves.begin(), table.leaves.end(),
                                 [&](const LeafInfo& info) { return info.oid == oid; });
  if (leaf == table.leaves.end()) return std::nullopt;
  return RangeKey{static_cast<uint16_t>(leaf - table.leaves.begin()), first_block,
                  open ? std::nullopt : std::optional(end_block)};
}

bool Overlap(const KeptRange& a, const KeptRange& b) {
  return a.leaf == b.leaf && (!a.end_block.has_value() || *a.end_block > b.first_block);
}

}  // namespace

std::optional<SeenTransactions> ParseSeen(const std::string& text) {
  SeenTransactions seen;
  std::string_view rest = text;
  if (!TakeNumber(&rest, ':', &seen.lowest) || !TakeNumber(&rest, ':', &seen.next) ||
      rest.find_first_not_of("0123456789,") != std::string_view::npos)
    return std::nullopt;
  seen.next = std::max(seen.lowest, seen.next);
  seen.text = std::to_string(seen.lowest) + ':' + std::to_string(seen.next) + ':' + std::string(rest);
  return seen;
}

bool MayKeepParts(const CopyTable& table) {
  const bool is_leaf = table.leaves.size() == 1 && table.leaves[0].oid == table.oid;
  const bool by_key = table.replica_identity == ReplicaIdentity::kDefault ||
                      (is_leaf && table.replica_identity == ReplicaIdentity::kIndex);
  const bool has_key = std::any_of(table.columns.begin(), table.columns.end(),
                                   [](const ColumnDescription& column) { return column.key_place > 0; });
  return by_key && has_key && table.publishes_all && !table.leaves.empty() &&
         std::all_of(table.leaves.begin(), table.leaves.end(), [&](const LeafInfo& leaf) {
           return leaf.by_block && leaf.replica_identity == table.replica_identity;
         });
}

std::string LayoutOf(const CopyTable& table) {
  std::string text = std::to_string(table.oid) + ' ' + table.version + ' ' +
                     ReplicaIdentityLetter(table.replica_identity) + ' ' + table.filter;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const ColumnDescription& column = table.columns[i];
    text += '\n' + table.sql_names[i];
    for (const int64_t number : {int64_t{column.attnum.value_or(0)}, int64_t{column.attribute.type},
                                 int64_t{column.attribute.typmod}, int64_t{column.key_place}})
      text += ' ' + std::to_string(number);
  }
  for (const LeafInfo& leaf : table.leaves)
    text += '\n' + std::to_string(leaf.oid) + ' ' + std::to_string(leaf.file_number) + ' ' + leaf.version;
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx",
                static_cast<unsigned long long>(format::Fingerprint(text.data(), text.size())));
  return digits;
}

std::string RangeText(const CopyTable& table, const CopyPart& part) {
  return std::to_string(table.leaves[part.leaf].oid) + ' ' + std::to_string(part.first_block) + ' ' +
         (part.end_block.has_value() ? std::to_string(*part.end_block) : "end");
}

std::optional<Position> KeepRanges(const std::vector<SnapshotPart>& parts, const SeenTransactions& now,
                                   CopyTable* table) {
  table->kept.clear();
  if (parts.empty() || !MayKeepParts(*table)) return std::nullopt;
  const std::string layout = LayoutOf(*table);
  std::map<RangeKey, const SnapshotPart*> last;
  Position point = parts.front().point;
  for (const SnapshotPart& part : parts) {
    const auto range = ParseRange(*table, part.range);
    const auto seen = ParseSeen(part.seen);
    if (part.layout != layout || !range.has_value() || !seen.has_value() || seen->next > now.next ||
        now.next - seen->lowest >= kTransactionsMax)
      return std::nullopt;
    const SnapshotPart*& latest = last[*range];
    if (latest == nullptr || latest->point < part.point) latest = &part;
    point = std::min(point, part.point);
  }
  std::vector<KeptRange> kept;
  for (const auto& [range, part] : last) {
    const auto& [leaf, first_block, end_block] = range;
    kept.push_back({leaf, first_block, end_block, part->seen});
    if (kept.size() > 1 && Overlap(kept[kept.size() - 2], kept.back())) return std::nullopt;
  }
  table->kept = std::move(kept);
  return point;
}

}  // namespace arrowcdc::postgres
