#include "src/delivery/copy_notices.h"

namespace arrowcdc {

arrow::Status NotComplete() {
  return MakeError(ErrorKind::kInvalidOption,
                   "the sink has begun to copy rows that were there before, and does not have all of them",
                   "option --snapshot",
                   "leave the option out, and the copy is completed first; or give an empty place");
}

arrow::Status StoppedWhileAdding() {
  return MakeError(ErrorKind::kInterrupted, "stopped while rows of added tables were copied", "snapshot",
                   "start it again: it copies the tables that are not complete");
}

SourceNotice IsLater(const TableName& table, bool beside_stream) {
  return {false,
          std::string("its first change came after the copy of the tables: rows that it had before are "
                      "copied now, ") +
              (beside_stream ? "beside the stream" : "and the stream waits meanwhile"),
          "table " + ToString(table)};
}

SourceNotice NotCopied(const std::string& tables, const ErrorDetail& detail, const arrow::Status& why) {
  return {!detail.retryable(),
          "rows of " + tables + " could not be copied: " + why.message() +
              (detail.retryable()
                   ? "; it will be tried again"
                   : "; they are copied when the stream is started again (" + detail.remedy() + ")"),
          detail.object()};
}

}  // namespace arrowcdc
