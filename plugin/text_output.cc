// Values by their output function.
#include "plugin/text_output.h"

#include "plugin/appenders.h"
#include "plugin/text.h"

extern "C" {
#include "utils/resowner.h"
}

namespace arrowcdc::plugin {

namespace {

// The text of a larger value may pass what palloc gives (a bit string grows eightfold): such a call can raise
// too.
constexpr size_t kSafeBytesMax = 16 << 20;

bool MustRethrow(int sqlerrcode) {
  return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
         ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
         sqlerrcode == ERRCODE_OUT_OF_MEMORY || sqlerrcode == ERRCODE_DISK_FULL;
}

char* CallOutput(TextOutput* output, Datum value) {
  if (!output->ready) {
    fmgr_info_cxt(output->function, &output->info, output->context);
    output->ready = true;
  }
  return OutputFunctionCall(&output->info, value);
}

char* CallOutputGuarded(TextOutput* output, Datum value) {
  const MemoryContext context = CurrentMemoryContext;
  const ResourceOwner owner = CurrentResourceOwner;
  char* volatile text = nullptr;

  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    text = CallOutput(output, value);
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
  }
  PG_CATCH();
  {
    // Nothing here may raise before the subtransaction has ended: a walsender that leaves one open is of no
    // use any more.
    const bool rethrow = MustRethrow(geterrcode());
    if (!rethrow) FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (rethrow) PG_RE_THROW();
    text = nullptr;
  }
  PG_END_TRY();
  return text;
}

}  // namespace

char* GetOutputText(TextOutput* output, Datum value) {
  if (output->builtin && (!output->varlena || toast_raw_datum_size(value) <= kSafeBytesMax)) {
    return CallOutput(output, value);
  }
  return CallOutputGuarded(output, value);
}

bool AppendOutputValue(AppendContext* append, Column* column, Datum value) {
  char* const text = GetOutputText(column->output, value);
  if (text == nullptr) return false;
  const bool appended = column->output->builtin ? AppendText(append, column, text, strlen(text))
                                                : AppendUntrustedText(append, column, text, strlen(text));
  pfree(text);
  return appended;
}

bool AppendEnumValue(AppendContext* append, Column* column, Datum value) {
  const HeapTuple tuple = SearchSysCache1(ENUMOID, value);
  if (!HeapTupleIsValid(tuple)) return false;
  const char* const label = NameStr(reinterpret_cast<Form_pg_enum>(GETSTRUCT(tuple))->enumlabel);
  const bool appended = AppendText(append, column, label, strlen(label));
  ReleaseSysCache(tuple);
  return appended;
}

bool AppendXmlValue(AppendContext* append, Column* column, Datum value) {
  const Slice slice = OpenVarlena(value);
  if (slice.size >= 5 && memcmp(slice.data, "<?xml", 5) == 0) return AppendOutputValue(append, column, value);
  return AppendText(append, column, reinterpret_cast<const char*>(slice.data), slice.size);
}

}  // namespace arrowcdc::plugin
