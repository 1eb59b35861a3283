// From catalog and publications to what comes.
#include "src/postgres/setup/published_check.h"

#include <algorithm>
#include <set>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/patterns/nearest_name.h"
#include "src/postgres/setup/publication_limits.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

constexpr size_t kLimitsMax = 10;  // tables of which it is told one by one that not everything comes

// A publication, with its members by their place in the catalog.
struct Members {
  const PublicationInfo* publication;
  std::vector<bool> listed;  // by name or by schema

  bool Lists(size_t table) const { return publication->all_tables || listed[table]; }
};

class Judge {
 public:
  Judge(const TableCatalog& catalog, const std::vector<PublicationInfo>& publications,
        const TablePatterns& patterns)
      : catalog_(catalog), tables_(catalog.tables()), publications_(publications), patterns_(patterns) {
    parents_.assign(tables_.size(), kNone);
    for (size_t i = 0; i < tables_.size(); ++i) {
      const TableInfo* parent = catalog.Find(tables_[i].parent);
      if (parent != nullptr) parents_[i] = static_cast<size_t>(parent - tables_.data());
    }
    for (const PublicationInfo& publication : publications) {
      if (publication.insert || publication.update || publication.remove || publication.truncate)
        members_.push_back(MembersOf(publication));
    }
  }

  PublishedJudgement Run(const std::vector<std::string>& texts) {
    judgement_.tables.resize(tables_.size());
    has_partitions_.assign(tables_.size(), false);
    for (size_t i = 0; i < tables_.size(); ++i)
      judgement_.tables[i].match = patterns_.Explain(tables_[i].name);
    for (size_t i = 0; i < tables_.size(); ++i) {
      TableStanding& standing = judgement_.tables[i];
      standing.asked = standing.match.matches;
      for (const size_t ancestor : AncestorsOf(i))
        standing.asked = standing.asked || judgement_.tables[ancestor].match.matches;
    }
    for (size_t i = 0; i < tables_.size(); ++i) {
      if (tables_[i].kind == 'r' && RowsObstacle(tables_[i]).empty()) JudgeLeaf(i);
    }
    for (size_t i = 0; i < tables_.size(); ++i) {
      if (tables_[i].kind == 'p' && !has_partitions_[i]) JudgeEmpty(i);
    }
    FillState(texts);
    judgement_.fits = Fits();
    return std::move(judgement_);
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  Members MembersOf(const PublicationInfo& publication) const {
    Members members{&publication, std::vector<bool>(tables_.size())};
    for (size_t i = 0; i < tables_.size(); ++i) {
      const TableName& name = tables_[i].name;
      members.listed[i] = publication.tables.contains(name) || publication.schemas.contains(name.schema);
    }
    return members;
  }

  // From the parent to the root.
  std::vector<size_t> AncestorsOf(size_t table) const {
    std::vector<size_t> ancestors;
    // The catalog is read without a lock: a circle cannot be, and would not end.
    for (size_t at = parents_[table]; at != kNone && ancestors.size() < tables_.size(); at = parents_[at])
      ancestors.push_back(at);
    return ancestors;
  }

  // A table with rows of its own.
  void JudgeLeaf(size_t table) {
    const std::vector<size_t> ancestors = AncestorsOf(table);
    TableStanding& standing = judgement_.tables[table];
    size_t published_as = table;
    size_t highest = 0;  // how far up it is
    for (const Members& members : members_) {
      size_t topmost = 0;
      for (size_t level = 1; level <= ancestors.size(); ++level) {
        if (members.Lists(ancestors[level - 1])) topmost = level;
      }
      if (!members.Lists(table) && topmost == 0) continue;
      standing.published = true;
      if (members.publication->via_root && topmost > highest) {
        highest = topmost;
        published_as = ancestors[topmost - 1];
      }
    }
    // Under a name that no pattern can match: it is passed over, unless there are no patterns.
    if (published_as == table && !CaptureObstacle(tables_[table]).empty()) {
      standing.published = false;
      return;
    }
    if (standing.published) {
      standing.published_as = &tables_[published_as];
      standing.comes = judgement_.tables[published_as].match.matches;
    }
    for (const size_t ancestor : ancestors) {
      has_partitions_[ancestor] = true;
      TableStanding& above = judgement_.tables[ancestor];
      above.published = above.published || standing.published;
      above.comes = above.comes || standing.comes;
      if (standing.published && (above.published_as == nullptr || !standing.comes))
        above.published_as = standing.published_as;
    }
    if (!standing.published) return;
    judgement_.state.any = true;
    const TablePatterns::Match& name = judgement_.tables[published_as].match;
    (name.matches ? coming_ : passed_over_).insert(tables_[published_as].name);
    if (standing.asked && !name.matches && !name.excluded) misfits_.emplace_back(table, published_as);
  }

  // A partitioned table without a partition that could have rows: those that it gets will be published.
  void JudgeEmpty(size_t table) {
    TableStanding& standing = judgement_.tables[table];
    const std::vector<size_t> ancestors = AncestorsOf(table);
    for (const Members& members : members_) {
      const bool lists = members.Lists(table) || std::any_of(ancestors.begin(), ancestors.end(),
                                                             [&](size_t at) { return members.Lists(at); });
      standing.published = standing.published || lists;
    }
    // Under which name, its first row will tell.
    standing.comes = standing.published && standing.match.matches;
    judgement_.state.any = judgement_.state.any || standing.published;
    if (standing.comes) coming_.insert(tables_[table].name);
  }

  // Asked for and not published; where that holds for a whole partitioned table, it alone is named.
  bool StaysAway(size_t table) const {
    const TableStanding& standing = judgement_.tables[table];
    return standing.asked && !standing.published && !standing.match.excluded &&
           CaptureObstacle(tables_[table]).empty();
  }

  void FillState(const std::vector<std::string>& texts) {
    PublishedState& state = judgement_.state;
    state.any_pattern = !texts.empty();
    for (const Members& members : members_) {
      const PublicationInfo& publication = *members.publication;
      state.lists_tables = state.lists_tables && !publication.all_tables && publication.schemas.empty();
    }
    state.coming.assign(coming_.begin(), coming_.end());
    state.passed_over.assign(passed_over_.begin(), passed_over_.end());
    std::vector<TableName> no_rows;
    for (size_t i = 0; i < tables_.size(); ++i) {
      const TableInfo& table = tables_[i];
      if (StaysAway(i) && (parents_[i] == kNone || !StaysAway(parents_[i])))
        state.not_coming.push_back(table.name);
      if (state.any_pattern && judgement_.tables[i].match.matches && !CaptureObstacle(table).empty())
        no_rows.push_back(table.name);
    }
    if (!no_rows.empty()) {
      state.notices.push_back(
          {false, "no changes can be captured of views, foreign, unlogged and temporary tables that match",
           "tables " + FirstNames(no_rows)});
    }
    AddIdlePatterns(texts);
    if (!catalog_.names_only()) AddLimits();
  }

  // A pattern that matches nothing is most likely misspelt.
  void AddIdlePatterns(const std::vector<std::string>& texts) {
    std::vector<std::string> idle_texts;
    for (const std::string& text : texts) {
      if (text.starts_with('!')) continue;
      const auto pattern = TablePatterns::Parse({text});
      const bool idle =
          pattern.ok() && std::none_of(tables_.begin(), tables_.end(),
                                       [&](const TableInfo& table) { return pattern->Matches(table.name); });
      if (idle) idle_texts.push_back(text);
    }
    if (idle_texts.empty()) return;
    const std::vector<TableName> names = CapturableNames(catalog_);
    judgement_.state.nearest = NearestPatterns(idle_texts, names);
    for (const std::string& text : idle_texts) {
      const std::string nearest = NearestPatterns({text}, names);
      judgement_.state.notices.push_back(
          {false,
           "a pattern matches no table of the database" + (nearest.empty() ? "" : "; nearest: " + nearest),
           "pattern " + text});
    }
  }

  // What a reader of the data would look for in vain. Of the tables under whose names rows come.
  void AddLimits() {
    size_t count = 0;
    for (size_t i = 0; i < tables_.size(); ++i) {
      const TableStanding& standing = judgement_.tables[i];
      const TableInfo* const as = standing.published_as;
      if (!standing.comes || (as != nullptr && as != &tables_[i])) continue;
      const std::string limits = LimitsText(catalog_, tables_[i], publications_);
      if (limits.empty() || ++count > kLimitsMax) continue;
      judgement_.state.notices.push_back(
          {false, "not everything of it comes: " + limits, "table " + ToString(tables_[i].name)});
    }
    if (count > kLimitsMax) {
      judgement_.state.notices.push_back({false,
                                          "not everything of them comes, either: 'arrowcdc tables' says what",
                                          std::to_string(count - kLimitsMax) + " other tables"});
    }
  }

  // Names of the publications of which one is the reason that rows of `table` come as `published_as`.
  std::vector<std::string> Responsible(size_t table, size_t published_as) const {
    std::vector<std::string> names;
    const std::vector<size_t> ancestors = AncestorsOf(table);
    for (const Members& members : members_) {
      const bool above = std::any_of(ancestors.begin(), ancestors.end(),
                                     [&](size_t ancestor) { return members.Lists(ancestor); });
      if (published_as == table ? above : members.publication->via_root && members.Lists(published_as))
        names.push_back(members.publication->name);
    }
    return names;
  }

  arrow::Result<std::string> SetViaRoot(const std::vector<std::string>& publications, bool on) const {
    std::string sql;
    for (const std::string& publication : publications) {
      ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteIdentifier(publication));
      sql += "ALTER PUBLICATION " + name + " SET (publish_via_partition_root = " + (on ? "true" : "false") +
             "); ";
    }
    return sql + "which holds for changes that are made after it";
  }

  arrow::Status Fits() const {
    if (misfits_.empty()) return arrow::Status::OK();
    const auto [first, under] = misfits_[0];
    size_t asked = first;  // the table that a pattern matches
    for (const size_t ancestor : AncestorsOf(first)) {
      if (judgement_.tables[ancestor].match.matches) asked = ancestor;
    }
    const TableName& wanted = tables_[asked].name;
    const std::vector<std::string> publications = Responsible(first, under);
    const std::string refused = "; nothing was streamed or acknowledged";
    if (under != first) {
      ARROW_ASSIGN_OR_RAISE(const std::string sql, SetViaRoot(publications, false));
      return MakeError(ErrorKind::kPublicationMismatch,
                       "its changes come as those of " + ToString(tables_[under].name) +
                           ", which no pattern matches: they would be passed over" + refused,
                       "table " + ToString(wanted),
                       "add " + ToString(tables_[under].name) + " to the patterns, or run " + sql);
    }
    std::vector<TableName> partitions;
    for (const auto& [table, as] : misfits_) {
      const auto ancestors = AncestorsOf(table);
      if (table == as && std::find(ancestors.begin(), ancestors.end(), asked) != ancestors.end())
        partitions.push_back(tables_[table].name);
    }
    ARROW_ASSIGN_OR_RAISE(const std::string sql, SetViaRoot(publications, true));
    return MakeError(
        ErrorKind::kPublicationMismatch,
        "its changes come under the names of its partitions, which no pattern matches: they would be passed "
        "over; " +
            FirstNames(partitions) + refused,
        "table " + ToString(wanted),
        publications.empty()
            ? "add its partitions to the patterns, or publish it as a whole: run 'arrowcdc setup'"
            : "add its partitions to the patterns, or run " + sql);
  }

  const TableCatalog& catalog_;
  const std::vector<TableInfo>& tables_;
  const std::vector<PublicationInfo>& publications_;
  const TablePatterns& patterns_;
  std::vector<size_t> parents_;  // by place in the catalog
  std::vector<Members> members_;
  std::vector<bool> has_partitions_;
  std::set<TableName> coming_;
  std::set<TableName> passed_over_;                 // names that rows come under and nobody asked for
  std::vector<std::pair<size_t, size_t>> misfits_;  // a table that was asked for, what its rows come as
  PublishedJudgement judgement_;
};

}  // namespace

PublishedJudgement JudgePublished(const TableCatalog& catalog,
                                  const std::vector<PublicationInfo>& publications,
                                  const TablePatterns& patterns, const std::vector<std::string>& texts) {
  PublishedJudgement judgement = Judge(catalog, publications, patterns).Run(texts);
  for (const PublicationInfo& publication : publications)
    judgement.state.publications.push_back(publication.name);
  return judgement;
}

arrow::Result<PublishedState> CheckPublished(Connection& connection,
                                             const std::vector<PublicationInfo>& publications,
                                             const std::vector<std::string>& texts, bool again) {
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(texts));
  ARROW_ASSIGN_OR_RAISE(const TableCatalog catalog,
                        again ? ReadTableNames(connection) : ReadTables(connection));
  PublishedJudgement judgement = JudgePublished(catalog, publications, patterns, texts);
  ARROW_RETURN_NOT_OK(judgement.fits);
  return std::move(judgement.state);
}

}  // namespace arrowcdc::postgres
