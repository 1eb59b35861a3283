// The note that setup leaves in the comment of a publication that it made: which slots read it, where each of
// them began and which tables it was set up for. A hint for later starts, never a condition: what cannot be
// read, or is of another server, counts for nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::postgres {

// First words of COMMENT ON PUBLICATION. Teardown drops only publications that carry them; a note follows
// them as a JSON object, {"slots": [{"slot": ..., "system": ..., "lsn": ..., "tables": [...],
// "publications": [...]}]}.
inline constexpr char kMadeBySetup[] = "made by arrowcdc setup";

struct SlotNote {
  std::string slot;
  std::string system;              // system identifier of the server that has the slot
  std::optional<uint64_t> begins;  // the slot's first position; none where somebody else made the slot
  std::optional<std::vector<std::string>> tables;  // patterns that it was set up for; none: not known
  std::vector<std::string> publications{};         // of setup, that the slot was made with; empty: not known
};

// The notes of a comment, good or bad: none where it holds no note, or one in a form that is not known.
std::vector<SlotNote> ParseNotes(const std::string& comment);
// Setup wrote the comment, but what it noted there cannot be read.
bool HasUnknownNote(const std::string& comment);

// The note on this slot that counts: of this server, and not beyond what the slot has confirmed, where it
// would have been restored from another one.
std::optional<SlotNote> FindNote(const std::vector<SlotNote>& notes, const std::string& slot,
                                 const std::string& system, uint64_t confirmed_flush);

enum class NoteChange {
  kSlotMade,  // the slot begins where it stands now
  kTables,    // what it is set up for has changed, or was never noted; where it began is kept
  kSlotGone,  // nothing is left to note on it
};

// SQL that brings the note of one slot up to date and leaves those of other slots that exist. It waits for
// others who write there, and does nothing where the publication is not the role's, or setup did not write
// the comment: then the slot is usable all the same. The longest patterns are left out: 4000 bytes of them
// are noted.
// publications: those that the slot reads; of a slot that has a note, the ones noted first stay.
arrow::Result<std::string> NoteSql(const std::string& publication, const std::string& slot, NoteChange change,
                                   const std::vector<std::string>& tables,
                                   const std::vector<std::string>& publications = {});

// Patterns as a set, in one order: trimmed, "*.*" alone is none at all.
std::vector<std::string> NormalPatterns(const std::vector<std::string>& patterns);

// kPositionGap: a slot that was set up for other patterns, both as NormalPatterns gives them.
arrow::Status OtherTables(const std::string& slot, const std::vector<std::string>& before,
                          const std::vector<std::string>& now);
// "the slot was set up for public.a, not for public.b".
std::string OtherTablesText(const std::vector<std::string>& before, const std::vector<std::string>& now);

}  // namespace arrowcdc::postgres
