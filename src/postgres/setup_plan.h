// What setup and teardown would do, decided from what was inspected. Pure: no connection, so every case can
// be tested.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/admin.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/catalog.h"
#include "src/postgres/publication.h"
#include "src/postgres/slot.h"

namespace arrowcdc::postgres {

struct Inspection {
  ServerInfo server;
  TableCatalog catalog;
  std::optional<SlotInfo> slot;
  std::vector<PublicationInfo> publications;  // of the two names that setup uses, those that exist
};

// Settings, role, plugin and slot: what must be right before a table is looked at. Fills checks, steps and
// warnings. Errors: kUnsupported, kServerSetting, kPermission, kPluginNotAllowed, kSlotMismatch,
// kSlotInvalidated.
arrow::Status PlanServer(const Inspection& inspected, const SourceOptions& source, SetupPlan* plan);

// The two publications. Returns the one of ours that can carry the note on the slot's start, or none.
// Errors: kInvalidOption (no table matches), kReplicaIdentity, kPublicationMissing (the slot is older),
// kUnsupported (row filters).
arrow::Result<std::optional<std::string>> PlanPublications(const Inspection& inspected,
                                                           const SourceOptions& source,
                                                           const SetupOptions& options,
                                                           const TablePatterns& patterns, SetupPlan* plan);

// Everything, in the order of commitment: role, publications, slot.
arrow::Result<SetupPlan> MakeSetupPlan(const Inspection& inspected, const SourceOptions& source,
                                       const SetupOptions& options, const TablePatterns& patterns);

// Errors: kSlotActive, kSlotMismatch: another's slot is not dropped.
arrow::Result<SetupPlan> MakeTeardownPlan(const Inspection& inspected, const SourceOptions& source);

// All tables, with the reason of each.
arrow::Result<std::vector<TableStatus>> MakeTableList(const Inspection& inspected,
                                                      const TablePatterns& patterns);

// SQL of the step that makes the slot; ApplySetup treats it with a timeout.
arrow::Result<std::string> CreateSlotSql(const std::string& slot, int server_version);

}  // namespace arrowcdc::postgres
