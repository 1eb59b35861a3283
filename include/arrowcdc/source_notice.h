// SourceNotice: what a source has to say that ends nothing.
#pragma once

#include <string>

namespace arrowcdc {

// Of tables, publications and the slot.
struct SourceNotice {
  bool error = false;  // rows that were asked for do not come; else a warning
  std::string text;    // what happened, and what to do
  std::string object;  // to what: table public.users, pattern public.*, publication "arrowcdc"
};

}  // namespace arrowcdc
