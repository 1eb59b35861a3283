// The manifest a sink keeps with its data: whose rows these are and up to which position everything is
// durable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

// Of the sinks' files, with their manifests. 2: _unchanged and _unrepresentable hold column names, which were
// field indexes in 1; the manifest knows publications, patterns and the tables' ids.
inline constexpr int kStorageVersion = 2;

// kSink, naming `place`, unless `version` is kStorageVersion: one place never holds two.
arrow::Status CheckStorageVersion(int64_t version, const std::string& place);

// A finished part of a table that is not complete.
struct StoredPart {
  SnapshotPart part;
  std::string file;  // SnapshotFileName, in the table's directory; empty: the part has no rows
};

struct Manifest {
  std::string sink;  // "parquet", "ipc"
  StreamIdentity stream;
  std::optional<Position> position = std::nullopt;
  std::optional<int64_t> bytes = std::nullopt;  // ipc: length of the file that belongs to `position`
  bool stream_open = false;                     // ipc: the last stream's end marker is not among them
  std::map<TableName, uint32_t> table_ids = {};
  std::optional<SnapshotState> snapshot = std::nullopt;
  std::vector<StoredPart> parts = {};  // parquet: of a snapshot that is not complete
};

// A snapshot has begun and is not complete.
bool IsUnderWay(const Manifest& manifest);
// What the sinks' calls for snapshots note.
void NoteBegin(const std::optional<std::vector<TableName>>& only, Manifest* manifest);
void NoteCopied(const CopiedTable& table, Manifest* manifest);
void NoteEnd(Manifest* manifest);

std::string ToJson(const Manifest& manifest);
// `place`: the directory or file it belongs to. Errors: kSink naming `path` when the text is not a manifest,
// and `place` when it is not of this version.
arrow::Result<Manifest> ParseManifest(std::string_view json, const std::string& path,
                                      const std::string& place);

arrow::Result<Manifest> LoadManifest(FileSystem& files, const std::string& path, const std::string& place);
// In one step, stable on return.
arrow::Status StoreManifest(FileSystem& files, const std::string& path, const Manifest& manifest);

// The stored stream, whose rows `stream` continues; text that JSON does not hold is as in `stream`. Errors:
// kPositionGap when what is stored belongs to another kind of source, system or slot.
arrow::Result<StreamIdentity> CheckSameStream(const Manifest& stored, const StreamIdentity& stream,
                                              const std::string& place);

}  // namespace arrowcdc
