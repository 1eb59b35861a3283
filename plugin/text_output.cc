// Values by their output function.
#include "plugin/text_output.h"

#include "pgtype/ewkb.h"
#include "plugin/appenders.h"
#include "plugin/guarded_call.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

namespace {

// The text of a larger value may pass what palloc gives (a bit string grows eightfold): such a call can raise
// too.
constexpr size_t kSafeBytesMax = 16 << 20;

char* CallOutput(TextOutput* output, Datum value) {
  if (!output->ready) {
    fmgr_info_cxt(output->function, &output->info, output->context);
    output->ready = true;
  }
  return output->binary ? reinterpret_cast<char*>(SendFunctionCall(&output->info, value))
                        : OutputFunctionCall(&output->info, value);
}

struct GuardedOutput {
  TextOutput* output;
  Datum value;
  char* text;
};

void RunGuardedOutput(void* argument) {
  auto* const call = static_cast<GuardedOutput*>(argument);
  call->text = CallOutput(call->output, call->value);
}

char* CallOutputGuarded(TextOutput* output, Datum value) {
  GuardedOutput call{output, value, nullptr};
  int sqlstate = 0;
  return CallGuarded(RunGuardedOutput, &call, &sqlstate) ? call.text : nullptr;
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

// A value of another reference system than the column's stays as it is: readers of geoarrow.wkb know EWKB.
bool AppendGeometryValue(AppendContext* append, Column* column, Datum value) {
  auto* const sent = reinterpret_cast<bytea*>(CallOutputGuarded(column->output, value));
  if (sent == nullptr) return false;
  const char* const ewkb = VARDATA(sent);
  size_t size = VARSIZE(sent) - VARHDRSZ;
  if (size > kColumnBytesMax - column->data.size) return false;
  Reserve(column->context, &column->data, size);
  char* const room = reinterpret_cast<char*>(column->data.data) + column->data.size;
  const char* fault_at = nullptr;
  switch (pgtype::EwkbToWkb(ewkb, size, column->srid, room, &size, &fault_at)) {
    case pgtype::EwkbOutcome::kWkb:
      break;
    case pgtype::EwkbOutcome::kOtherSrid:
    case pgtype::EwkbOutcome::kUnknown:
      size = VARSIZE(sent) - VARHDRSZ;
      memcpy(room, ewkb, size);
      break;
    case pgtype::EwkbOutcome::kFault:
      return false;
  }
  column->data.size += size;
  append->row_bytes += size;
  EndValue(column, static_cast<int64_t>(column->data.size));
  pfree(sent);
  return true;
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
