#include "bench/message_reader.h"

#include <endian.h>

#include <cstring>

#include "bench/json_columns.h"
#include "pgtype/datetime.h"

namespace arrowcdc::bench {
namespace {

uint64_t BigEndian64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return be64toh(value);
}

arrow::Status Unreadable(const char* plugin) {
  return arrow::Status::IOError("a message of ", plugin, " that cannot be read");
}

class PgoutputReader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    if (message.empty()) return Unreadable("pgoutput");
    at_commit_ = false;
    switch (message[0]) {
      case 'I':
      case 'U':
      case 'D':
        ++rows_;
        return arrow::Status::OK();
      case 'B':  // final LSN, commit time, xid
        if (message.size() < 17) return Unreadable("pgoutput");
        commit_time_ = static_cast<int64_t>(BigEndian64(message.data() + 9)) + pgtype::kEpochUs;
        return arrow::Status::OK();
      case 'C':
      case 'c':  // of a transaction that was streamed; nothing of it was rolled back here
        ++transactions_;
        at_commit_ = true;
        return arrow::Status::OK();
      default:  // relations, types
        return arrow::Status::OK();
    }
  }
};

class TestDecodingReader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    at_commit_ = message.starts_with("COMMIT");
    if (at_commit_) ++transactions_;
    if (message.starts_with("table ")) ++rows_;
    return arrow::Status::OK();
  }
};

// Format 1, {"change":[{"kind":"insert",...},...]}: a quote inside a value stands behind a backslash, so that
// no value looks like the beginning of a change.
class Wal2jsonV1Reader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    constexpr std::string_view kBegin = R"({"change":[)";
    constexpr std::string_view kChange = R"({"kind":")";
    if (!message.starts_with(kBegin)) return Unreadable("wal2json");
    const char* at = message.data();
    const char* end = at + message.size();
    while ((at = static_cast<const char*>(
                memmem(at, static_cast<size_t>(end - at), kChange.data(), kChange.size()))) != nullptr) {
      ++rows_;
      at += kChange.size();
    }
    ++transactions_;
    at_commit_ = true;
    return arrow::Status::OK();
  }
};

class Wal2jsonV1ArrowReader : public MessageReader {
 public:
  explicit Wal2jsonV1ArrowReader(const Table& table) : columns_(table) {}

  arrow::Status Read(std::string_view message) override {
    ARROW_RETURN_NOT_OK(columns_.AppendTransaction(message));
    rows_ = columns_.changes();
    ++transactions_;
    at_commit_ = true;
    return arrow::Status::OK();
  }
  arrow::Status Finish() override { return columns_.Flush(); }

 private:
  JsonColumns columns_;
};

// Format 2, {"action":"I",...}: the action is the first member.
class Wal2jsonReader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    if (message.size() <= kActionOffset) return Unreadable("wal2json");
    const char action = message[kActionOffset];
    at_commit_ = action == 'C';
    if (at_commit_) ++transactions_;
    if (action == 'I' || action == 'U' || action == 'D') ++rows_;
    return arrow::Status::OK();
  }

 private:
  static constexpr size_t kActionOffset = 11;
};

class Wal2jsonArrowReader : public MessageReader {
 public:
  explicit Wal2jsonArrowReader(const Table& table) : columns_(table) {}

  arrow::Status Read(std::string_view message) override {
    ARROW_ASSIGN_OR_RAISE(const char action, columns_.Append(message));
    at_commit_ = action == 'C';
    if (at_commit_) ++transactions_;
    rows_ = columns_.changes();
    return arrow::Status::OK();
  }
  arrow::Status Finish() override { return columns_.Flush(); }

 private:
  JsonColumns columns_;
};

// Protocol buffers: RowMessage { uint32 transaction_id = 1; uint64 commit_time = 2; string table = 3; Op op =
// 4; ... }.
class DecoderbufsReader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    size_t at = 0;
    uint64_t operation = kUnknown;
    while (operation == kUnknown && at < message.size()) {
      const uint64_t key = Varint(message, &at);
      if ((key & 7) == 0) {
        const uint64_t value = Varint(message, &at);
        if (key >> 3 == 2) commit_time_ = static_cast<int64_t>(value);
        if (key >> 3 == 4) operation = value;
      } else if ((key & 7) == 2) {
        at += Varint(message, &at);
      } else {
        return Unreadable("decoderbufs");
      }
    }
    if (operation == kUnknown) return Unreadable("decoderbufs");
    at_commit_ = operation == kCommit;
    if (at_commit_) ++transactions_;
    if (operation < kBegin) ++rows_;
    return arrow::Status::OK();
  }

 private:
  static constexpr uint64_t kBegin = 3;
  static constexpr uint64_t kCommit = 4;
  static constexpr uint64_t kUnknown = UINT64_MAX;

  static uint64_t Varint(std::string_view message, size_t* at) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && *at < message.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(message[(*at)++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
};

// One message per commit: rows so far, commit time.
class NoopReader : public MessageReader {
 public:
  arrow::Status Read(std::string_view message) override {
    if (message.size() != 16) return Unreadable("the do-nothing plugin");
    rows_ = static_cast<int64_t>(BigEndian64(message.data()));
    commit_time_ = static_cast<int64_t>(BigEndian64(message.data() + 8)) + pgtype::kEpochUs;
    ++transactions_;
    at_commit_ = true;
    return arrow::Status::OK();
  }
};

}  // namespace

std::unique_ptr<MessageReader> MakeMessageReader(Reader reader, const Table& table) {
  switch (reader) {
    case Reader::kPgoutput:
      return std::make_unique<PgoutputReader>();
    case Reader::kTestDecoding:
      return std::make_unique<TestDecodingReader>();
    case Reader::kWal2jsonV1:
      return std::make_unique<Wal2jsonV1Reader>();
    case Reader::kWal2jsonV1Arrow:
      return std::make_unique<Wal2jsonV1ArrowReader>(table);
    case Reader::kWal2json:
      return std::make_unique<Wal2jsonReader>();
    case Reader::kWal2jsonArrow:
      return std::make_unique<Wal2jsonArrowReader>(table);
    case Reader::kDecoderbufs:
      return std::make_unique<DecoderbufsReader>();
    case Reader::kNoop:
      return std::make_unique<NoopReader>();
    default:
      return nullptr;
  }
}

}  // namespace arrowcdc::bench
