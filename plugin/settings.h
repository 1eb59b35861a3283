// Settings of the server: those that decide what text output functions write, fixed so that no role's or
// database's defaults show in the data; and our own, with which an administrator switches off what clients
// ask for.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// In a walsender for the whole backend, in an SQL function until RestoreSettings or the end of the
// transaction.
void ApplySettings(Session* session);
void RestoreSettings(Session* session);

// wal2arrow.batching and wal2arrow.drain. Once a backend, at load.
void DefineSettings();
bool BatchingAllowed();
bool DrainAllowed();

}  // namespace arrowcdc::plugin
