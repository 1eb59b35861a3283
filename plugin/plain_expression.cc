// Expressions, node by node.
#include "plugin/plain_expression.h"

extern "C" {
#include "catalog/pg_collation_d.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
}

namespace arrowcdc::plugin {

namespace {

#define COMPARISONS(prefix) prefix##EQ, prefix##NE, prefix##LT, prefix##LE, prefix##GT, prefix##GE
#define COMPARISONS_BETWEEN(left, right)                                                      \
  F_##left##_EQ_##right, F_##left##_NE_##right, F_##left##_LT_##right, F_##left##_LE_##right, \
      F_##left##_GT_##right, F_##left##_GE_##right

// The server's own functions that give a result for any two values, and look nothing up. The order of text
// is not among them: libraries that may fail decide it.
constexpr Oid kPlainFunctions[] = {
    COMPARISONS(F_BOOL), COMPARISONS(F_CHAR), COMPARISONS(F_INT2), COMPARISONS(F_INT4), COMPARISONS(F_INT8),
    COMPARISONS(F_INT24), COMPARISONS(F_INT42), COMPARISONS(F_INT28), COMPARISONS(F_INT82),
    COMPARISONS(F_INT48), COMPARISONS(F_INT84), COMPARISONS(F_FLOAT4), COMPARISONS(F_FLOAT8),
    COMPARISONS(F_FLOAT48), COMPARISONS(F_FLOAT84), COMPARISONS(F_NUMERIC_), COMPARISONS(F_CASH_),
    COMPARISONS(F_OID), COMPARISONS(F_XID8), COMPARISONS(F_PG_LSN_), COMPARISONS(F_DATE_),
    COMPARISONS(F_TIME_), COMPARISONS(F_TIMETZ_), COMPARISONS(F_TIMESTAMP_), COMPARISONS(F_TIMESTAMPTZ_),
    COMPARISONS_BETWEEN(DATE, TIMESTAMP), COMPARISONS_BETWEEN(TIMESTAMP, DATE), COMPARISONS(F_INTERVAL_),
    COMPARISONS(F_UUID_), COMPARISONS(F_NETWORK_), COMPARISONS(F_MACADDR_), COMPARISONS(F_BYTEA), F_XIDEQ,
    // Conversions to where every value fits.
    F_INT4_INT2, F_INT8_INT2, F_INT8_INT4, F_FLOAT8_INT2, F_FLOAT8_INT4, F_FLOAT8_FLOAT4, F_NUMERIC_INT2,
    F_NUMERIC_INT4, F_NUMERIC_INT8};

// These compare bytes, by the collations that need no library; others may not be there any more.
constexpr Oid kPlainTextFunctions[] = {F_TEXTEQ, F_TEXTNE, F_BPCHAREQ, F_BPCHARNE, F_NAMEEQ, F_NAMENE};

template <size_t kCount>
bool Contains(const Oid (&functions)[kCount], Oid function) {
  for (const Oid known : functions) {
    if (known == function) return true;
  }
  return false;
}

bool IsPlainCall(Oid function, Oid collation) {
  return Contains(kPlainFunctions, function) ||
         ((collation == DEFAULT_COLLATION_OID || collation == C_COLLATION_OID) &&
          Contains(kPlainTextFunctions, function));
}

struct Inspection {
  TupleDesc tupdesc;
  ExpressionKind kind;
};

bool FitsRow(const Var* var, TupleDesc tupdesc) {
  if (var->varno != 1 || var->varattno < 1 || var->varattno > tupdesc->natts) return false;
  const Form_pg_attribute attribute = TupleDescAttr(tupdesc, var->varattno - 1);
  return !attribute->attisdropped && attribute->atttypid == var->vartype;
}

// Without the nodes below it.
bool IsPlainNode(const Node* node) {
  switch (nodeTag(node)) {
    case T_Var:
    case T_Const:
    case T_List:
    case T_BoolExpr:
    case T_BooleanTest:
    case T_CaseExpr:
    case T_CaseWhen:
    case T_CaseTestExpr:
    case T_CoalesceExpr:
    case T_RelabelType:
      return true;
    case T_NullTest:
      return !reinterpret_cast<const NullTest*>(node)->argisrow;
    case T_FuncExpr: {
      const auto* const call = reinterpret_cast<const FuncExpr*>(node);
      return IsPlainCall(call->funcid, call->inputcollid);
    }
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr: {
      const auto* const call = reinterpret_cast<const OpExpr*>(node);  // all are laid out as this
      return IsPlainCall(call->opfuncid, call->inputcollid);
    }
    case T_ScalarArrayOpExpr: {
      const auto* const call = reinterpret_cast<const ScalarArrayOpExpr*>(node);
      return IsA(lsecond(call->args), Const) && IsPlainCall(call->opfuncid, call->inputcollid);
    }
    default:
      return false;
  }
}

extern "C" bool Inspect(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const inspection = static_cast<Inspection*>(context);
  if (IsA(node, Var) && !FitsRow(reinterpret_cast<const Var*>(node), inspection->tupdesc)) {
    inspection->kind = ExpressionKind::kImpossible;
    return true;
  }
  if (!IsPlainNode(node)) inspection->kind = ExpressionKind::kOther;
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, Inspect, context);
#else
  // Declared as one without parameters.
  const auto inspect = reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(Inspect));
  return expression_tree_walker(node, inspect, context);
#endif
}

}  // namespace

ExpressionKind ClassifyExpression(Expr* expression, TupleDesc tupdesc) {
  Inspection inspection{tupdesc, ExpressionKind::kPlain};
  Inspect(reinterpret_cast<Node*>(expression), &inspection);
  return inspection.kind;
}

}  // namespace arrowcdc::plugin
