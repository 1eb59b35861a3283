// What setup and teardown would do, decided from what was inspected. Pure: no connection, so every case can
// be tested.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/setup/catalog.h"
#include "src/postgres/setup/publication.h"
#include "src/postgres/setup/slot.h"
#include "src/postgres/setup/slot_note.h"

namespace arrowcdc::postgres {

struct Inspection {
  ServerInfo server;
  TableCatalog catalog;
  std::optional<SlotInfo> slot;
  // Of those that are named and the two that setup uses by default, those that exist.
  std::vector<PublicationInfo> publications;
};

// Settings, role, plugin and slot. Fills checks, obstacles, steps and warnings.
// Errors: kUnsupported: nothing else is worth a look on such a server.
arrow::Status PlanServer(const Inspection& inspected, const PostgresOptions& source, SetupPlan* plan);

// The publications. Returns those of ours that carry a note on the slot.
arrow::Result<std::vector<std::string>> PlanPublications(const Inspection& inspected,
                                                         const PostgresOptions& source,
                                                         const TablePatterns& patterns, SetupPlan* plan);

// Everything, in the order of commitment: role, publications, slot.
arrow::Result<SetupPlan> MakeSetupPlan(const Inspection& inspected, const PostgresOptions& source,
                                       const SetupOptions& options, const TablePatterns& patterns);

// Errors: kSlotActive, kSlotMismatch, kBusy: another's slot is not dropped.
arrow::Result<SetupPlan> MakeTeardownPlan(const Inspection& inspected, const PostgresOptions& source);

// Other slots of this server that the publication's note names.
std::vector<std::string> OtherReaders(const Inspection& inspected, const PublicationInfo& publication,
                                      const std::string& slot);

// The obstacle where the role may not load the plugin, with the SQL that allows it.
arrow::Result<SetupObstacle> PluginNotAllowed(const ServerInfo& server, const std::string& plugin);

// The note on the slot that counts, from whichever of the publications has it.
std::optional<SlotNote> NoteOnSlot(const Inspection& inspected);

// All tables, with the reason of each.
std::vector<TableStatus> MakeTableList(const Inspection& inspected, const TablePatterns& patterns);

// SQL of the step that makes the slot; ApplySetup treats it with a timeout.
arrow::Result<std::string> CreateSlotSql(const std::string& slot, int server_version,
                                         OutputPlugin plugin = OutputPlugin::kWal2arrow);

}  // namespace arrowcdc::postgres
