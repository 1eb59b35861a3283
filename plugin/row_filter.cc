// From the text in the catalog to an expression, and from a change to what is sent of it.
#include "plugin/row_filter.h"

#include "format/frame.h"
#include "plugin/guarded_call.h"
#include "plugin/plain_expression.h"

extern "C" {
#include "access/attmap.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
}

namespace arrowcdc::plugin {

namespace {

// The filters of an operation, OR-ed.
struct RowFilter {
  Expr* expression;         // null: it raises an error whatever the row is
  int sqlstate;             // of that error
  bool plain;               // raises none, whatever the row is
  MemoryContext state_cxt;  // of `state`
  ExprState* state;         // null: to be made
  bool evaluated;           // `state` was, with what functions look up at first
  Bitmapset* varlenas;      // attributes (from 1) that it reads and that may lie outside of the row
};

enum class Verdict { kFails, kPasses, kRaises };

}  // namespace

struct RowFilters {
  RowFilter* by_operation[kFilteredOperations];  // null: all rows pass; several may be the same
  ExprContext* evaluation;
  TupleDesc tupdesc;
  TupleTableSlot* old_row;
  TupleTableSlot* new_row;
  TupleTableSlot* filled_row;  // the new row, with values that were not changed from the old one
};

namespace {

// Functions written in SQL run by the active snapshot, and crash the server where there is none, as in a
// walsender. The one by which WAL is decoded will do.
void PushSnapshot() { PushActiveSnapshot(GetTransactionSnapshot()); }

struct Building {
  RowFilter* filter;
  List* texts;
  Relation relation;
  Relation published;
  TupleDesc tupdesc;
  MemoryContext context;  // of the result
};

Node* ReadFilter(const char* text, Relation published) {
  Node* const node = static_cast<Node*>(stringToNode(text));
#if PG_VERSION_NUM >= 180000
  return expand_generated_columns_in_expr(node, published, 1);  // virtual columns are in no row
#else
  (void)published;
  return node;
#endif
}

// Attribute numbers of the published table to those of the partition that the rows come from.
Node* MapAttributes(Node* node, Relation relation, Relation published) {
  if (relation == published) return node;
#if PG_VERSION_NUM >= 160000
  const AttrMap* const map =
      build_attrmap_by_name(RelationGetDescr(relation), RelationGetDescr(published), false);
#else
  const AttrMap* const map = build_attrmap_by_name(RelationGetDescr(relation), RelationGetDescr(published));
#endif
  bool whole_row = false;  // cannot be in a filter
  return map_variable_attnos(node, 1, 0, map, InvalidOid, &whole_row);
}

Bitmapset* FindVarlenas(Node* expression, TupleDesc tupdesc) {
  Bitmapset* read = nullptr;
  pull_varattnos(expression, 1, &read);
  Bitmapset* varlenas = nullptr;
  for (int attnum = 1; attnum <= tupdesc->natts; ++attnum) {
    if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, read) &&
        TupleDescAttr(tupdesc, attnum - 1)->attlen == -1) {
      varlenas = bms_add_member(varlenas, attnum);
    }
  }
  return varlenas;
}

void PlanFilter(void* argument) {
  const Building& building = *static_cast<const Building*>(argument);
  List* filters = NIL;
  ListCell* cell;
  foreach (cell, building.texts) {
    Node* const node = ReadFilter(static_cast<const char*>(lfirst(cell)), building.published);
    filters = lappend(filters, MapAttributes(node, building.relation, building.published));
  }
  PushSnapshot();
  Expr* const planned = expression_planner(make_orclause(filters));
  PopActiveSnapshot();
  const ExpressionKind kind = ClassifyExpression(planned, building.tupdesc);
  RowFilter* const filter = building.filter;
  if (kind == ExpressionKind::kImpossible) {
    filter->sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
    return;
  }
  filter->plain = kind == ExpressionKind::kPlain;
  const MemoryContext previous = MemoryContextSwitchTo(building.context);
  filter->varlenas = FindVarlenas(reinterpret_cast<Node*>(planned), building.tupdesc);
  filter->expression = static_cast<Expr*>(copyObjectImpl(planned));
  MemoryContextSwitchTo(previous);
}

RowFilter* BuildFilter(const Building& wanted) {
  Building building = wanted;
  const MemoryContext context = building.context;
  auto* const filter = static_cast<RowFilter*>(MemoryContextAllocZero(context, sizeof(RowFilter)));
  filter->state_cxt = AllocSetContextCreate(context, "wal2arrow row filter", ALLOCSET_SMALL_SIZES);
  building.filter = filter;
  // Constants are computed here, which may raise an error (1 / 0).
  int sqlstate = 0;
  if (!CallGuarded(PlanFilter, &building, &sqlstate)) {
    filter->expression = nullptr;
    filter->sqlstate = sqlstate;
  }
  return filter;
}

struct Evaluation {
  RowFilters* filters;
  RowFilter* filter;
  bool passes;
};

void Evaluate(void* argument) {
  auto* const evaluation = static_cast<Evaluation*>(argument);
  RowFilter* const filter = evaluation->filter;
  filter->evaluated = false;
  if (filter->state == nullptr) {
    const MemoryContext previous = MemoryContextSwitchTo(filter->state_cxt);
    filter->state = ExecInitExpr(filter->expression, nullptr);
    MemoryContextSwitchTo(previous);
  }
  bool is_null = true;
  const Datum result = ExecEvalExprSwitchContext(filter->state, evaluation->filters->evaluation, &is_null);
  evaluation->passes = !is_null && DatumGetBool(result);
  filter->evaluated = true;
}

void EvaluateWithSnapshot(void* argument) {
  PushSnapshot();
  Evaluate(argument);
  PopActiveSnapshot();
}

// What functions had half done in the state when an error came is not used again.
void ForgetState(RowFilter* filter) {
  filter->state = nullptr;
  filter->evaluated = false;
  MemoryContextReset(filter->state_cxt);
}

bool PointsToToast(const TupleTableSlot* row, int attnum) {
  return !row->tts_isnull[attnum - 1] &&
         VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(row->tts_values[attnum - 1]));
}

// Whether it reads a value that was not logged. A filter of updates and deletes reads columns of the replica
// identity only, which are, unless the identity or the filter was changed while the row was written.
bool ReadsUnlogged(const RowFilter* filter, TupleTableSlot* row) {
  if (filter->varlenas == nullptr) return false;
  slot_getallattrs(row);
  for (int attnum = -1; (attnum = bms_next_member(filter->varlenas, attnum)) >= 0;) {
    if (PointsToToast(row, attnum)) return true;
  }
  return false;
}

Verdict Judge(RowFilters* filters, RowFilter* filter, TupleTableSlot* row, int* sqlstate) {
  if (filter->expression == nullptr) {
    *sqlstate = filter->sqlstate;
    return Verdict::kRaises;
  }
  if (ReadsUnlogged(filter, row)) {
    *sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    return Verdict::kRaises;
  }
  ResetExprContext(filters->evaluation);
  filters->evaluation->ecxt_scantuple = row;
  Evaluation evaluation{filters, filter, false};
  if (filter->plain && filter->evaluated) {
    Evaluate(&evaluation);
  } else {
    if (filter->state != nullptr && !filter->evaluated) ForgetState(filter);  // that error ended nothing more
    if (!CallGuarded(EvaluateWithSnapshot, &evaluation, sqlstate)) {
      ForgetState(filter);
      return Verdict::kRaises;
    }
  }
  return evaluation.passes ? Verdict::kPasses : Verdict::kFails;
}

TupleTableSlot* Hold(TupleTableSlot* slot, HeapTuple tuple) { return ExecStoreHeapTuple(tuple, slot, false); }

// The new row of an update. A large value that was not changed is logged with the old row alone, where it is
// part of the replica identity.
TupleTableSlot* FillFromOld(RowFilters* filters, const RowFilter* filter, TupleTableSlot* new_row,
                            TupleTableSlot* old_row) {
  if (!ReadsUnlogged(filter, new_row)) return new_row;
  TupleTableSlot* const filled = filters->filled_row;
  const auto count = static_cast<size_t>(filters->tupdesc->natts);
  slot_getallattrs(old_row);
  ExecClearTuple(filled);
  memcpy(filled->tts_values, new_row->tts_values, count * sizeof(Datum));
  memcpy(filled->tts_isnull, new_row->tts_isnull, count * sizeof(bool));
  for (int attnum = -1; (attnum = bms_next_member(filter->varlenas, attnum)) >= 0;) {
    const int index = attnum - 1;
    if (PointsToToast(filled, attnum) && !old_row->tts_isnull[index])
      filled->tts_values[index] = old_row->tts_values[index];
  }
  return ExecStoreVirtualTuple(filled);
}

bool AreSame(const List* one, const List* other) {
  if (list_length(one) != list_length(other)) return false;
  for (int i = 0; i < list_length(one); ++i) {
    if (list_nth(one, i) != list_nth(other, i)) return false;
  }
  return true;
}

}  // namespace

RowFilters* BuildRowFilters(const FilterTexts& texts, Relation relation, Relation published,
                            TupleDesc tupdesc) {
  RowFilters* filters = nullptr;
  for (int i = 0; i < kFilteredOperations; ++i) {
    if (texts.by_operation[i] == NIL) continue;
    if (filters == nullptr) {
      filters = static_cast<RowFilters*>(palloc0(sizeof(RowFilters)));
      filters->evaluation = CreateStandaloneExprContext();
      filters->tupdesc = tupdesc;
      filters->old_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsHeapTuple);
      filters->new_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsHeapTuple);
      filters->filled_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsVirtual);
    }
    for (int before = 0; before < i; ++before) {
      if (AreSame(texts.by_operation[i], texts.by_operation[before]))
        filters->by_operation[i] = filters->by_operation[before];
    }
    if (filters->by_operation[i] == nullptr) {
      filters->by_operation[i] =
          BuildFilter({nullptr, texts.by_operation[i], relation, published, tupdesc, CurrentMemoryContext});
    }
  }
  return filters;
}

uint8_t FilterChange(RowFilters* filters, uint8_t operation, HeapTuple old_tuple, HeapTuple new_tuple,
                     int* sqlstate) {
  *sqlstate = 0;
  RowFilter* const filter = filters->by_operation[__builtin_ctz(operation)];
  if (filter == nullptr || (old_tuple == nullptr && new_tuple == nullptr)) return operation;
  TupleTableSlot* const old_row = old_tuple == nullptr ? nullptr : Hold(filters->old_row, old_tuple);
  TupleTableSlot* new_row = new_tuple == nullptr ? nullptr : Hold(filters->new_row, new_tuple);
  if (old_row == nullptr || new_row == nullptr) {
    const Verdict verdict = Judge(filters, filter, new_row != nullptr ? new_row : old_row, sqlstate);
    return verdict == Verdict::kFails ? 0 : operation;
  }
  const Verdict before = Judge(filters, filter, old_row, sqlstate);
  if (before == Verdict::kRaises) return operation;
  const Verdict after = Judge(filters, filter, FillFromOld(filters, filter, new_row, old_row), sqlstate);
  if (after == before) return after == Verdict::kPasses ? operation : 0;
  if (after == Verdict::kRaises) return operation;
  return after == Verdict::kPasses ? format::kOperationInsert : format::kOperationDelete;
}

}  // namespace arrowcdc::plugin
