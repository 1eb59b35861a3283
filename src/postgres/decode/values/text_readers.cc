// Readers whose column is text: what the type's output function writes, also where the binary form is
// something else.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

// Writes into a column; who asked for room has said how much at most.
class TextWriter {
 public:
  explicit TextWriter(char* room) : begin_(room), at_(room) {}

  void Put(char c) { *at_++ = c; }
  void Put(std::string_view text) {
    if (!text.empty()) memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  template <typename Number>
  void PutNumber(Number number, int base = 10) {
    constexpr size_t kDigitsMax = 24;
    at_ = std::to_chars(at_, at_ + kDigitsMax, number, base).ptr;
  }
  void PutByte(uint8_t byte) {
    static constexpr char kDigits[] = "0123456789abcdef";
    Put(kDigits[byte >> 4]);
    Put(kDigits[byte & 15]);
  }
  int64_t size() const { return at_ - begin_; }

 private:
  char* begin_;
  char* at_;
};

constexpr int64_t kNumberRoom = 24;

// The text form is the column's.
template <typename Reader>
class TextColumnReader : public ReaderBase<Reader> {
 public:
  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext*) const {
    return AppendText(value, column);
  }
};

class TextReader : public TextColumnReader<TextReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext*) const {
    return AppendText(value, column);
  }
};

class VersionedTextReader : public TextColumnReader<VersionedTextReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.empty() || value[0] != 1) {
      return context->Fault(value.data(), "a binary form of an unknown version");
    }
    return AppendText(value.substr(1), column);
  }
};

// inet and cidr: family, bits, is it a cidr, bytes of the address, the address.
class InetReader : public TextColumnReader<InetReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    constexpr uint8_t kIpv4 = 2;
    constexpr uint8_t kIpv6 = 3;
    constexpr size_t kHeader = 4;
    if (value.size() < kHeader) return context->Fault(value.data(), kWrongSize);
    const auto* bytes = reinterpret_cast<const uint8_t*>(value.data());
    const bool ipv4 = bytes[0] == kIpv4;
    const size_t address_bytes = ipv4 ? 4 : 16;
    const unsigned bits_max = ipv4 ? 32 : 128;
    const unsigned bits = bytes[1];
    const bool is_cidr = bytes[2] != 0;
    if ((!ipv4 && bytes[0] != kIpv6) || bits > bits_max || bytes[3] != address_bytes ||
        value.size() != kHeader + address_bytes) {
      return context->Fault(value.data(), "bytes that are no network address");
    }
    char* const room = column->Room(kRoom);
    if (room == nullptr) return ReadOutcome::kNoForm;
    TextWriter out(room);
    if (ipv4) {
      PutIpv4(bytes + kHeader, &out);
    } else {
      PutIpv6(bytes + kHeader, &out);
    }
    if (is_cidr || bits < bits_max) {
      out.Put('/');
      out.PutNumber(bits);
    }
    return Appended(column->EndBytes(out.size()));
  }

 private:
  static constexpr int64_t kRoom = 128;

  static void PutIpv4(const uint8_t* address, TextWriter* out) {
    for (int i = 0; i < 4; ++i) {
      if (i > 0) out->Put('.');
      out->PutNumber(static_cast<unsigned>(address[i]));
    }
  }

  // The longest run of at least two zero words becomes "::", the first of them where several are as long.
  static void PutIpv6(const uint8_t* address, TextWriter* out) {
    constexpr int kWords = 8;
    unsigned words[kWords];
    for (int i = 0; i < kWords; ++i)
      words[i] = static_cast<unsigned>(address[2 * i] << 8 | address[2 * i + 1]);
    int run = -1;
    int run_length = 1;
    for (int i = 0; i < kWords;) {
      int end = i;
      while (end < kWords && words[end] == 0) ++end;
      if (end - i > run_length) {
        run = i;
        run_length = end - i;
      }
      i = end + 1;
    }
    // An IPv4 address in an IPv6 one: compatible (but not ::1) or mapped.
    const bool has_ipv4 = run == 0 && (run_length == 6 || (run_length == 7 && words[7] != 1) ||
                                       (run_length == 5 && words[5] == 0xffff));
    for (int i = 0; i < kWords; ++i) {
      if (run >= 0 && i >= run && i < run + run_length) {
        if (i == run) out->Put(':');
        continue;
      }
      if (i > 0) out->Put(':');
      if (i == 6 && has_ipv4) {
        PutIpv4(address + 12, out);
        return;
      }
      out->PutNumber(words[i], 16);
    }
    if (run >= 0 && run + run_length == kWords) out->Put(':');
  }
};

class MacaddrReader : public TextColumnReader<MacaddrReader> {
 public:
  explicit MacaddrReader(size_t bytes) : bytes_(bytes) {}

  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() != bytes_) return context->Fault(value.data(), kWrongSize);
    char* const room = column->Room(static_cast<int64_t>(3 * value.size()));
    if (room == nullptr) return ReadOutcome::kNoForm;
    TextWriter out(room);
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out.Put(':');
      out.PutByte(static_cast<uint8_t>(value[i]));
    }
    return Appended(column->EndBytes(out.size()));
  }

 private:
  size_t bytes_;
};

// bit and varbit: how many bits, then they, the first in the highest place.
class BitReader : public TextColumnReader<BitReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    int32_t bits;
    if (!cursor.Read(&bits) || bits < 0 || cursor.left() != (static_cast<int64_t>(bits) + 7) / 8) {
      return context->Fault(value.data(), "bytes that are no bit string");
    }
    char* const room = column->Room(bits);
    if (room == nullptr) return ReadOutcome::kNoForm;
    for (int32_t i = 0; i < bits; ++i) {
      const auto byte = static_cast<uint8_t>(cursor.at()[i / 8]);
      room[i] = (byte >> (7 - i % 8) & 1) != 0 ? '1' : '0';
    }
    return Appended(column->EndBytes(bits));
  }
};

class TidReader : public TextColumnReader<TidReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    uint32_t block;
    uint16_t offset;
    if (!cursor.Read(&block) || !cursor.Read(&offset) || !cursor.AtEnd()) {
      return context->Fault(value.data(), kWrongSize);
    }
    char* const room = column->Room(3 * kNumberRoom);
    if (room == nullptr) return ReadOutcome::kNoForm;
    TextWriter out(room);
    out.Put('(');
    out.PutNumber(block);
    out.Put(',');
    out.PutNumber(offset);
    out.Put(')');
    return Appended(column->EndBytes(out.size()));
  }
};

// How many lexemes; of each the word up to a NUL, how many places, and those: weight in the upper two bits.
class TsvectorReader : public TextColumnReader<TsvectorReader> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    // A place takes two bytes, and in text up to five digits, a letter and a comma; a character of a word may
    // be doubled, a word has quotes, a space and a colon.
    char* const room = column->Room(4 * static_cast<int64_t>(value.size()) + 8);
    if (room == nullptr) return ReadOutcome::kNoForm;
    BinaryCursor cursor(value);
    TextWriter out(room);
    int32_t count;
    if (!cursor.Read(&count) || count < 0) return context->Fault(value.data(), kNoVector);
    for (int32_t i = 0; i < count; ++i) {
      if (i > 0) out.Put(' ');
      if (!PutLexeme(&cursor, &out)) return context->Fault(cursor.at(), kNoVector);
    }
    if (!cursor.AtEnd()) return context->Fault(cursor.at(), kNoVector);
    return Appended(arrow::util::ValidateUTF8(std::string_view(room, static_cast<size_t>(out.size()))) &&
                    column->EndBytes(out.size()));
  }

 private:
  static constexpr char kNoVector[] = "bytes that are no tsvector";

  static bool PutLexeme(BinaryCursor* cursor, TextWriter* out) {
    const auto* end =
        static_cast<const char*>(memchr(cursor->at(), '\0', static_cast<size_t>(cursor->left())));
    std::string_view word;
    std::string_view nul;
    uint16_t places;
    if (end == nullptr || !cursor->ReadBytes(end - cursor->at(), &word) || !cursor->ReadBytes(1, &nul) ||
        !cursor->Read(&places)) {
      return false;
    }
    out->Put('\'');
    for (const char c : word) {
      if (c == '\'' || c == '\\') out->Put(c);
      out->Put(c);
    }
    out->Put('\'');
    for (uint16_t i = 0; i < places; ++i) {
      uint16_t place;
      if (!cursor->Read(&place)) return false;
      out->Put(i == 0 ? ':' : ',');
      out->PutNumber(place & 0x3fff);
      const int weight = place >> 14;
      if (weight > 0) out->Put(" CBA"[weight]);
    }
    return true;
  }
};

// int2vector and oidvector: the binary form is that of an array, the text its numbers with spaces between.
template <typename T, uint32_t kElementOid>
class VectorReader : public TextColumnReader<VectorReader<T, kElementOid>> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    int32_t dimensions;
    int32_t has_nulls;
    uint32_t element;
    int32_t count = 0;
    int32_t lower = 0;
    if (!cursor.Read(&dimensions) || !cursor.Read(&has_nulls) || !cursor.Read(&element) || has_nulls != 0 ||
        element != kElementOid || dimensions < 0 || dimensions > 1 ||
        (dimensions == 1 && (!cursor.Read(&count) || !cursor.Read(&lower))) || count < 0 ||
        cursor.left() != count * static_cast<int64_t>(sizeof(int32_t) + sizeof(T))) {
      return context->Fault(value.data(), kNoVector);
    }
    char* const room = column->Room(count * int64_t{12} + kNumberRoom);
    if (room == nullptr) return ReadOutcome::kNoForm;
    TextWriter out(room);
    for (int32_t i = 0; i < count; ++i) {
      int32_t size;
      T number;
      if (!cursor.Read(&size) || size != static_cast<int32_t>(sizeof(T)) || !cursor.Read(&number)) {
        return context->Fault(cursor.at(), kNoVector);
      }
      if (i > 0) out.Put(' ');
      out.PutNumber(number);
    }
    return Appended(column->EndBytes(out.size()));
  }

 private:
  static constexpr char kNoVector[] = "bytes that are no vector of the catalog";
};

constexpr uint32_t kInt2Oid = 21;
constexpr uint32_t kOidOid = 26;

}  // namespace

ReaderPointer MakeTextReader() { return std::make_unique<TextReader>(); }
ReaderPointer MakeVersionedTextReader() { return std::make_unique<VersionedTextReader>(); }
ReaderPointer MakeInetReader() { return std::make_unique<InetReader>(); }
ReaderPointer MakeMacaddrReader(size_t bytes) { return std::make_unique<MacaddrReader>(bytes); }
ReaderPointer MakeBitReader() { return std::make_unique<BitReader>(); }
ReaderPointer MakeTidReader() { return std::make_unique<TidReader>(); }
ReaderPointer MakeTsvectorReader() { return std::make_unique<TsvectorReader>(); }
ReaderPointer MakeInt2VectorReader() { return std::make_unique<VectorReader<int16_t, kInt2Oid>>(); }
ReaderPointer MakeOidVectorReader() { return std::make_unique<VectorReader<uint32_t, kOidOid>>(); }

}  // namespace arrowcdc
