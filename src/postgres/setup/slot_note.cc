// Reads notes leniently, and lets the server write them: reading, merging and writing are one statement
// there.
#include "src/postgres/setup/slot_note.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/client/quoting.h"

namespace arrowcdc::postgres {
namespace {

using nlohmann::json;

constexpr size_t kPatternBytesMax = 4000;
constexpr std::string_view kSpace = " \t\r\n";

// What follows the first words; none where they are not there.
std::optional<std::string> NoteText(const std::string& comment) {
  if (!comment.starts_with(kMadeBySetup)) return std::nullopt;
  return comment.substr(std::string_view(kMadeBySetup).size());
}

// Null where it is none; an array of nothing where no slot is noted.
json ParseEntries(const std::string& text) {
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return {};
  const auto slots = parsed.find("slots");
  if (slots == parsed.end()) return {};
  if (slots->is_null()) return json::array();
  return slots->is_array() ? *slots : json();
}

std::string TextOf(const json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<SlotNote> ParseEntry(const json& entry) {
  if (!entry.is_object()) return std::nullopt;
  SlotNote note{TextOf(entry, "slot"), TextOf(entry, "system"), std::nullopt, std::nullopt};
  const auto publications = entry.find("publications");
  if (publications != entry.end() && publications->is_array()) {
    for (const json& name : *publications) {
      if (name.is_string()) note.publications.push_back(name.get<std::string>());
    }
  }
  if (note.slot.empty() || note.system.empty()) return std::nullopt;
  const auto lsn = ParseLsn(TextOf(entry, "lsn"));
  if (lsn.ok()) note.begins = *lsn;
  const auto tables = entry.find("tables");
  if (tables == entry.end() || !tables->is_array()) return note;
  note.tables.emplace();
  for (const json& pattern : *tables) {
    if (!pattern.is_string())
      return SlotNote{note.slot, note.system, note.begins, std::nullopt, note.publications};
    note.tables->push_back(pattern.get<std::string>());
  }
  return note;
}

std::string Listed(const std::vector<std::string>& patterns) {
  std::string list;
  for (const std::string& pattern : patterns) list += (list.empty() ? "" : " ") + pattern;
  return list.empty() ? "all tables" : list;
}

// The entry of this slot as SQL makes it from pg_replication_slots; no row, no entry.
arrow::Result<std::string> EntrySql(const std::string& slot, NoteChange change,
                                    const std::vector<std::string>& tables,
                                    const std::vector<std::string>& publications) {
  const std::string names = json(publications).dump(-1, ' ', false, json::error_handler_t::replace);
  ARROW_ASSIGN_OR_RAISE(const std::string names_literal, QuoteLiteral(names));
  const json patterns = NormalPatterns(tables);
  std::string text = patterns.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kPatternBytesMax) text = "null";
  ARROW_ASSIGN_OR_RAISE(const std::string tables_literal, QuoteLiteral(text));
  ARROW_ASSIGN_OR_RAISE(const std::string slot_literal, QuoteLiteral(slot));
  // As FindNote: one beyond what the slot has confirmed was restored from elsewhere.
  const auto before = [](const std::string& field) {
    return "(SELECT e " + field +
           " FROM pg_catalog.jsonb_array_elements(notes) AS e WHERE e ->> 'slot' = "
           "slot_name AND e ->> 'system' = here AND CASE WHEN e ->> 'lsn' ~ "
           "'^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$' THEN (e ->> 'lsn')::pg_lsn <= confirmed_flush_lsn ELSE "
           "true END LIMIT 1)";
  };
  const bool made = change == NoteChange::kSlotMade;
  const std::string begins = made ? "confirmed_flush_lsn::text" : before("->> 'lsn'");
  const std::string read =
      made ? names_literal + "::jsonb"
           : "coalesce(" + before("-> 'publications'") + ", " + names_literal + "::jsonb)";
  return "SELECT pg_catalog.jsonb_build_object('slot', slot_name, 'system', here, 'lsn', " + begins +
         ", 'tables', " + tables_literal + "::jsonb, 'publications', " + read +
         ") FROM pg_catalog.pg_replication_slots WHERE slot_name = " + slot_literal +
         " AND confirmed_flush_lsn IS NOT NULL";
}

}  // namespace

std::vector<SlotNote> ParseNotes(const std::string& comment) {
  std::vector<SlotNote> notes;
  const auto text = NoteText(comment);
  if (!text.has_value()) return notes;
  for (const json& entry : ParseEntries(*text)) {
    if (auto note = ParseEntry(entry)) notes.push_back(std::move(*note));
  }
  return notes;
}

bool HasUnknownNote(const std::string& comment) {
  const auto text = NoteText(comment);
  return text.has_value() && text->find_first_not_of(kSpace) != std::string::npos &&
         ParseEntries(*text).is_null();
}

std::optional<SlotNote> FindNote(const std::vector<SlotNote>& notes, const std::string& slot,
                                 const std::string& system, uint64_t confirmed_flush) {
  for (const SlotNote& note : notes) {
    if (note.slot != slot || note.system != system) continue;
    if (note.begins.has_value() && *note.begins > confirmed_flush) continue;
    return note;
  }
  return std::nullopt;
}

arrow::Result<std::string> NoteSql(const std::string& publication, const std::string& slot, NoteChange change,
                                   const std::vector<std::string>& tables,
                                   const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteLiteral(publication));
  ARROW_ASSIGN_OR_RAISE(const std::string made, QuoteLiteral(kMadeBySetup));
  ARROW_ASSIGN_OR_RAISE(const std::string entry, EntrySql(slot, change, tables, publications));
  ARROW_ASSIGN_OR_RAISE(const std::string slot_literal, QuoteLiteral(slot));
  const std::string length = std::to_string(std::string_view(kMadeBySetup).size());
  const std::string body =
      "DECLARE publication oid; comment text; notes jsonb; here text;\n"
      "BEGIN\n"
      "  SELECT oid INTO publication FROM pg_catalog.pg_publication WHERE pubname = " +
      name +
      " AND pg_catalog.pg_has_role(pubowner, 'USAGE');\n"
      "  IF publication IS NULL THEN RETURN; END IF;\n"
      // Two who write at once: the second reads what the first wrote. 6104 is pg_publication.
      "  PERFORM pg_catalog.pg_advisory_xact_lock((6104::bigint << 32) | publication::bigint);\n"
      "  comment := pg_catalog.obj_description(publication, 'pg_publication');\n"
      "  IF comment IS NULL OR NOT pg_catalog.starts_with(comment, " +
      made +
      ") THEN RETURN; END IF;\n"
      "  comment := pg_catalog.btrim(pg_catalog.substr(comment, " +
      length +
      " + 1));\n"
      "  BEGIN\n"
      "    notes := CASE WHEN comment = '' THEN '[]' ELSE comment::jsonb -> 'slots' END;\n"
      "  EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN;\n"
      "  END;\n"
      "  IF notes = 'null' THEN notes := '[]'; END IF;\n"
      "  IF notes IS NULL OR pg_catalog.jsonb_typeof(notes) <> 'array' THEN RETURN; END IF;\n"
      "  SELECT system_identifier::text INTO here FROM pg_catalog.pg_control_system();\n"
      "  SELECT coalesce(pg_catalog.jsonb_agg(kept.note), '[]') INTO notes FROM (\n"
      "    SELECT e AS note FROM pg_catalog.jsonb_array_elements(notes) AS e\n"
      "      WHERE e ->> 'system' = here AND e ->> 'slot' <> " +
      slot_literal +
      "\n"
      "      AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = e ->> 'slot')\n"
      "    UNION ALL " +
      entry +
      ") AS kept;\n"
      "  EXECUTE pg_catalog.format('COMMENT ON PUBLICATION %I IS %L', " +
      name + ", " + made +
      " || ' ' || pg_catalog.jsonb_build_object('slots', notes)::text);\n"
      "END";
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_body, QuoteLiteral(body));
  return "DO " + quoted_body;
}

std::vector<std::string> NormalPatterns(const std::vector<std::string>& patterns) {
  std::set<std::string> normal;
  for (const std::string& pattern : patterns) {
    const size_t begin = pattern.find_first_not_of(kSpace);
    if (begin == std::string::npos) continue;
    normal.insert(pattern.substr(begin, pattern.find_last_not_of(kSpace) - begin + 1));
  }
  if (normal == std::set<std::string>{"*.*"}) normal.clear();
  return {normal.begin(), normal.end()};
}

std::string OtherTablesText(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  return "the slot was set up for " + Listed(before) + ", not for " + Listed(now);
}

arrow::Status OtherTables(const std::string& slot, const std::vector<std::string>& before,
                          const std::vector<std::string>& now) {
  return MakeError(
      ErrorKind::kPositionGap,
      OtherTablesText(before, now) +
          ": another program may read it, and changes that one of them passes over are gone for both",
      "slot \"" + slot + "\"",
      "use a slot of your own (--slot NAME with 'arrowcdc setup'; slot=NAME in Python); or, where nobody "
      "else "
      "reads this one, run 'arrowcdc setup' with these --tables, which publishes what is not yet, or pass "
      "--accept-tables (accept_tables=True)");
}

}  // namespace arrowcdc::postgres
