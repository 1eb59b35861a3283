// Calls in a subtransaction.
#include "plugin/guarded_call.h"

#include "plugin/pg.h"

extern "C" {
#include "access/transam.h"
#include "storage/procarray.h"
#include "utils/resowner.h"
}

namespace arrowcdc::plugin {

namespace {

bool MustRethrow(int sqlerrcode) {
  return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
         ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
         sqlerrcode == ERRCODE_OUT_OF_MEMORY || sqlerrcode == ERRCODE_DISK_FULL;
}

// As the server looks at it after each scan of a catalog.
bool HasAborted(TransactionId decoded) {
  return TransactionIdIsValid(decoded) && !TransactionIdIsInProgress(decoded) &&
         !TransactionIdDidCommit(decoded);
}

}  // namespace

bool CallGuarded(void (*function)(void* argument), void* argument, int* sqlstate) {
  const MemoryContext context = CurrentMemoryContext;
  const ResourceOwner owner = CurrentResourceOwner;
  // Rolling back clears it, and the server would not notice any more that what it decodes has aborted.
  const TransactionId decoded = CheckXidAlive;
  volatile bool returned = false;

  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    function(argument);
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    returned = true;
  }
  PG_CATCH();
  {
    // Nothing here may raise before the subtransaction has ended: a walsender that leaves one open is of no
    // use any more.
    *sqlstate = geterrcode();
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    CheckXidAlive = decoded;
    // This one the server takes for the news that what it decodes has aborted, and ends the block: not where
    // the call has invented it.
    const bool rethrow =
        *sqlstate == ERRCODE_TRANSACTION_ROLLBACK ? HasAborted(decoded) : MustRethrow(*sqlstate);
    if (rethrow) PG_RE_THROW();
    FlushErrorState();
  }
  PG_END_TRY();
  return returned;
}

}  // namespace arrowcdc::plugin
