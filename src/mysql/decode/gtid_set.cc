// Text and wire forms follow the servers' own (MySQL: sql/rpl_gtid_set.cc; MariaDB: sql/rpl_gtid.cc).
#include "src/mysql/decode/gtid_set.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc::mysql {
namespace {

constexpr int64_t kNumberMax = std::numeric_limits<int64_t>::max() - 1;
constexpr size_t kTagBytesMax = 32;

arrow::Status NotReadable(const char* what) {
  return MakeError(ErrorKind::kProtocol, std::string("the text is no ") + what, "GTIDs",
                   "it comes from the server or from what was stored: check versions of server and client");
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(at);
    parts.push_back(Trim(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsTag(std::string_view text) {
  if (text.empty() || text.size() > kTagBytesMax || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// The servers write and compare tags in lower case.
std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

void PutUint(uint64_t value, size_t width, std::string* to) {
  for (size_t i = 0; i < width; ++i) to->push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

}  // namespace

std::string ToString(const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4];
    text += kDigits[uuid[i] & 15];
  }
  return text;
}

arrow::Result<Uuid> ParseUuid(std::string_view text) {
  Uuid uuid{};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = HexDigit(c);
    if (digit < 0 || digits == 32) return NotReadable("UUID");
    uuid[digits / 2] = static_cast<uint8_t>(uuid[digits / 2] << 4 | digit);
    ++digits;
  }
  if (digits != 32) return NotReadable("UUID");
  return uuid;
}

std::string ToString(const TransactionId& id) {
  if (const auto* const gtid = std::get_if<Gtid>(&id)) {
    const std::string tag = gtid->source.tag.empty() ? "" : ":" + gtid->source.tag;
    return ToString(gtid->source.uuid) + tag + ":" + std::to_string(gtid->number);
  }
  if (const auto* const gtid = std::get_if<MariadbGtid>(&id)) {
    return std::to_string(gtid->domain) + "-" + std::to_string(gtid->server_id) + "-" +
           std::to_string(gtid->number);
  }
  return "";
}

arrow::Result<TransactionId> ParseTransactionId(std::string_view text) {
  if (text.empty()) return TransactionId();
  const auto parts = Split(text, ':');
  if (parts.size() == 1) {
    ARROW_ASSIGN_OR_RAISE(const auto gtids, ParseMariadbGtids(text));
    if (gtids.size() != 1) return NotReadable("GTID");
    return TransactionId(gtids[0]);
  }
  Gtid gtid;
  ARROW_ASSIGN_OR_RAISE(gtid.source.uuid, ParseUuid(parts[0]));
  if (parts.size() > 3 || !ParseNumber(parts.back(), &gtid.number)) return NotReadable("GTID");
  if (parts.size() == 3) {
    if (!IsTag(parts[1])) return NotReadable("GTID");
    gtid.source.tag = Lower(parts[1]);
  }
  return TransactionId(gtid);
}

// --- MySQL ---

// uuid[:tag]:n[-m][:...][:tag:n...], comma, the next. A tag holds for what follows it.
arrow::Result<GtidSet> GtidSet::Parse(std::string_view text) {
  GtidSet set;
  for (const std::string_view part : Split(text, ',')) {
    if (part.empty()) continue;
    const auto words = Split(part, ':');
    Gtid::Source source;
    ARROW_ASSIGN_OR_RAISE(source.uuid, ParseUuid(words[0]));
    for (size_t i = 1; i < words.size(); ++i) {
      if (IsTag(words[i])) {
        source.tag = Lower(words[i]);
        continue;
      }
      const auto ends = Split(words[i], '-');
      int64_t first = 0;
      if (ends.size() > 2 || !ParseNumber(ends[0], &first)) return NotReadable("set of GTIDs");
      int64_t last = first;
      if (ends.size() == 2 && !ParseNumber(ends[1], &last)) return NotReadable("set of GTIDs");
      if (first < 1 || last > kNumberMax) return NotReadable("set of GTIDs");
      if (last >= first) set.AddInterval(source, first, last + 1);
    }
  }
  return set;
}

void GtidSet::AddInterval(const Gtid::Source& source, int64_t begin, int64_t end) {
  std::vector<Interval>& intervals = sources_[source];
  // As a rule the next number of the last interval.
  if (!intervals.empty() && intervals.back().end == begin) {
    intervals.back().end = end;
    return;
  }
  auto first = std::lower_bound(intervals.begin(), intervals.end(), begin,
                                [](const Interval& interval, int64_t at) { return interval.end < at; });
  auto last = first;
  while (last != intervals.end() && last->begin <= end) {
    begin = std::min(begin, last->begin);
    end = std::max(end, last->end);
    ++last;
  }
  if (first == last) {
    intervals.insert(first, {begin, end});
    return;
  }
  *first = {begin, end};
  intervals.erase(first + 1, last);
}

void GtidSet::Add(const GtidSet& other) {
  for (const auto& [source, intervals] : other.sources_) {
    for (const Interval& interval : intervals) AddInterval(source, interval.begin, interval.end);
  }
}

void GtidSet::Remove(const Gtid& gtid) {
  const auto found = sources_.find(gtid.source);
  if (found == sources_.end()) return;
  std::vector<Interval> left;
  for (const Interval& interval : found->second) {
    if (gtid.number < interval.begin || gtid.number >= interval.end) {
      left.push_back(interval);
      continue;
    }
    if (interval.begin < gtid.number) left.push_back({interval.begin, gtid.number});
    if (gtid.number + 1 < interval.end) left.push_back({gtid.number + 1, interval.end});
  }
  found->second = std::move(left);
  if (found->second.empty()) sources_.erase(found);
}

bool GtidSet::Contains(const Gtid& gtid) const {
  GtidSet one;
  one.Add(gtid);
  return Contains(one);
}

bool GtidSet::SharesSource(const GtidSet& other) const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [&](const auto& source) { return other.sources_.contains(source.first); });
}

bool GtidSet::Contains(const GtidSet& other) const {
  for (const auto& [source, intervals] : other.sources_) {
    const auto ours = sources_.find(source);
    for (const Interval& interval : intervals) {
      if (ours == sources_.end()) return false;
      const bool within = std::any_of(ours->second.begin(), ours->second.end(), [&](const Interval& around) {
        return around.begin <= interval.begin && interval.end <= around.end;
      });
      if (!within) return false;
    }
  }
  return true;
}

std::string GtidSet::ToString() const {
  std::string text;
  const Uuid* uuid = nullptr;
  for (const auto& [source, intervals] : sources_) {
    if (uuid == nullptr || *uuid != source.uuid) {
      text += (text.empty() ? "" : ",") + mysql::ToString(source.uuid);
    }
    uuid = &source.uuid;
    if (!source.tag.empty()) text += ":" + source.tag;
    for (const Interval& interval : intervals) {
      text += ":" + std::to_string(interval.begin);
      if (interval.end - interval.begin > 1) text += "-" + std::to_string(interval.end - 1);
    }
  }
  return text;
}

// Without tags as servers before 8.3 know it. With tags the first and the last byte of the count say so, and
// each source has its tag, its length (doubled, as the serialization library writes small numbers) in front.
std::string GtidSet::Encode() const {
  const bool tagged = std::any_of(sources_.begin(), sources_.end(),
                                  [](const auto& source) { return !source.first.tag.empty(); });
  std::string bytes;
  if (tagged) {
    PutUint(1, 1, &bytes);
    PutUint(sources_.size(), 6, &bytes);
    PutUint(1, 1, &bytes);
  } else {
    PutUint(sources_.size(), 8, &bytes);
  }
  for (const auto& [source, intervals] : sources_) {
    bytes.append(reinterpret_cast<const char*>(source.uuid.data()), source.uuid.size());
    if (tagged) {
      PutUint(source.tag.size() << 1, 1, &bytes);
      bytes += source.tag;
    }
    PutUint(intervals.size(), 8, &bytes);
    for (const Interval& interval : intervals) {
      PutUint(static_cast<uint64_t>(interval.begin), 8, &bytes);
      PutUint(static_cast<uint64_t>(interval.end), 8, &bytes);
    }
  }
  return bytes;
}

// --- MariaDB ---

arrow::Result<std::vector<MariadbGtid>> ParseMariadbGtids(std::string_view text) {
  std::vector<MariadbGtid> gtids;
  for (const std::string_view part : Split(text, ',')) {
    if (part.empty()) continue;
    const auto numbers = Split(part, '-');
    MariadbGtid gtid;
    if (numbers.size() != 3 || !ParseNumber(numbers[0], &gtid.domain) ||
        !ParseNumber(numbers[1], &gtid.server_id) || !ParseNumber(numbers[2], &gtid.number)) {
      return NotReadable("list of MariaDB's GTIDs");
    }
    gtids.push_back(gtid);
  }
  return gtids;
}

// --- both ---

arrow::Result<GtidState> GtidState::Parse(Flavor flavor, std::string_view text) {
  GtidState state(flavor);
  if (flavor == Flavor::kMysql) {
    ARROW_ASSIGN_OR_RAISE(state.set_, GtidSet::Parse(text));
    return state;
  }
  ARROW_ASSIGN_OR_RAISE(const auto gtids, ParseMariadbGtids(text));
  for (const MariadbGtid& gtid : gtids) state.Add(TransactionId(gtid));
  return state;
}

void GtidState::Add(const TransactionId& id) {
  if (const auto* const gtid = std::get_if<Gtid>(&id)) set_.Add(*gtid);
  if (const auto* const gtid = std::get_if<MariadbGtid>(&id)) domains_.insert_or_assign(gtid->domain, *gtid);
}

void GtidState::Add(const GtidState& later) {
  set_.Add(later.set_);
  for (const auto& [domain, gtid] : later.domains_) domains_.insert_or_assign(domain, gtid);
}

std::string GtidState::ToString() const {
  if (flavor_ == Flavor::kMysql) return set_.ToString();
  std::string text;
  for (const auto& [domain, gtid] : domains_) {
    text += (text.empty() ? "" : ",") + mysql::ToString(TransactionId(gtid));
  }
  return text;
}

}  // namespace arrowcdc::mysql
