// Groups of transactions.
#include "plugin/group.h"

#include "plugin/walsender.h"

namespace arrowcdc::plugin {

namespace {

constexpr int kAgeMaxMs = kUnsafe ? 3'600'000 : 20;
constexpr uint32_t kTransactionsMax = 1 << 16;

}  // namespace

void InitGroup(Group* group, uint64_t confirmed_lsn) {
  // Small at first: where an ERROR at some later record ends every session, what lies before it still gets
  // through.
  group->whole_max = 1;
  group->reached_lsn = confirmed_lsn;
}

void AddTransaction(Group* group, uint64_t end_lsn) {
  ++group->whole_count;
  group->whole_lsn = end_lsn;
}

void HoldBack(Group* group) {
  if (group->since == 0) group->since = GetCurrentTimestamp();
}

bool IsOld(const Group& group) {
  return HoldsBack(group) && TimestampDifferenceExceeds(group.since, GetCurrentTimestamp(), kAgeMaxMs);
}

void EndGroup(Group* group) {
  const uint64_t safe_lsn = group->safe_lsn;
  const uint32_t whole_max = group->whole_max < kTransactionsMax ? group->whole_max * 2 : kTransactionsMax;
  *group = Group{};
  group->whole_max = whole_max;
  group->safe_lsn = group->reached_lsn = safe_lsn;
}

}  // namespace arrowcdc::plugin
