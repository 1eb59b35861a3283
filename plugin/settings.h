// Settings that decide what text output functions write, fixed so that no role's or database's defaults show
// in the data.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// In a walsender for the whole backend, in an SQL function until RestoreSettings or the end of the
// transaction.
void ApplySettings(Session* session);
void RestoreSettings(Session* session);

}  // namespace arrowcdc::plugin
