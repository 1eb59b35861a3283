// A table that was damaged behind the sink, or is to be read anew for any other reason.
#include <algorithm>
#include <set>

#include "arrowcdc/error.h"
#include "arrowcdc/sink.h"
#include "src/sink/manifest.h"
#include "src/sink/storage_names.h"
#include "src/sink/stored_table.h"

namespace arrowcdc {

arrow::Result<TableName> RequestSnapshot(const std::string& directory, const std::string& table) {
  FileSystem& files = *PosixFileSystem();
  ARROW_RETURN_NOT_OK(CheckIsDirectory(files, directory));
  const std::string path = JoinPath(directory, kParquetManifestName);
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(path));
  if (kind == PathKind::kAbsent) {
    return MakeError(ErrorKind::kInvalidOption, directory + " has no manifest of arrowcdc", "DIR",
                     "give the DIR of --sink parquet:DIR, once a stream has written there");
  }
  const auto lock = files.Lock(JoinPath(directory, kParquetLockName));
  if (!lock.ok()) {
    return MakeError(ErrorKind::kSink, lock.status().message(), directory,
                     "stop the stream that writes there: the next one copies the table, beside its changes");
  }
  ARROW_ASSIGN_OR_RAISE(Manifest manifest, LoadManifest(files, path, directory));
  // Not from the files, which may be what is damaged.
  std::set<TableName> known;
  for (const auto& [table_name, id] : manifest.table_ids) known.insert(table_name);
  if (manifest.snapshot.has_value()) {
    for (const CopiedTable& copied : manifest.snapshot->copied) known.insert(copied.name);
  }
  const std::vector<TableName> names(known.begin(), known.end());
  ARROW_ASSIGN_OR_RAISE(const size_t place, FindTableName(directory, table, names));
  const TableName& name = names[place];
  if (IsUnderWay(manifest) && !manifest.snapshot->only.has_value()) {
    return MakeError(ErrorKind::kInvalidOption,
                     "the first copy of the tables is not complete, and will have this one",
                     "table " + ToString(name), "start the stream again: it completes the copy");
  }
  std::vector<TableName> only;
  if (IsUnderWay(manifest)) only = *manifest.snapshot->only;
  if (std::find(only.begin(), only.end(), name) == only.end()) only.push_back(name);
  NoteBegin(only, &manifest);
  std::erase_if(manifest.parts, [&](const StoredPart& stored) { return stored.part.table == name; });
  ARROW_RETURN_NOT_OK(StoreManifest(files, path, manifest));
  return name;
}

}  // namespace arrowcdc
