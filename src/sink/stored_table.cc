// See stored_table.h.
#include "src/sink/stored_table.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>

#include "arrowcdc/error.h"
#include "arrowcdc/table_patterns.h"
#include "src/change/table_schema.h"
#include "src/sink/manifest.h"
#include "src/sink/parquet_file.h"
#include "src/sink/parquet_snapshot.h"
#include "src/sink/snapshot_requests.h"
#include "src/sink/storage_names.h"

namespace arrowcdc {
namespace {

constexpr size_t kNamesShown = 10;

// One directory below the sink's.
struct Directory {
  std::string name;
  TableName table;
  std::vector<std::string> paths;  // of its data files, in the order of their rows
};

// Files of a snapshot count once the manifest has their table: without one it was copied with its files.
bool Counts(const std::string& file, const std::optional<Manifest>& manifest) {
  if (ParseDataFileName(file)) return true;
  const auto last_row = ParseSnapshotFileName(file);
  if (!last_row.has_value()) return false;
  if (!manifest.has_value()) return true;
  if (!manifest->snapshot.has_value()) return false;
  const auto& copied = manifest->snapshot->copied;
  return std::any_of(copied.begin(), copied.end(),
                     [&](const CopiedTable& table) { return IsCopiedAt(table, last_row->commit_lsn); });
}

arrow::Result<std::vector<Directory>> ListDirectories(FileSystem& files, const std::string& root,
                                                      const std::optional<Manifest>& manifest) {
  ARROW_ASSIGN_OR_RAISE(const auto names, files.List(root));
  std::vector<Directory> directories;
  for (const auto& name : names) {
    Directory directory{name, {}, {}};
    const std::string path = JoinPath(root, name);
    ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(path));
    if (!IsTableDirectory(name) || kind != PathKind::kDirectory) continue;
    ARROW_ASSIGN_OR_RAISE(const auto entries, files.List(path));
    for (const auto& entry : entries) {
      if (!Counts(entry, manifest)) continue;
      directory.paths.push_back(JoinPath(path, entry));
    }
    if (directory.paths.empty()) continue;
    ARROW_ASSIGN_OR_RAISE(const auto footer, ReadParquetFooter(files, directory.paths.back()));
    directory.table = footer.table;
    directories.push_back(std::move(directory));
  }
  return directories;
}

// schema.table with double quotes around what they hold, as in patterns; none where it is not that.
std::optional<TableName> Unquoted(const std::string& text) {
  std::string parts[2];
  size_t part = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      parts[part] += text[++i];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '.' && !quoted) {
      if (++part > 1) return std::nullopt;
    } else {
      parts[part] += text[i];
    }
  }
  if (quoted || part != 1) return std::nullopt;
  return TableName{parts[0], parts[1]};
}

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t change = diagonal + (a[i - 1] == b[k - 1] ? 0 : 1);
      diagonal = row[k];
      row[k] = std::min({row[k] + 1, row[k - 1] + 1, change});
    }
  }
  return row[b.size()];
}

arrow::Status NotThere(const std::string& root, const std::string& table,
                       const std::vector<TableName>& tables) {
  std::vector<std::pair<size_t, std::string>> names;
  for (const TableName& name : tables) {
    // A name without its schema is near, too.
    const size_t distance =
        std::min(EditDistance(table, name.schema + "." + name.table), EditDistance(table, name.table) + 1);
    names.emplace_back(distance, ToString(name));
  }
  std::sort(names.begin(), names.end());
  std::string list;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i)
    list += (i == 0 ? "" : ", ") + names[i].second;
  if (names.size() > kNamesShown) list += " and " + std::to_string(names.size() - kNamesShown) + " more";
  const std::string there = names.empty() ? "no table has complete files yet" : "the nearest first: " + list;
  return MakeError(ErrorKind::kInvalidOption, root + " holds no files of this table; " + there,
                   "table " + table,
                   names.empty() ? "give the DIR of --sink parquet:DIR, once a stream has written there"
                                 : "give one of these names");
}

arrow::Result<std::shared_ptr<arrow::Schema>> ReadSchema(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto input, files.OpenForReading(path));
  const auto reader = parquet::arrow::OpenFile(std::move(input), arrow::default_memory_pool());
  if (!reader.ok()) return StorageError("read", path, reader.status());
  std::shared_ptr<arrow::Schema> schema;
  if (const auto status = (*reader)->GetSchema(&schema); !status.ok())
    return StorageError("read", path, status);
  return schema;
}

}  // namespace

arrow::Result<size_t> FindTableName(const std::string& root, const std::string& table,
                                    const std::vector<TableName>& tables) {
  const auto unquoted = Unquoted(table);
  std::vector<size_t> found;
  for (size_t i = 0; i < tables.size(); ++i) {
    const TableName& name = tables[i];
    const auto directory = TableDirectoryName(name);
    if (name.schema + "." + name.table == table || name == unquoted ||
        (directory.ok() && *directory == table))
      found.push_back(i);
  }
  if (found.empty()) return NotThere(root, table, tables);
  if (found.size() == 1) return found[0];
  std::string names;
  for (const size_t i : found) names += (names.empty() ? "" : ", ") + ToString(tables[i]);
  return MakeError(ErrorKind::kInvalidOption, "this may mean more than one table: " + names, "table " + table,
                   "write names that hold dots in double quotes, as here");
}

arrow::Status CheckIsDirectory(FileSystem& files, const std::string& root) {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(root));
  if (kind == PathKind::kDirectory) return arrow::Status::OK();
  return MakeError(ErrorKind::kInvalidOption, "there is no directory " + root, "DIR",
                   "give the DIR of --sink parquet:DIR");
}

namespace {

// The rows that were copied at one point are whole, however far the stream has come; those of several are
// whole with the changes in between.
arrow::Status CountCopied(const CopiedTable& copied, StoredTable* stored) {
  const uint64_t order = stored->whole.value_or(Position{}).order;
  if (copied.later_points.empty()) {
    if (!stored->whole.has_value() || copied.point.order > order) stored->whole = copied.point;
    return arrow::Status::OK();
  }
  const Position& last = copied.later_points.back();
  if (last.order <= order) return arrow::Status::OK();
  return MakeError(ErrorKind::kBusy,
                   "its copy was interrupted and went on, and the changes from " +
                       FormatLsn(copied.point.order) + " to " + FormatLsn(last.order) +
                       ", which belong to it, are not all there yet",
                   "table " + ToString(copied.name), "stream on (arrowcdc stream), and try again");
}

// MySQL's truncations may come before anything is known of a table's columns.
bool HasColumns(const StoredFile& file) {
  return std::any_of(file.schema->fields().begin(), file.schema->fields().end(), [](const auto& field) {
    return !field->HasMetadata() || !field->metadata()->Contains(kRoleKey);
  });
}

// What was there before may have had another key, as before a DROP in MySQL.
void DropEmptied(StoredTable* stored) {
  std::optional<RowPosition> emptied;
  for (const StoredFile& file : stored->files) {
    const bool whole = file.emptied.has_value() &&
                       (!stored->whole.has_value() || file.emptied->commit_lsn < stored->whole->order);
    if (whole && (!emptied.has_value() || *emptied < *file.emptied)) emptied = file.emptied;
  }
  if (!emptied.has_value()) return;
  // One that says what the columns are stays, and the truncation with it where that is of rows from before.
  auto last = std::find_if(stored->files.rbegin(), stored->files.rend(), HasColumns);
  const std::string kept = last == stored->files.rend() ? "" : last->path;
  const bool kept_is_void = last != stored->files.rend() && last->last_row <= *emptied;
  std::erase_if(stored->files, [&](const StoredFile& file) {
    const bool voids_kept = kept_is_void && file.emptied == emptied;
    return file.last_row <= *emptied && file.path != kept && !voids_kept;
  });
}

arrow::Status IsMissing(const std::string& what, const TableName& table, const Manifest& manifest) {
  return MakeError(ErrorKind::kSink, what + " removed or moved away", "table " + ToString(table),
                   manifest.snapshot.has_value()
                       ? "bring back what was there; or let 'arrowcdc resnapshot' have the table copied anew"
                       : "bring back what was there");
}

// Of a table without files. One that was copied without rows, and got none since, has no file to say what its
// columns are.
arrow::Status CheckIsNotEmpty(FileSystem& files, const std::string& root, const std::string& table,
                              const Manifest& manifest, const std::vector<TableName>& with_files) {
  if (FindTableName(root, table, with_files).ok()) return arrow::Status::OK();
  std::map<TableName, const CopiedTable*> known;
  for (const auto& [name, id] : manifest.table_ids) known.emplace(name, nullptr);
  if (manifest.snapshot.has_value()) {
    for (const CopiedTable& copied : manifest.snapshot->copied) known[copied.name] = &copied;
  }
  std::vector<TableName> names;
  for (const auto& [name, copied] : known) names.push_back(name);
  const auto place = FindTableName(root, table, names);
  if (!place.ok()) return arrow::Status::OK();
  const TableName& name = names[*place];
  ARROW_ASSIGN_OR_RAISE(const std::string directory, TableDirectoryName(name));
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(JoinPath(root, directory)));
  if (kind == PathKind::kAbsent)
    return IsMissing("its directory, with rows that were stored, was", name, manifest);
  const CopiedTable* const copied = known[name];
  if (copied == nullptr) return arrow::Status::OK();
  if (copied->has_files) return IsMissing("the files of its rows were", name, manifest);
  return MakeError(ErrorKind::kBusy,
                   "no file of it is there, to say what its columns are: it is empty, if it was copied "
                   "without rows and none have come since",
                   "table " + ToString(name), "stream on (arrowcdc stream), and try again when it has rows");
}

// Of the rows that were copied last some are there, or a truncation says that they do not count.
arrow::Status CheckHasCopied(const CopiedTable& copied, const StoredTable& stored, const Manifest& manifest) {
  const auto tells = [&](const StoredFile& file) {
    return IsCopiedAt(copied, file.last_row.commit_lsn) ||
           (file.emptied.has_value() && file.emptied->commit_lsn >= copied.point.order);
  };
  if (!copied.has_files || std::any_of(stored.files.begin(), stored.files.end(), tells))
    return arrow::Status::OK();
  return IsMissing("the files of the rows that were copied of it were", copied.name, manifest);
}

arrow::Result<bool> IsDue(FileSystem& files, const std::string& root, const Manifest& manifest,
                          const TableName& table) {
  ARROW_ASSIGN_OR_RAISE(const SnapshotRequests requests, ReadSnapshotRequests(files, root));
  std::vector<TableName> due = requests.tables;
  if (IsUnderWay(manifest) && manifest.snapshot->only.has_value())
    due.insert(due.end(), manifest.snapshot->only->begin(), manifest.snapshot->only->end());
  return std::find(due.begin(), due.end(), table) != due.end();
}

}  // namespace

arrow::Result<StoredTable> FindStoredTable(FileSystem& files, const std::string& root,
                                           const std::string& table) {
  StoredTable stored;
  ARROW_RETURN_NOT_OK(CheckIsDirectory(files, root));
  // Complete files that were copied elsewhere have no manifest.
  std::optional<Manifest> manifest;
  const std::string manifest_path = JoinPath(root, kParquetManifestName);
  ARROW_ASSIGN_OR_RAISE(const PathKind manifest_kind, files.Kind(manifest_path));
  if (manifest_kind != PathKind::kAbsent) {
    ARROW_ASSIGN_OR_RAISE(manifest, LoadManifest(files, manifest_path, root));
    stored.whole = manifest->position;
    stored.source = manifest->stream.source;
  }
  ARROW_ASSIGN_OR_RAISE(const auto directories, ListDirectories(files, root, manifest));
  std::vector<TableName> names;
  for (const Directory& directory : directories) names.push_back(directory.table);
  if (manifest.has_value()) ARROW_RETURN_NOT_OK(CheckIsNotEmpty(files, root, table, *manifest, names));
  ARROW_ASSIGN_OR_RAISE(const size_t place, FindTableName(root, table, names));
  ARROW_ASSIGN_OR_RAISE(const ParquetFooter newest,
                        ReadParquetFooter(files, directories[place].paths.back()));
  if (manifest.has_value() && !manifest->stream.patterns.empty()) {
    ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(manifest->stream.patterns));
    stored.left_out = !patterns.Matches(newest.table);
  }
  const CopiedTable* last_copy = nullptr;
  if (manifest.has_value() && manifest->snapshot.has_value()) {
    for (const CopiedTable& copied : manifest->snapshot->copied) {
      if (copied.table_id != newest.table_id) continue;
      ARROW_RETURN_NOT_OK(CountCopied(copied, &stored));
      last_copy = &copied;
    }
  }
  bool is_due = false;
  if (manifest.has_value()) {
    ARROW_ASSIGN_OR_RAISE(is_due, IsDue(files, root, *manifest, newest.table));
  }
  if (is_due) {
    return MakeError(
        ErrorKind::kBusy,
        "it is to be copied, or is being copied: changes that the copy will have were left out",
        "table " + ToString(newest.table),
        "stream on (arrowcdc stream, not with --snapshot never) until it is copied, and try again; "
        "the stream's log says what is in the way");
  }
  // A table that was renamed has files under its other names.
  for (const auto& directory : directories) {
    for (const auto& path : directory.paths) {
      ARROW_ASSIGN_OR_RAISE(const ParquetFooter footer, ReadParquetFooter(files, path));
      if (footer.table_id != newest.table_id) continue;
      ARROW_RETURN_NOT_OK(CheckStorageVersion(footer.version, root));
      if (!footer.replica_identity.has_value()) {
        return MakeError(ErrorKind::kSink, path + " does not say what the table's replica identity was", path,
                         "restore the file as the sink wrote it");
      }
      ARROW_ASSIGN_OR_RAISE(auto schema, ReadSchema(files, path));
      stored.files.push_back({AbsolutePath(path), footer.table, *footer.replica_identity, footer.last_row,
                              footer.emptied, std::move(schema)});
    }
  }
  std::sort(stored.files.begin(), stored.files.end(),
            [](const StoredFile& a, const StoredFile& b) { return a.last_row < b.last_row; });
  if (last_copy != nullptr) ARROW_RETURN_NOT_OK(CheckHasCopied(*last_copy, stored, *manifest));
  DropEmptied(&stored);
  return stored;
}

}  // namespace arrowcdc
