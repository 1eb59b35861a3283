// A token is JSON: sinks store it as a text, and people may have to read it.
#include "src/mysql/stream/log_place.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/decode/event.h"

namespace arrowcdc::mysql {
namespace {

using nlohmann::json;

constexpr int kOffsetBits = 36;
constexpr int kFileBits = 20;
constexpr int kTokenVersion = 1;

bool ParseNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// As servers name their files.
std::string FileDigits(uint64_t number) {
  constexpr size_t kDigits = 6;
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return digits;
}

arrow::Status BadToken() {
  return MakeError(ErrorKind::kPositionGap, "what is stored with the position cannot be read", "position",
                   "it was stored by another version, or damaged: capture into a new sink");
}

}  // namespace

arrow::Result<uint64_t> MakeOrder(uint32_t epoch, const LogPlace& place) {
  if (place.offset >> kOffsetBits != 0 || place.file >> kFileBits != 0 || epoch > kEpochMax) {
    return MakeError(ErrorKind::kUnsupported,
                     "file " + std::to_string(place.file) + " and offset " + std::to_string(place.offset) +
                         " in epoch " + std::to_string(epoch) +
                         " do not fit into a position, which holds 2^20 files of 64 GiB and 256 epochs",
                     "binary log", "capture into a new sink from a later file");
  }
  return uint64_t{epoch} << (kFileBits + kOffsetBits) | uint64_t{place.file} << kOffsetBits | place.offset;
}

LogPlace PlaceOf(uint64_t order) {
  return {static_cast<uint32_t>(order >> kOffsetBits & ((1U << kFileBits) - 1)),
          order & ((uint64_t{1} << kOffsetBits) - 1)};
}

arrow::Result<LogPlace> ParsePlace(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    const auto order = ParseLsn(text);
    if (order.ok()) return PlaceOf(*order);
  } else {
    LogPlace place;
    const std::string_view name = text.substr(0, colon);
    uint64_t number = 0;
    const size_t dot = name.rfind('.');
    const std::string_view digits = name.substr(dot + 1);
    const bool is_name = dot != std::string_view::npos;
    const bool numbered = ParseNumber(digits, &number) && (!is_name || digits == FileDigits(number));
    if (numbered && number >> kFileBits == 0 && ParseNumber(text.substr(colon + 1), &place.offset) &&
        place.offset >> kOffsetBits == 0) {
      place.file = static_cast<uint32_t>(number);
      return place;
    }
  }
  return MakeError(ErrorKind::kInvalidOption, "the text is no place in a binary log", "option until",
                   "use FILE:OFFSET as SHOW BINARY LOG STATUS (SHOW MASTER STATUS) gives them, as "
                   "binlog.000003:1234; the number of a file has six digits");
}

std::string ToString(const LogPlace& place, const std::string& base) {
  if (base.empty()) return "file " + std::to_string(place.file) + ", offset " + std::to_string(place.offset);
  return base + "." + FileDigits(place.file) + ":" + std::to_string(place.offset);
}

std::string WriteToken(const LogToken& token) {
  json text{{"version", kTokenVersion},
            {"flavor", token.flavor == Flavor::kMysql ? "mysql" : "mariadb"},
            {"server", token.server},
            {"base", token.base},
            {"gtids", token.state.ToString()}};
  if (token.last.has_value()) {
    json last{{"gtid", ToString(token.last->id)},
              {"commit_ts", token.last->commit_ts},
              {"file", token.last->begin.file},
              {"offset", token.last->begin.offset}};
    if (token.last->before.has_value()) last["before"] = ToString(TransactionId(*token.last->before));
    text["last"] = std::move(last);
  }
  for (const TableName& table : token.gone) text["gone"].push_back({table.schema, table.table});
  for (const auto& [database, made_since] : token.dropped) text["dropped"][database] = made_since;
  return text.dump(-1, ' ', true, json::error_handler_t::replace);
}

arrow::Result<LogToken> ReadToken(const std::string& text) {
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return BadToken();
  const auto words = [](const json& in, const char* name) {
    const auto found = in.find(name);
    return found != in.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [](const json& in, const char* name) {
    const auto found = in.find(name);
    return found != in.end() && found->is_number_integer() ? found->get<int64_t>() : int64_t{-1};
  };
  const std::string flavor = words(parsed, "flavor");
  if (number(parsed, "version") != kTokenVersion || (flavor != "mysql" && flavor != "mariadb"))
    return BadToken();
  LogToken token;
  token.flavor = flavor == "mysql" ? Flavor::kMysql : Flavor::kMariadb;
  token.server = words(parsed, "server");
  token.base = words(parsed, "base");
  auto state = GtidState::Parse(token.flavor, words(parsed, "gtids"));
  if (!state.ok()) return BadToken();
  token.state = *std::move(state);
  if (const auto gone = parsed.find("gone"); gone != parsed.end()) {
    if (!gone->is_array()) return BadToken();
    for (const json& name : *gone) {
      const bool is_name = name.is_array() && name.size() == 2 && name[0].is_string() && name[1].is_string();
      if (!is_name) return BadToken();
      token.gone.push_back({name[0].get<std::string>(), name[1].get<std::string>()});
    }
  }
  if (const auto dropped = parsed.find("dropped"); dropped != parsed.end()) {
    if (!dropped->is_object()) return BadToken();
    for (const auto& [database, made_since] : dropped->items()) {
      if (!made_since.is_array()) return BadToken();
      auto& tables = token.dropped[database];
      for (const json& table : made_since) {
        if (!table.is_string()) return BadToken();
        tables.insert(table.get<std::string>());
      }
    }
  }
  const auto last = parsed.find("last");
  if (last == parsed.end()) return token;
  if (!last->is_object()) return BadToken();
  auto id = ParseTransactionId(words(*last, "gtid"));
  if (!id.ok() || number(*last, "file") < 0 || number(*last, "offset") < 0) return BadToken();
  token.last = LastTransaction{
      *std::move(id),
      number(*last, "commit_ts"),
      {static_cast<uint32_t>(number(*last, "file")), static_cast<uint64_t>(number(*last, "offset"))},
      std::nullopt};
  if (const std::string before = words(*last, "before"); !before.empty()) {
    ARROW_ASSIGN_OR_RAISE(const auto gtids, ParseMariadbGtids(before));
    if (gtids.size() != 1) return BadToken();
    token.last->before = gtids[0];
  }
  return token;
}

}  // namespace arrowcdc::mysql

namespace arrowcdc {

arrow::Result<uint64_t> ParseBinlogPosition(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(const mysql::LogPlace place, mysql::ParsePlace(text));
  return mysql::MakeOrder(0, place);
}

std::string FormatBinlogPosition(const Position& position) {
  const auto token = mysql::ReadToken(position.token);
  return ToString(mysql::PlaceOf(position.order), token.ok() ? token->base : "");
}

}  // namespace arrowcdc
