// See storage_names.h.
#include "src/sink/storage_names.h"

#include <charconv>
#include <cstdio>

#include "arrowcdc/error.h"
#include "src/sink/file_system.h"

namespace arrowcdc {
namespace {

constexpr size_t kFileNameBytesMax = 255;
constexpr size_t kHexDigits = 16;
constexpr size_t kOrdDigits = 5;
constexpr std::string_view kSnapshotFileSuffix = "-snapshot.parquet";
constexpr size_t kStemBytes = kHexDigits + 1 + kHexDigits + 1 + kOrdDigits;

bool IsPlain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void AppendPercentEncoded(std::string_view text, bool is_first, std::string* out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsPlain(c) && !(is_first && i == 0 && c == '_')) {
      *out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    *out += '%';
    *out += kDigits[byte >> 4];
    *out += kDigits[byte & 15];
  }
}

std::string Base64Url(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    bit_count += 8;
    while (bit_count >= 6) {
      bit_count -= 6;
      out += kAlphabet[(bits >> bit_count) & 63];
    }
  }
  if (bit_count > 0) out += kAlphabet[(bits << (6 - bit_count)) & 63];
  return out;
}

// The whole of text as an unsigned number without sign or space.
template <typename T>
bool ParseDigits(std::string_view text, int base, T* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::string StemOf(const RowPosition& last_row) {
  char stem[kStemBytes + 1];
  std::snprintf(stem, sizeof(stem), "%016llx-%016llx-%05u",
                static_cast<unsigned long long>(last_row.commit_lsn),
                static_cast<unsigned long long>(last_row.lsn), static_cast<unsigned>(last_row.ord));
  return stem;
}

// Of `name`, which `suffix` is behind.
std::optional<RowPosition> ParseStem(std::string_view name, std::string_view suffix) {
  if (name.size() != kStemBytes + suffix.size()) return std::nullopt;
  RowPosition position;
  if (!ParseDigits(name.substr(0, kHexDigits), 16, &position.commit_lsn) ||
      !ParseDigits(name.substr(kHexDigits + 1, kHexDigits), 16, &position.lsn) ||
      !ParseDigits(name.substr(2 * kHexDigits + 2, kOrdDigits), 10, &position.ord)) {
    return std::nullopt;
  }
  // The one way to write it: separators, lower case, suffix.
  if (StemOf(position) + std::string(suffix) != name) return std::nullopt;
  return position;
}

}  // namespace

arrow::Result<std::string> TableDirectoryName(const TableName& name) {
  std::string encoded;
  AppendPercentEncoded(name.schema, true, &encoded);
  encoded += '.';
  AppendPercentEncoded(name.table, false, &encoded);
  if (encoded == ".") {
    return MakeError(ErrorKind::kUnsupported, "a table without a name cannot have a directory",
                     ToString(name), "");
  }
  if (encoded.size() <= kFileNameBytesMax) return encoded;
  encoded = '~';
  encoded += std::to_string(name.schema.size());
  encoded += '~';
  encoded += Base64Url(name.schema + name.table);
  if (encoded.size() <= kFileNameBytesMax) return encoded;
  return MakeError(ErrorKind::kUnsupported,
                   "the name of table " + ToString(name) + " is too long for a directory name",
                   ToString(name), "leave the table out with a pattern, or give it a shorter name");
}

bool IsTableDirectory(std::string_view name) {
  return name.starts_with('~') || (!name.starts_with('.') && name.find('.') != std::string_view::npos);
}

std::string DataFileName(const RowPosition& last_row) {
  return StemOf(last_row) + std::string(kDataFileSuffix);
}

std::optional<RowPosition> ParseDataFileName(std::string_view name) {
  return ParseStem(name, kDataFileSuffix);
}

std::string SnapshotFileName(const RowPosition& last_row) {
  return StemOf(last_row) + std::string(kSnapshotFileSuffix);
}

std::optional<RowPosition> ParseSnapshotFileName(std::string_view name) {
  return ParseStem(name, kSnapshotFileSuffix);
}

std::string HiddenFileName(std::string_view name) {
  name.remove_suffix(kDataFileSuffix.size());
  return "." + std::string(name) + std::string(kInProgressSuffix);
}

std::string FormatRowPosition(const RowPosition& position) {
  return FormatLsn(position.commit_lsn) + " " + FormatLsn(position.lsn) + " " + std::to_string(position.ord);
}

}  // namespace arrowcdc
