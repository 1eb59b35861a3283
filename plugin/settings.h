// Settings of the server: those that decide what text output functions write, fixed so that no role's or
// database's defaults show in the data; and our own, with which an administrator switches off what clients
// ask for.
#pragma once

#include "plugin/pg.h"

namespace arrowcdc::plugin {

struct AppliedSettings {
  int nest_level;  // 0: for the whole backend
};

// In a walsender for the whole backend, in an SQL function until RestoreSettings or the end of the
// transaction.
AppliedSettings ApplySettings();
void RestoreSettings(AppliedSettings* applied);

// wal2arrow.batching, wal2arrow.drain and wal2arrow.max_delay. Once a backend, at load.
void DefineSettings();
bool IsBatchingAllowed();
bool IsDrainAllowed();
uint32_t MaxDelayMsAllowed();

}  // namespace arrowcdc::plugin
