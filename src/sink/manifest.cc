// See manifest.h. JSON with numbers that exceed 2^53 as decimal text.
#include "src/sink/manifest.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "src/sink/storage_names.h"

namespace arrowcdc {
namespace {

using nlohmann::json;

// The members of one manifest; the first that is missing or of another type is remembered.
class Members {
 public:
  explicit Members(const json& object) : object_(object) {}

  std::string Text(const char* name) {
    const auto it = object_.find(name);
    if (it != object_.end() && it->is_string()) return it->get<std::string>();
    return Missing<std::string>(name);
  }
  int64_t Number(const char* name, int64_t max) {
    const auto it = object_.find(name);
    if (it != object_.end() && it->is_number_unsigned() &&
        it->get<uint64_t>() <= static_cast<uint64_t>(max)) {
      return it->get<int64_t>();
    }
    return Missing<int64_t>(name);
  }
  bool Flag(const char* name) {
    const auto it = object_.find(name);
    if (it != object_.end() && it->is_boolean()) return it->get<bool>();
    return Missing<bool>(name);
  }
  Members Object(const char* name) {
    const auto it = object_.find(name);
    static const json empty = json::object();
    if (it != object_.end() && it->is_object()) return Members(*it);
    Missing<int>(name);
    return Members(empty);
  }
  std::vector<std::string> TextList(const char* name) {
    std::vector<std::string> texts;
    const json& list = List(name);
    for (const json& item : list) {
      if (!item.is_string()) return Missing<std::vector<std::string>>(name);
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }
  const json& List(const char* name) {
    const auto it = object_.find(name);
    static const json empty = json::array();
    if (it != object_.end() && it->is_array()) return *it;
    Missing<int>(name);
    return empty;
  }
  bool HasValue(const char* name) const {
    const auto it = object_.find(name);
    return it != object_.end() && !it->is_null();
  }
  const std::string& missing() const { return missing_; }

 private:
  template <typename T>
  T Missing(const char* name) {
    if (missing_.empty()) missing_ = name;
    return T{};
  }

  const json& object_;
  std::string missing_;
};

arrow::Status BadManifest(const std::string& path, const std::string& why) {
  return MakeError(ErrorKind::kSink, "manifest " + path + " cannot be used: " + why, path,
                   "restore it from a copy; without it nobody knows up to where the data is complete");
}

std::string ReadTableIds(Members* members, std::map<TableName, uint32_t>* table_ids) {
  for (const json& item : members->List("tables")) {
    if (!item.is_object()) return "tables";
    Members table(item);
    TableName name{table.Text("schema"), table.Text("name")};
    const auto id = static_cast<uint32_t>(table.Number("id", UINT32_MAX));
    if (!table.missing().empty()) return table.missing();
    table_ids->insert_or_assign(std::move(name), id);
  }
  return "";
}

nlohmann::ordered_json PositionJson(const Position& position) {
  nlohmann::ordered_json object = {{"epoch", position.epoch},
                                   {"order", std::to_string(position.order)},
                                   {"lsn", FormatLsn(position.order)}};
  if (!position.token.empty()) object["token"] = position.token;
  return object;
}

std::string ReadPosition(Members* stored, Position* position) {
  position->epoch = static_cast<uint32_t>(stored->Number("epoch", UINT32_MAX));
  const std::string order = stored->Text("order");
  const auto [end, error] = std::from_chars(order.data(), order.data() + order.size(), position->order);
  const bool whole = error == std::errc() && end == order.data() + order.size();
  if (stored->HasValue("token")) position->token = stored->Text("token");
  return stored->missing().empty() && !whole ? "order" : stored->missing();
}

// By table and point, since what these have in common can be long.
nlohmann::ordered_json PartsJson(const std::vector<StoredPart>& parts) {
  std::map<std::pair<TableName, Position>, nlohmann::ordered_json> copies;
  for (const auto& [part, file] : parts) {
    nlohmann::ordered_json& copy = copies[{part.table, part.point}];
    if (copy.is_null()) {
      copy = {{"schema", part.table.schema},
              {"name", part.table.table},
              {"id", part.table_id},
              {"point", PositionJson(part.point)},
              {"seen", part.seen},
              {"layout", part.layout},
              {"parts", nlohmann::ordered_json::array()}};
    }
    copy["parts"].push_back({{"range", part.range}, {"file", file}, {"voids_earlier", part.voids_earlier}});
  }
  nlohmann::ordered_json list = json::array();
  for (auto& [key, copy] : copies) list.push_back(std::move(copy));
  return list;
}

std::string ReadParts(Members* copy, std::vector<StoredPart>* parts) {
  SnapshotPart common;
  common.table = {copy->Text("schema"), copy->Text("name")};
  common.table_id = static_cast<uint32_t>(copy->Number("id", UINT32_MAX));
  common.seen = copy->Text("seen");
  common.layout = copy->Text("layout");
  Members point = copy->Object("point");
  if (const std::string bad = ReadPosition(&point, &common.point); !bad.empty()) return bad;
  for (const json& item : copy->List("parts")) {
    if (!item.is_object()) return "parts";
    Members members(item);
    StoredPart& stored = parts->emplace_back(common, members.Text("file"));
    stored.part.range = members.Text("range");
    stored.part.voids_earlier = members.Flag("voids_earlier");
    if (!members.missing().empty()) return members.missing();
    // SAFETY: it becomes a path.
    if (!stored.file.empty() && !ParseSnapshotFileName(stored.file).has_value()) return "file";
  }
  return copy->missing();
}

nlohmann::ordered_json SnapshotJson(const SnapshotState& snapshot, const std::vector<StoredPart>& parts) {
  nlohmann::ordered_json copied = json::array();
  for (const CopiedTable& table : snapshot.copied) {
    copied.push_back({{"schema", table.name.schema},
                      {"name", table.name.table},
                      {"id", table.table_id},
                      {"point", PositionJson(table.point)}});
    for (const Position& later : table.later_points)
      copied.back()["later_points"].push_back(PositionJson(later));
    if (table.has_files) copied.back()["has_files"] = true;
  }
  nlohmann::ordered_json object = {{"complete", snapshot.complete}, {"tables", std::move(copied)}};
  if (!parts.empty()) object["parts"] = PartsJson(parts);
  if (!snapshot.only.has_value()) return object;
  object["only"] = json::array();
  for (const TableName& name : *snapshot.only)
    object["only"].push_back({{"schema", name.schema}, {"name", name.table}});
  return object;
}

std::string ReadCopied(Members* table, CopiedTable* copied) {
  copied->name = {table->Text("schema"), table->Text("name")};
  copied->table_id = static_cast<uint32_t>(table->Number("id", UINT32_MAX));
  Members point = table->Object("point");
  const std::string bad = ReadPosition(&point, &copied->point);
  if (table->HasValue("has_files")) copied->has_files = table->Flag("has_files");
  if (!bad.empty() || !table->HasValue("later_points")) return table->missing() + bad;
  for (const json& item : table->List("later_points")) {
    if (!item.is_object()) return "later_points";
    Members later(item);
    if (std::string wrong = ReadPosition(&later, &copied->later_points.emplace_back()); !wrong.empty())
      return wrong;
  }
  return table->missing();
}

std::string ReadSnapshot(Members* members, SnapshotState* snapshot, std::vector<StoredPart>* parts) {
  snapshot->complete = members->Flag("complete");
  for (const json& item : members->List("tables")) {
    if (!item.is_object()) return "tables";
    Members table(item);
    if (std::string bad = ReadCopied(&table, &snapshot->copied.emplace_back()); !bad.empty()) return bad;
  }
  if (members->HasValue("parts")) {
    for (const json& item : members->List("parts")) {
      if (!item.is_object()) return "parts";
      Members copy(item);
      if (std::string bad = ReadParts(&copy, parts); !bad.empty()) return bad;
    }
  }
  if (!members->HasValue("only")) return members->missing();
  snapshot->only.emplace();
  for (const json& item : members->List("only")) {
    if (!item.is_object()) return "only";
    Members table(item);
    snapshot->only->push_back({table.Text("schema"), table.Text("name")});
    if (!table.missing().empty()) return table.missing();
  }
  return members->missing();
}

arrow::Status Differs(const std::string& place, const char* what, const std::string& stored,
                      const std::string& now) {
  return MakeError(
      ErrorKind::kPositionGap,
      place + " holds rows of " + what + " " + stored + ", but the stream is of " + what + " " + now, place,
      "give this stream a place of its own, or connect to the source that the data came from");
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

bool IsUnderWay(const Manifest& manifest) {
  return manifest.snapshot.has_value() && !manifest.snapshot->complete;
}

void NoteBegin(const std::optional<std::vector<TableName>>& only, Manifest* manifest) {
  if (!manifest->snapshot.has_value()) manifest->snapshot.emplace();
  manifest->snapshot->complete = false;
  manifest->snapshot->only = only;
}

void NoteCopied(const CopiedTable& table, Manifest* manifest) {
  manifest->snapshot->copied.push_back(table);
  if (manifest->snapshot->only.has_value()) std::erase(*manifest->snapshot->only, table.name);
}

void NoteEnd(Manifest* manifest) {
  manifest->snapshot->complete = true;
  manifest->snapshot->only.reset();
}

std::string ToJson(const Manifest& manifest) {
  // In this order for people.
  nlohmann::ordered_json object = {
      {"arrowcdc_manifest", kStorageVersion},
      {"written_by", "arrowcdc " ARROWCDC_VERSION},
      {"sink", manifest.sink},
      {"source", {{"kind", manifest.stream.source.kind}, {"id", manifest.stream.source.id}}},
      {"database", manifest.stream.database},
      {"slot", manifest.stream.slot},
      {"plugin", manifest.stream.plugin},
      {"publications", manifest.stream.publications},
      {"patterns", manifest.stream.patterns},
      {"position", nullptr}};
  if (manifest.position) {
    object["position"] = PositionJson(*manifest.position);
  }
  if (manifest.bytes) {
    object["bytes"] = *manifest.bytes;
    object["stream_open"] = manifest.stream_open;
  }
  object["tables"] = json::array();
  for (const auto& [name, id] : manifest.table_ids) {
    object["tables"].push_back({{"schema", name.schema}, {"name", name.table}, {"id", id}});
  }
  if (manifest.snapshot) object["snapshot"] = SnapshotJson(*manifest.snapshot, manifest.parts);
  // A name that is not UTF-8 must not stop the stream; it is stored with replacement characters and compared
  // so.
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

arrow::Status CheckStorageVersion(int64_t version, const std::string& place) {
  if (version == kStorageVersion) return arrow::Status::OK();
  const std::string theirs = std::to_string(version);
  const std::string ours = std::to_string(kStorageVersion);
  return MakeError(
      ErrorKind::kSink,
      place + " holds version " + theirs + " of the sink's format, and this arrowcdc writes version " + ours +
          ": one place never holds both",
      place,
      "capture into a new place from a new slot (arrowcdc setup --slot NAME), or go on here with " +
          std::string(version < kStorageVersion ? "the arrowcdc that wrote it"
                                                : "an arrowcdc that knows version " + theirs));
}

arrow::Result<Manifest> ParseManifest(std::string_view text, const std::string& path,
                                      const std::string& place) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return BadManifest(path, "it is not a JSON object");
  Members members(object);
  const int64_t version = members.Number("arrowcdc_manifest", 1'000'000);
  if (!members.missing().empty()) return BadManifest(path, "it has no version");
  ARROW_RETURN_NOT_OK(CheckStorageVersion(version, place));
  Manifest manifest;
  manifest.sink = members.Text("sink");
  Members source = members.Object("source");
  manifest.stream.source = {source.Text("kind"), source.Text("id")};
  manifest.stream.database = members.Text("database");
  manifest.stream.slot = members.Text("slot");
  if (members.HasValue("plugin")) manifest.stream.plugin = members.Text("plugin");
  manifest.stream.publications = members.TextList("publications");
  manifest.stream.patterns = members.TextList("patterns");
  if (members.HasValue("bytes")) {
    manifest.bytes = members.Number("bytes", INT64_MAX);
    manifest.stream_open = members.Flag("stream_open");
  }
  const std::string bad_table = ReadTableIds(&members, &manifest.table_ids);
  std::string bad = members.missing() + source.missing();
  if (bad.empty()) bad = bad_table;
  if (bad.empty() && members.HasValue("position")) {
    Members stored = members.Object("position");
    Position position;
    bad = members.missing() + ReadPosition(&stored, &position);
    manifest.position = position;
  }
  if (bad.empty() && members.HasValue("snapshot")) {
    Members stored = members.Object("snapshot");
    bad = members.missing() + ReadSnapshot(&stored, &manifest.snapshot.emplace(), &manifest.parts);
  }
  if (!bad.empty()) return BadManifest(path, "\"" + bad + "\" is missing or not what it should be");
  return manifest;
}

arrow::Result<Manifest> LoadManifest(FileSystem& files, const std::string& path, const std::string& place) {
  ARROW_ASSIGN_OR_RAISE(const std::string text, ReadFile(files, path));
  return ParseManifest(text, path, place);
}

arrow::Status StoreManifest(FileSystem& files, const std::string& path, const Manifest& manifest) {
  return ReplaceFile(files, path, ToJson(manifest));
}

namespace {

// What a server of MySQL has is compared with what was delivered from another, transaction by transaction.
bool IsComparedBySource(const SourceId& old, const SourceId& now) {
  constexpr std::string_view kFiles = "files ";
  return now.kind == "mysql" && !old.id.starts_with(kFiles) && !now.id.starts_with(kFiles);
}

}  // namespace

arrow::Result<StreamIdentity> CheckSameStream(const Manifest& stored, const StreamIdentity& stream,
                                              const std::string& place) {
  // Through JSON as the stored one went, for names that are not UTF-8.
  ARROW_ASSIGN_OR_RAISE(const Manifest now, ParseManifest(ToJson({stored.sink, stream}), place, place));
  StreamIdentity old = stored.stream;
  if (old.source.kind != now.stream.source.kind) {
    return Differs(place, "a source of kind", old.source.kind, now.stream.source.kind);
  }
  if (old.source.id != now.stream.source.id && !IsComparedBySource(old.source, now.stream.source))
    return Differs(place, "system", old.source.id, now.stream.source.id);
  if (old.slot != now.stream.slot) return Differs(place, "slot", Quoted(old.slot), Quoted(now.stream.slot));
  if (old.database == now.stream.database) old.database = stream.database;
  if (old.publications == now.stream.publications) old.publications = stream.publications;
  if (old.patterns == now.stream.patterns) old.patterns = stream.patterns;
  return old;
}

}  // namespace arrowcdc
