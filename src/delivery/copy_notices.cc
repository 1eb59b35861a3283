#include "src/delivery/copy_notices.h"

#include <algorithm>

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

arrow::Status IsGone(const TableName& table, const std::string& place, bool copies) {
  return MakeError(
      ErrorKind::kSink, "the table's directory, with rows that were acknowledged, was removed or moved away",
      "table " + ToString(table),
      "bring it back into " + place +
          (copies ? "; or let 'arrowcdc resnapshot' have the table copied anew"
                  : "; or, where these rows are not wanted any more, make an empty one in its place"));
}

SourceNotice HasNoFiles(const TableName& table) {
  return Of(table,
            "rows of it were copied, and its directory has no files: where nobody has moved them away on "
            "purpose, bring them back, or let 'arrowcdc resnapshot' have the table copied anew");
}

SourceNotice NotCopiedYet(const std::vector<TableName>& tables) {
  constexpr size_t kNamesMax = 5;
  std::string names;
  for (size_t i = 0; i < std::min(tables.size(), kNamesMax); ++i)
    names += (i == 0 ? "" : ", ") + ToString(tables[i]);
  if (tables.size() > kNamesMax) names += " and " + std::to_string(tables.size() - kNamesMax) + " more";
  return {false,
          "rows that are to be copied are not all there yet, and the next start goes on with them: " + names,
          "snapshot"};
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

SourceNotice WasLeftOut(const TableName& table) {
  return Of(table,
            "it is copied anew: the stream before this one left it out, and its changes were passed over");
}

SourceNotice IsNotListed(const TableName& table) {
  return Of(table,
            "it was to be copied anew and is not there: it waits until it is published, and a pattern of "
            "--tables matches it");
}

SourceNotice Withdrawn(const TableName& table, bool waits) {
  return Of(table, waits ? "it is not copied anew: the request was withdrawn"
                         : "a request that it be copied anew was withdrawn, and is not there any more");
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
