// The manifest a sink keeps with its data: whose rows these are and up to which position everything is
// durable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

struct Manifest {
  std::string sink;  // "parquet", "ipc"
  StreamIdentity stream;
  std::optional<Position> position = std::nullopt;
  std::optional<int64_t> bytes = std::nullopt;  // ipc: length of the file that belongs to `position`
  bool stream_open = false;                     // ipc: the last stream's end marker is not among them
};

std::string ToJson(const Manifest& manifest);
// Errors: kSink naming `path` when the text is not a manifest of this version.
arrow::Result<Manifest> ParseManifest(std::string_view json, const std::string& path);

arrow::Result<Manifest> LoadManifest(FileSystem& files, const std::string& path);
// In one step, stable on return.
arrow::Status StoreManifest(FileSystem& files, const std::string& path, const Manifest& manifest);

// kPositionGap when what is stored belongs to another kind of source, system, database, slot, or to a later
// timeline. `place` is the directory or file, for the message.
arrow::Status CheckSameStream(const Manifest& stored, const StreamIdentity& stream, const std::string& place);

// Order of positions by (timeline, order); none is before all.
bool Before(const std::optional<Position>& a, const std::optional<Position>& b);
bool SamePosition(const std::optional<Position>& a, const std::optional<Position>& b);

}  // namespace arrowcdc
