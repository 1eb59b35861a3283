#include "src/delivery/copy_notices.h"

#include "arrowcdc/error.h"

namespace arrowcdc::copy_notices {
namespace {

SourceNotice Of(const TableName& table, const std::string& text) {
  return {false, text, "table " + ToString(table)};
}

}  // namespace

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

SourceNotice NotFromTheStart() {
  return {false,
          "rows that were there before are not copied: the sink has changes already, and began without them",
          "sink"};
}

SourceNotice Waits(const TableName& table, bool comes) {
  return Of(table, comes ? "it is to be copied anew, and --snapshot never forbids it"
                         : "it is to be copied anew, and cannot be: it is not published, or no pattern of "
                           "--tables matches it");
}

SourceNotice WasAskedFor(const TableName& table, bool comes) {
  return Of(table, comes ? "it is to be copied anew, as was asked"
                         : "it is to be copied anew, as was asked, and waits: as far as is known it is not "
                           "published, or no pattern of --tables matches it");
}

SourceNotice PointIsLost(const TableName& table) {
  return Of(table,
            "it is to be copied anew: its rows are of a point that this server's log does not have, as after "
            "a failover");
}

SourceNotice CameLater(const TableName& table, bool beside) {
  return Of(
      table,
      std::string("its first change came after the copy of the tables: rows that it had before are copied ") +
          (beside ? "now, beside the stream" : "now, and the stream waits meanwhile"));
}

SourceNotice NotThere(const TableName& table) {
  return Of(table,
            "its rows from before could not be copied, and only its changes come: the server does not list "
            "it. It was dropped or renamed since, or the account may not read it: with GRANT SELECT it is "
            "copied within a minute, or at the next start");
}

SourceNotice Failed(const std::string& tables, const arrow::Status& why) {
  const ErrorDetail& detail = *GetErrorDetail(why);
  return {!detail.retryable(),
          "rows of " + tables + " could not be copied: " + why.message() +
              (detail.retryable()
                   ? "; it will be tried again"
                   : "; they are copied when the stream is started again (" + detail.remedy() + ")"),
          detail.object()};
}

}  // namespace arrowcdc::copy_notices
