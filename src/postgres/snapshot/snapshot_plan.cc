#include "src/postgres/snapshot/snapshot_plan.h"

#include <algorithm>
#include <numeric>

#include "arrowcdc/error.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

constexpr size_t kLeavesMax = 1 << 16;

int64_t BytesOf(const CopyTable& table) {
  return std::accumulate(table.leaves.begin(), table.leaves.end(), int64_t{0},
                         [](int64_t sum, const LeafInfo& leaf) { return sum + leaf.bytes; });
}

// The blocks from part->first_block up to, and without, part->end_block.
void Cut(const LeafInfo& leaf, CopyPart part, int64_t part_bytes, std::vector<CopyPart>* parts) {
  const int64_t count = leaf.by_block ? std::min(leaf.bytes / part_bytes, leaf.blocks) : 0;
  const std::optional<uint32_t> end = part.end_block;
  const int64_t step = count < 2 ? int64_t{UINT32_MAX} + 1 : (leaf.blocks + count - 1) / count;
  const int64_t blocks = end.has_value() ? int64_t{*end} : leaf.blocks;
  bool last = false;
  for (int64_t block = part.first_block; !last; block += step) {
    last = block + step >= blocks;
    part.first_block = static_cast<uint32_t>(block);
    part.end_block = last ? end : std::optional(static_cast<uint32_t>(block + step));
    part.whole = part.first_block == 0 && !part.end_block.has_value();
    parts->push_back(part);
  }
}

// What lies between the blocks that are kept.
void PlanLeaf(const CopyTable& table, CopyPart part, int64_t part_bytes, std::vector<CopyPart>* parts) {
  const LeafInfo& leaf = table.leaves[part.leaf];
  std::optional<uint32_t> next = 0;  // none: nothing follows
  for (const KeptRange& range : table.kept) {
    if (range.leaf != part.leaf) continue;
    if (range.first_block > next) {
      part.first_block = *next;
      part.end_block = range.first_block;
      Cut(leaf, part, part_bytes, parts);
    }
    next = range.end_block;
  }
  if (!next.has_value()) return;
  part.first_block = *next;
  part.end_block.reset();
  Cut(leaf, part, part_bytes, parts);
}

std::string Place(uint32_t block) { return "'(" + std::to_string(block) + ",0)'::pg_catalog.tid"; }

std::string RangeOf(const CopyPart& part) {
  if (part.whole) return "";
  std::string range = "ctid >= " + Place(part.first_block);
  if (part.end_block.has_value()) range += " AND ctid < " + Place(*part.end_block);
  return range;
}

// Tuples of transactions that the snapshot did not see. xmin holds 32 bits of a number below
// `next_transaction` and less than 2^32 away from it. Those below 3 are of no transaction: every snapshot saw
// them.
arrow::Result<std::string> UnseenBy(const std::string& seen, uint64_t next_transaction) {
  ARROW_ASSIGN_OR_RAISE(const std::string snapshot, QuoteLiteral(seen));
  const std::string last = std::to_string(next_transaction - 1);
  return "xmin <> '1'::pg_catalog.xid AND xmin <> '2'::pg_catalog.xid AND NOT "
         "pg_catalog.pg_visible_in_snapshot((GREATEST(" +
         last + " - ((" + last +
         " - xmin::pg_catalog.text::pg_catalog.int8) & 4294967295), "
         "0))::pg_catalog.text::pg_catalog.xid8, " +
         snapshot + "::pg_catalog.pg_snapshot)";
}

std::string Both(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + " AND " + b;
}

}  // namespace

arrow::Result<std::vector<CopyPart>> PlanParts(const std::vector<CopyTable>& tables, int64_t part_bytes) {
  std::vector<size_t> order(tables.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return BytesOf(tables[a]) > BytesOf(tables[b]); });
  std::vector<CopyPart> parts;
  for (const size_t place : order) {
    const CopyTable& table = tables[place];
    if (table.leaves.size() > kLeavesMax) {
      return MakeError(ErrorKind::kUnsupported,
                       "the table has " + std::to_string(table.leaves.size()) +
                           " partitions, and rows of more than " + std::to_string(kLeavesMax) +
                           " cannot be told apart in a snapshot",
                       "table " + ToString(table.name),
                       "leave it out with a pattern ('!" + ToString(table.name) +
                           "'), or publish its partitions under their own names (setup "
                           "--partitions-as-tables)");
    }
    if (table.leaves.empty()) parts.push_back({.table = place});
    for (size_t leaf = 0; leaf < table.leaves.size(); ++leaf) {
      PlanLeaf(table, {.table = place, .leaf = static_cast<uint16_t>(leaf)}, part_bytes, &parts);
    }
    // Behind the others: a copy that is interrupted again and again gets on.
    for (const KeptRange& range : table.kept) {
      const bool whole = range.first_block == 0 && !range.end_block.has_value();
      parts.push_back({place, range.leaf, whole, range.first_block, range.end_block, range.seen});
    }
  }
  return parts;
}

uint64_t FirstPlace(const CopyPart& part) {
  return static_cast<uint64_t>(part.leaf) << 48 | static_cast<uint64_t>(part.first_block) << 16 | 1;
}

arrow::Result<std::string> CopyCommand(const CopyTable& table, const CopyPart& part,
                                       const std::vector<bool>& text_columns, uint64_t next_transaction) {
  const LeafInfo& leaf = table.leaves[part.leaf];
  std::string columns;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteIdentifier(table.sql_names[i]));
    // num_nulls, since a composite of nulls IS NULL; format, since it takes every type's output text.
    if (i > 0) columns += ", ";
    columns += (text_columns[i] ? "CASE WHEN pg_catalog.num_nulls(" + name +
                                      ") = 0 THEN pg_catalog.format('%s', " + name + ") END"
                                : name);
  }
  ARROW_ASSIGN_OR_RAISE(const std::string from, QuoteQualified(leaf.name.schema, leaf.name.table));
  std::string where = RangeOf(part);
  if (!part.seen.empty()) {
    ARROW_ASSIGN_OR_RAISE(const std::string unseen, UnseenBy(part.seen, next_transaction));
    where = Both(where, unseen);
  }
  if (!table.filter.empty()) where = Both(where, "(" + table.filter + ")");
  // Of all rows COPY itself costs the server a tenth less than a query; it takes no generated columns.
  const bool is_text = std::find(text_columns.begin(), text_columns.end(), true) != text_columns.end();
  if (where.empty() && !is_text && !table.generated && !columns.empty())
    return "COPY " + from + " (" + columns + ") TO STDOUT (FORMAT binary)";
  return "COPY (SELECT " + columns + " FROM ONLY " + from + (where.empty() ? "" : " WHERE " + where) +
         ") TO STDOUT (FORMAT binary)";
}

}  // namespace arrowcdc::postgres
