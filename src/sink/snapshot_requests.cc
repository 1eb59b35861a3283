#include "src/sink/snapshot_requests.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "arrowcdc/sink.h"
#include "src/sink/manifest.h"
#include "src/sink/storage_names.h"
#include "src/sink/stored_table.h"

namespace arrowcdc {
namespace {

struct SnapshotRequest {
  std::string path;
  TableName table;
  bool withdraw = false;
};

arrow::Status NoRequest(const std::string& path) {
  return MakeError(ErrorKind::kSink, path + " is no request to copy a table anew", path,
                   "remove it, and ask again by arrowcdc resnapshot");
}

arrow::Result<SnapshotRequest> ReadRequest(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(path));
  if (kind != PathKind::kFile) return NoRequest(path);
  ARROW_ASSIGN_OR_RAISE(const std::string text, ReadFile(files, path));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto member = [&](const char* name) -> std::string {
    const auto found = json.is_object() ? json.find(name) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  SnapshotRequest request{path, {member("schema"), member("table")}, member("what") == "withdraw"};
  if (!request.table.schema.empty() && !request.table.table.empty()) return request;
  return NoRequest(path);
}

struct Read {
  std::vector<SnapshotRequest> requests;
  std::vector<arrow::Status> unread;
};

arrow::Result<Read> ReadAll(FileSystem& files, const std::string& directory) {
  Read read;
  ARROW_ASSIGN_OR_RAISE(const auto names, files.List(directory));
  for (const std::string& name : names) {
    if (!name.starts_with(kParquetRequestPrefix) || name.ends_with(kInProgressSuffix)) continue;
    auto request = ReadRequest(files, JoinPath(directory, name));
    if (request.ok()) {
      read.requests.push_back(*std::move(request));
    } else {
      read.unread.push_back(request.status());
    }
  }
  return read;
}

}  // namespace

arrow::Result<SnapshotRequests> ReadSnapshotRequests(FileSystem& files, const std::string& directory) {
  ARROW_ASSIGN_OR_RAISE(Read read, ReadAll(files, directory));
  // In the order in which they were left: of each table the last one counts.
  std::sort(read.requests.begin(), read.requests.end(),
            [](const SnapshotRequest& a, const SnapshotRequest& b) { return a.path < b.path; });
  std::map<TableName, bool> tables;
  for (const SnapshotRequest& request : read.requests) tables[request.table] = request.withdraw;
  SnapshotRequests found;
  for (const auto& [table, withdraw] : tables) (withdraw ? found.withdrawn : found.tables).push_back(table);
  found.unread = std::move(read.unread);
  return found;
}

arrow::Status RemoveSnapshotRequests(FileSystem& files, const std::string& directory,
                                     const std::vector<TableName>& tables) {
  ARROW_ASSIGN_OR_RAISE(const Read read, ReadAll(files, directory));
  for (const SnapshotRequest& request : read.requests) {
    if (std::find(tables.begin(), tables.end(), request.table) != tables.end())
      ARROW_RETURN_NOT_OK(files.Remove(request.path));
  }
  return arrow::Status::OK();
}

arrow::Result<TableName> RequestSnapshot(const std::string& directory, const std::string& table,
                                         bool withdraw) {
  FileSystem& files = *PosixFileSystem();
  ARROW_RETURN_NOT_OK(CheckIsDirectory(files, directory));
  const std::string path = JoinPath(directory, kParquetManifestName);
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files.Kind(path));
  if (kind == PathKind::kAbsent) {
    return MakeError(ErrorKind::kInvalidOption, directory + " has no manifest of arrowcdc", "DIR",
                     "give the DIR of --sink parquet:DIR, once a stream has written there");
  }
  ARROW_ASSIGN_OR_RAISE(const Manifest manifest, LoadManifest(files, path, directory));
  // Not from the files, which may be what is damaged.
  std::set<TableName> known;
  for (const auto& [table_name, id] : manifest.table_ids) known.insert(table_name);
  if (manifest.snapshot.has_value()) {
    for (const CopiedTable& copied : manifest.snapshot->copied) known.insert(copied.name);
  }
  if (manifest.snapshot.has_value() && manifest.snapshot->only.has_value())
    known.insert(manifest.snapshot->only->begin(), manifest.snapshot->only->end());
  const std::vector<TableName> names(known.begin(), known.end());
  ARROW_ASSIGN_OR_RAISE(const size_t place, FindTableName(directory, table, names));
  const TableName& name = names[place];
  if (!manifest.snapshot.has_value()) {
    return MakeError(ErrorKind::kInvalidOption,
                     "the stream into this directory began without the rows that were there before "
                     "(--snapshot never), and one table alone is not copied",
                     "table " + ToString(name), "stream into a new directory, with --snapshot initial");
  }
  if (IsUnderWay(manifest) && !manifest.snapshot->only.has_value()) {
    return MakeError(ErrorKind::kInvalidOption,
                     "the first copy of the tables is not complete, and will have this one",
                     "table " + ToString(name), "let the stream complete the copy");
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  nlohmann::json request = {{"schema", name.schema}, {"table", name.table}};
  if (withdraw) {
    ARROW_ASSIGN_OR_RAISE(const SnapshotRequests asked, ReadSnapshotRequests(files, directory));
    const auto has = [&](const std::vector<TableName>& tables) {
      return std::find(tables.begin(), tables.end(), name) != tables.end();
    };
    if (!has(asked.tables) && !has(manifest.snapshot->only.value_or(std::vector<TableName>()))) {
      return MakeError(ErrorKind::kInvalidOption, "nobody has asked that it be copied anew, or it was copied",
                       "table " + ToString(name), "leave it as it is");
    }
    request["what"] = "withdraw";
  }
  ARROW_RETURN_NOT_OK(
      ReplaceFile(files,
                  JoinPath(directory, std::string(kParquetRequestPrefix) +
                                          std::to_string(std::chrono::nanoseconds(now).count()) + "_" +
                                          std::to_string(getpid())),
                  request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return name;
}

}  // namespace arrowcdc
