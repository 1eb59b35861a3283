// Which expressions can be evaluated without care: those that raise no error, whatever the row is.
#pragma once

#include "plugin/pg.h"

extern "C" {
#include "nodes/primnodes.h"
}

namespace arrowcdc::plugin {

enum class ExpressionKind {
  kPlain,       // columns, constants, AND, OR, NOT, tests for null, and comparisons that cannot fail
  kOther,       // may raise an error
  kImpossible,  // does not fit the relation
};

// Of an expression as the planner leaves it, over rows of `tupdesc`.
ExpressionKind ClassifyExpression(Expr* expression, TupleDesc tupdesc);

}  // namespace arrowcdc::plugin
