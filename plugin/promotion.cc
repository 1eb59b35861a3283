// The end of a stream by a promotion.
#include "plugin/promotion.h"

#include "plugin/flush.h"

namespace arrowcdc::plugin {

// The walsender would go on with the new timeline's WAL, and the client take its positions for the old one's:
// they would look as if they had diverged.
void EndIfPromoted(Session* session, bool on_standby) {
  if (!on_standby || RecoveryInProgress()) return;
  FlushHeldBack(session);
  ereport(ERROR,
          (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("wal2arrow: this server was promoted to a new timeline"),
           errhint("Connect again.")));
}

}  // namespace arrowcdc::plugin
