// SourceNotice: what a source has to say that ends nothing.
#pragma once

#include <string>

namespace arrowcdc {

enum class NoticeKind {
  kOther,
  kGapAccepted,   // the stream goes on although changes are lacking, as was asked
  kPassedOver,    // changes of tables that no pattern matches
  kNotPublished,  // changes of tables that were asked for do not come
  kDdlSeen,       // a table was dropped, renamed or replaced, a publication altered
};

// Of tables, publications and the slot.
struct SourceNotice {
  bool error = false;  // rows that were asked for do not come; else a warning
  std::string text;    // what happened, and what to do
  std::string object;  // to what: table public.users, pattern public.*, publication "arrowcdc"
  NoticeKind kind = NoticeKind::kOther;
};

}  // namespace arrowcdc
