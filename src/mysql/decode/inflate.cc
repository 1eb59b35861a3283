// See inflate.h.
#include "src/mysql/decode/inflate.h"

#include <libdeflate.h>

#include <memory>

#include "arrowcdc/error.h"
#include "src/mysql/decode/byte_cursor.h"

namespace arrowcdc::mysql {
namespace {

arrow::Status Fault() { return MakeError(ErrorKind::kProtocol, "a compressed event is unsound", "", ""); }

}  // namespace

arrow::Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> compressed) {
  constexpr uint64_t kRatioMax = 1032;  // of zlib's format: what so many bytes can become at most
  ByteCursor cursor(compressed);
  uint8_t head;
  std::span<const uint8_t> length;
  // 1, three bits of algorithm (0: zlib), a bit unused, three bits: bytes of the length.
  if (!cursor.Read<1>(&head) || (head & 0xf0) != 0x80 || (head & 7) == 0 || (head & 7) > 4 ||
      !cursor.ReadBytes(head & 7, &length)) {
    return Fault();
  }
  const uint64_t size = LoadBig(length.data(), static_cast<int>(length.size()));
  const auto stream = cursor.rest();
  if (size > kRatioMax * stream.size()) return Fault();
  thread_local const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (decompressor == nullptr) return arrow::Status::OutOfMemory("no memory for a compressed event");
  std::vector<uint8_t> bytes(size);
  // All of the room is to be filled.
  const libdeflate_result result = libdeflate_zlib_decompress(
      decompressor.get(), stream.data(), stream.size(), bytes.data(), bytes.size(), nullptr);
  if (result != LIBDEFLATE_SUCCESS) return Fault();
  return bytes;
}

arrow::Result<std::vector<uint8_t>> InflateQuery(std::span<const uint8_t> body) {
  uint32_t unused;
  uint8_t database_bytes;
  uint16_t status_bytes;
  ByteCursor cursor(body);
  // Thread, duration, length of the database's name, error, length of the status variables; then those, and
  // the name with a NUL.
  if (!cursor.Read<4>(&unused) || !cursor.Read<4>(&unused) || !cursor.Read<1>(&database_bytes) ||
      !cursor.Skip(2) || !cursor.Read<2>(&status_bytes) ||
      !cursor.Skip(uint64_t{status_bytes} + database_bytes + 1)) {
    return Fault();
  }
  ARROW_ASSIGN_OR_RAISE(const auto query, Inflate(cursor.rest()));
  std::vector<uint8_t> whole(body.begin(), body.begin() + static_cast<ptrdiff_t>(cursor.offset()));
  whole.insert(whole.end(), query.begin(), query.end());
  return whole;
}

}  // namespace arrowcdc::mysql
