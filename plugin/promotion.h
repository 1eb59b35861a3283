// A stream from a standby ends when that is promoted. Decodes nothing of the new timeline.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// After a page was read, before a record of it is decoded. `on_standby`: as the walsender saw it last, before
// it was told to start.
void EndIfPromoted(Session* session, bool on_standby);

}  // namespace arrowcdc::plugin
