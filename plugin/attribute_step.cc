// Attributes to steps.
#include "plugin/attribute_step.h"

#include "plugin/appenders.h"

namespace arrowcdc::plugin {

namespace {

uint8_t GetAlignMask(char align) {
  switch (align) {
    case TYPALIGN_CHAR:
      return 0;
    case TYPALIGN_SHORT:
      return alignof(int16_t) - 1;
    case TYPALIGN_INT:
      return alignof(int32_t) - 1;
    default:
      return alignof(int64_t) - 1;
  }
}

// What the row writer does in line, by the function that it stands for.
StepKind FindInLineKind(TextMode text_mode, const Column* column) {
  const AppendFunction append = column->append;
  if (append == AppendBoolValue) return StepKind::kBool;
  if (append == AppendCharValue) return StepKind::kBytes1;
  if (append == AppendInt16Value) return StepKind::kBytes2;
  if (append == AppendInt32Value) return StepKind::kBytes4;
  if (append == AppendInt64Value) return StepKind::kBytes8;
  if (append == AppendUuidValue) return StepKind::kBytes16;
  if (append == AppendDateValue) return StepKind::kDate;
  if (append == AppendTimestampValue) return StepKind::kTimestamp;
  if (append == AppendByteaValue) return StepKind::kVarlenaBytes;
  if (append == AppendTextValue && text_mode == TextMode::kUtf8) return StepKind::kVarlenaBytes;
  if (append == AppendDecimalValue && column->type == format::ArrowTypeId::kDecimal128)
    return StepKind::kDecimal128;
  return StepKind::kValue;
}

// Bytes that an in-line kind of fixed length takes in the tuple, 0 for the others.
int16_t CountTupleBytes(StepKind kind) {
  switch (kind) {
    case StepKind::kBool:
    case StepKind::kBytes1:
      return 1;
    case StepKind::kBytes2:
      return 2;
    case StepKind::kBytes4:
    case StepKind::kDate:
      return 4;
    case StepKind::kBytes8:
    case StepKind::kTimestamp:
      return 8;
    case StepKind::kBytes16:
      return 16;
    default:
      return 0;
  }
}

StepKind FindKind(TextMode text_mode, const AttributeStep& step) {
  const bool published = step.column != nullptr;
  if (step.length == -2) return published ? StepKind::kCStringValue : StepKind::kSkipCString;
  if (!published) return step.length == -1 ? StepKind::kSkipVarlena : StepKind::kSkipFixed;
  const StepKind kind = FindInLineKind(text_mode, step.column);
  const bool varlena_kind = kind == StepKind::kVarlenaBytes || kind == StepKind::kDecimal128;
  if (step.length == -1) return varlena_kind ? kind : StepKind::kVarlenaValue;
  // Types and their storage belong together; a step never reads by the wrong one.
  return CountTupleBytes(kind) == step.length ? kind : StepKind::kValue;
}

}  // namespace

AttributeStep PlanAttribute(TextMode text_mode, TupleDesc tupdesc, int index, PublishedTable* table,
                            int32_t field) {
  const Form_pg_attribute attribute = TupleDescAttr(tupdesc, index);
  AttributeStep step{};
  step.align_mask = GetAlignMask(attribute->attalign);
  step.by_value = attribute->attbyval;
  step.length = attribute->attlen;
  step.field = field;
  step.column = field < 0 ? nullptr : &table->columns[field];
  step.kind = FindKind(text_mode, step);
  return step;
}

}  // namespace arrowcdc::plugin
