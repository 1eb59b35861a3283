// See manifest.h. JSON with numbers that exceed 2^53 as decimal text.
#include "src/sink/manifest.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"

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

arrow::Status Differs(const std::string& place, const char* what, const std::string& stored,
                      const std::string& now) {
  return MakeError(
      ErrorKind::kPositionGap,
      place + " holds rows of " + what + " " + stored + ", but the stream is of " + what + " " + now, place,
      "give this stream a place of its own, or connect to the source that the data came from");
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

std::string ToJson(const Manifest& manifest) {
  // In this order for people.
  nlohmann::ordered_json object = {
      {"arrowcdc_manifest", kStorageVersion},
      {"written_by", "arrowcdc " ARROWCDC_VERSION},
      {"sink", manifest.sink},
      {"source", {{"kind", manifest.stream.source.kind}, {"id", manifest.stream.source.id}}},
      {"database", manifest.stream.database},
      {"slot", manifest.stream.slot},
      {"publications", manifest.stream.publications},
      {"patterns", manifest.stream.patterns},
      {"position", nullptr}};
  if (manifest.position) {
    object["position"] = {{"epoch", manifest.position->epoch},
                          {"order", std::to_string(manifest.position->order)},
                          {"lsn", FormatLsn(manifest.position->order)}};
  }
  if (manifest.bytes) {
    object["bytes"] = *manifest.bytes;
    object["stream_open"] = manifest.stream_open;
  }
  object["tables"] = json::array();
  for (const auto& [name, id] : manifest.table_ids) {
    object["tables"].push_back({{"schema", name.schema}, {"name", name.table}, {"id", id}});
  }
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
    Position position{static_cast<uint32_t>(stored.Number("epoch", UINT32_MAX)), 0};
    const std::string order = stored.Text("order");
    const auto [end, error] = std::from_chars(order.data(), order.data() + order.size(), position.order);
    const bool whole = error == std::errc() && end == order.data() + order.size();
    bad = members.missing() + stored.missing();
    if (bad.empty() && !whole) bad = "order";
    manifest.position = position;
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

arrow::Result<StreamIdentity> CheckSameStream(const Manifest& stored, const StreamIdentity& stream,
                                              const std::string& place) {
  // Through JSON as the stored one went, for names that are not UTF-8.
  ARROW_ASSIGN_OR_RAISE(const Manifest now, ParseManifest(ToJson({stored.sink, stream}), place, place));
  StreamIdentity old = stored.stream;
  if (old.source.kind != now.stream.source.kind) {
    return Differs(place, "a source of kind", old.source.kind, now.stream.source.kind);
  }
  if (old.source.id != now.stream.source.id)
    return Differs(place, "system", old.source.id, now.stream.source.id);
  if (old.slot != now.stream.slot) return Differs(place, "slot", Quoted(old.slot), Quoted(now.stream.slot));
  if (old.database == now.stream.database) old.database = stream.database;
  if (old.publications == now.stream.publications) old.publications = stream.publications;
  if (old.patterns == now.stream.patterns) old.patterns = stream.patterns;
  return old;
}

}  // namespace arrowcdc
