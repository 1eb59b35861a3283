#include "src/delivery/publication_watch.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"

namespace arrowcdc {
namespace {

constexpr size_t kToldMax = 1'000;       // texts that are remembered, so that each is told once
constexpr size_t kUnmatchedMax = 1'000;  // tables that are counted by name

constexpr char kLost[] =
    "; what is written there meanwhile never comes, and 'arrowcdc setup' with the same patterns publishes it "
    "from then on";

constexpr char kNotYet[] =
    " at that point: what was written there never comes as a change; where nobody has done so yet, 'arrowcdc "
    "add-tables' publishes it, and a stream into parquet:DIR then copies the rows that it has";

std::string ObjectOf(const TableName& table) { return "table " + ToString(table); }

std::string ObjectOf(const PublishedState& state) {
  std::string text = state.publications.size() == 1 ? "publication" : "publications";
  for (const std::string& name : state.publications) text += " \"" + name + "\"";
  return text;
}

std::string NameOf(const NoticeEvent::Operations& operation) {
  if (operation.insert) return "INSERT";
  if (operation.update) return "UPDATE";
  if (operation.remove) return "DELETE";
  return "TRUNCATE";
}

bool Any(const NoticeEvent::Operations& published) {
  return published.insert || published.update || published.remove || published.truncate;
}

}  // namespace

TablePatterns::Match PublicationWatch::Match(const TableName& table) const {
  return patterns_ == nullptr ? TablePatterns::Match{true, ""} : patterns_->Explain(table);
}

bool PublicationWatch::KnowsOneThatMatches() const {
  return std::any_of(known_.begin(), known_.end(),
                     [this](const TableName& table) { return Match(table).matches; });
}

// Each is told once; again: at every connect.
void PublicationWatch::Tell(const SourceNotice& notice, bool again) {
  const bool is_new = told_.size() < kToldMax && told_.insert(notice.object + notice.text).second;
  if (is_new || again) notices_.push_back(notice);
}

void PublicationWatch::EndAt(const Position& position, const std::string& text, const std::string& object) {
  if (end_.has_value() && end_->position <= position) return;
  end_ = End{position, MakeError(ErrorKind::kPublicationMissing, text, object,
                                 std::string("run 'arrowcdc setup' with the same patterns to publish it from "
                                             "now on; ") +
                                     (on_unpublished_ == OnUnpublished::kStop
                                          ? "without --on-unpublished=stop a start goes on without it"
                                          : "started again, the stream goes on without it"))};
}

arrow::Status PublicationWatch::Connected(const SourceInfo& info, bool first, bool is_new) {
  const PublishedState& state = info.published;
  const bool may_stop = on_unpublished_ == OnUnpublished::kStop && state.lists_tables;
  lists_tables_ = state.lists_tables;
  // A start that is to end goes on to do so after a reconnect.
  const std::optional<End> before = std::exchange(end_, std::nullopt);
  for (const SourceNotice& notice : state.notices) Tell(notice, false);
  if (!state.passed_over.empty())
    Tell({false, "tables are published and do not match: the slot passes over their changes",
          "tables " + FirstNames(state.passed_over), NoticeKind::kPassedOver},
         false);
  // Said as a whole.
  for (const TableName& table : state.passed_over) {
    if (unmatched_.size() < kUnmatchedMax) unmatched_.emplace(table, 0);
  }
  if (!state.any) {
    if (!state.lists_tables) return arrow::Status::OK();
    const std::string text = "no table is published any more" +
                             (state.not_coming.empty() ? "" : ", not " + FirstNames(state.not_coming));
    Tell({true, text + kLost, ObjectOf(state), NoticeKind::kNotPublished}, true);
    unpublished_.insert(ObjectOf(state));
    if ((first && is_new) || before.has_value() || may_stop)
      EndAt(before.has_value() ? before->position : info.end, text + ": what the slot held was delivered",
            ObjectOf(state));
    return arrow::Status::OK();
  }
  if (state.any_pattern && state.coming.empty()) {
    // A misspelt pattern must not acknowledge anything; whoever got rows by these patterns spelt them right.
    const bool misspelt = is_new || (!KnowsOneThatMatches() && (!known_.empty() || state.not_coming.empty()));
    // MySQL publishes nothing, and shows an account what it has rights on.
    const bool publishes = !state.publications.empty();
    const std::string text = publishes ? "no published table matches the patterns"
                                       : "no table that the account can see matches the patterns";
    if (first && misspelt) {
      return MakeError(ErrorKind::kPublicationMissing,
                       text + (state.nearest.empty() ? "" : "; nearest: " + state.nearest), "option --tables",
                       std::string("look at 'arrowcdc tables' with the same patterns") +
                           (publishes ? "" : ", and at what SELECT was granted on") +
                           "; nothing was streamed or acknowledged");
    }
    Tell({true, text + " any more" + kLost, ObjectOf(state), NoticeKind::kNotPublished}, true);
    if (state.not_coming.empty()) unpublished_.insert(ObjectOf(state));
    if (may_stop) EndAt(info.end, text + " any more: what the slot held was delivered", ObjectOf(state));
  }
  JudgeTables(info);
  return arrow::Status::OK();
}

// Tables that exist, were asked for and are not published.
void PublicationWatch::JudgeTables(const SourceInfo& info) {
  const PublishedState& state = info.published;
  std::vector<TableName> gone;
  std::vector<TableName> never;
  for (const TableName& table : state.not_coming) {
    if (known_.contains(table)) {
      gone.push_back(table);
      unpublished_.insert(ObjectOf(table));
    } else if (state.any_pattern) {
      never.push_back(table);
    }
  }
  if (!gone.empty())
    Tell({true, std::string("tables whose changes came before are not published any more") + kLost,
          "tables " + FirstNames(gone), NoticeKind::kNotPublished},
         true);
  if (!never.empty())
    Tell({false,
          "tables match and are not streamed, as they are not published: 'arrowcdc setup' publishes them, "
          "'arrowcdc tables' says what hinders",
          "tables " + FirstNames(never), NoticeKind::kNotPublished},
         false);
  gone.insert(gone.end(), never.begin(), never.end());
  if (!gone.empty() && on_unpublished_ == OnUnpublished::kStop && state.lists_tables) {
    EndAt(info.end, "tables that were asked for are not published: what the slot held of them was delivered",
          "tables " + FirstNames(gone));
  }
}

arrow::Status PublicationWatch::Noticed(const NoticeEvent& event) {
  if (event.what == NoticeEvent::What::kPublication) {
    Tell({false, "the publication was changed: what it publishes may be more or less from here on",
          "publication \"" + event.table.table + "\"", NoticeKind::kDdlSeen},
         true);
    return arrow::Status::OK();
  }
  if (!Any(event.published) || event.what == NoticeEvent::What::kPassedOver) {
    JudgeMissingRows(event);
    return arrow::Status::OK();
  }
  const TablePatterns::Match comes_as = Match(event.published_as);
  if (comes_as.matches) known_partitions_.insert(event.table_id);
  if (comes_as.matches || comes_as.excluded) return arrow::Status::OK();
  const TableName* asked = Match(event.table).matches ? &event.table : nullptr;
  for (const TableName& ancestor : event.ancestors) {
    if (Match(ancestor).matches) asked = &ancestor;
  }
  if (asked == nullptr) return arrow::Status::OK();
  const bool own_name = event.published_as == event.table;
  return MakeError(
      ErrorKind::kPublicationMismatch,
      "changes of it come as those of " + ToString(event.published_as) +
          ", which no pattern matches: they would be passed over; the stream ended before the first of them",
      ObjectOf(*asked),
      "add " + ToString(event.published_as) +
          " to the patterns: these changes come under no other name; for later ones, ALTER PUBLICATION ... "
          "SET "
          "(publish_via_partition_root = " +
          (own_name ? "true)" : "false)"));
}

// A row that does not come, or a table of which none come from here on.
void PublicationWatch::JudgeMissingRows(const NoticeEvent& event) {
  if (Match(event.table).excluded) return;
  std::vector<TableName> names = event.ancestors;
  names.push_back(event.table);
  bool asked = false;  // by a pattern: without any, what is not published was not asked for
  bool known = false;
  for (const TableName& name : names) {
    const bool matches = Match(name).matches;
    asked = asked || (patterns_ != nullptr && matches);
    known = known || (matches && known_.contains(name));
  }
  // Whatever it is called now. One that is no partition any more has left its table.
  const bool came = known_relations_.contains(event.table_id) ||
                    (!event.ancestors.empty() && known_partitions_.contains(event.table_id));
  const std::string object = ObjectOf(event.table);
  if (!asked && !known && patterns_ != nullptr) {
    if (came && !Any(event.published))
      Tell({false,
            "its changes came before; no pattern matches its new name, and it is not published any more",
            object, NoticeKind::kNotPublished},
           false);
    return;
  }
  known = known || came;
  if (!asked && !known) return;
  if (Any(event.published)) {
    // Of a publication that sends some operations and not others that is no fault.
    Tell({false, NameOf(event.operation) + " is not published of it: such changes do not come", object,
          NoticeKind::kNotPublished},
         false);
    return;
  }
  const std::string text = known ? "it is not published any more" : "it matches and is not published";
  Tell({true, text + (known ? kLost : kNotYet), object, NoticeKind::kNotPublished}, false);
  unpublished_.insert(object);
  if (on_unpublished_ == OnUnpublished::kStop && lists_tables_)
    EndAt(event.position, text + ": everything before its first change was delivered", object);
}

void PublicationWatch::PassedOver(const TableName& table, uint64_t rows) {
  const auto found = unmatched_.find(table);
  if (found != unmatched_.end()) {
    found->second += rows;
    return;
  }
  if (unmatched_.size() < kUnmatchedMax) unmatched_.emplace(table, rows);
  if (!Match(table).excluded)
    Tell({false, "its changes come and no pattern matches it: they are passed over", ObjectOf(table),
          NoticeKind::kPassedOver},
         false);
}

std::vector<SourceNotice> PublicationWatch::TakeNotices() { return std::exchange(notices_, {}); }

}  // namespace arrowcdc
