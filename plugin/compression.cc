// LZ4 frames and Zstandard. Neither library allocates anything: LZ4F_compressFrame works on its stack, zstd
// in a workspace given to it once.
#include "plugin/compression.h"

#include <lz4frame.h>
// For ZSTD_initStaticCCtx and ZSTD_estimateCCtxSize, which the shared library exports.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "format/frame.h"

namespace arrowcdc::plugin {

struct Compressor {
  format::BodyCodec codec;
  MemoryContext context;  // this struct and all it points to
  ZSTD_CCtx* zstd;        // kZstd
  BodyPart* parts;
  int32_t parts_capacity;
  uint8_t* staging;  // the compressed buffers
  size_t staging_capacity;
  size_t staging_kept_max;
};

namespace {

// Smaller buffers do not repay the prefix, a frame's own bytes and the alignment.
constexpr size_t kTriedBytesMin = 64;
// A giant row must not take much memory once more, nor a single call hold up a shutdown.
constexpr size_t kStagingBytesMax = 64 << 20;
// What is kept for the next batch, at least.
constexpr uint64_t kStagingBytesKept = 1 << 20;
constexpr size_t kPrefixBytes = sizeof(int64_t);
// The level meant for speed.
constexpr int kZstdLevel = 1;

// Null where there is no memory: then a batch goes uncompressed.
void* TryAllocate(MemoryContext context, size_t bytes) {
  return MemoryContextAllocExtended(context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

void FreeBlock(void* block) {
  if (block != nullptr) pfree(block);
}

LZ4F_preferences_t MakeLz4Preferences() {
  // One block a buffer, up to 4 MiB: independent blocks need no memory of their own between calls.
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  return preferences;
}

size_t FindBound(const Compressor* compressor, size_t size) {
  if (compressor->codec == format::BodyCodec::kZstd) return ZSTD_compressBound(size);
  const LZ4F_preferences_t preferences = MakeLz4Preferences();
  return LZ4F_compressFrameBound(size, &preferences);
}

// Bytes written, 0 where the library failed.
size_t CompressBuffer(Compressor* compressor, const Buffer* buffer, size_t size, uint8_t* out, size_t room) {
  if (compressor->codec == format::BodyCodec::kZstd) {
    const size_t bytes = ZSTD_compress2(compressor->zstd, out, room, buffer->data, size);
    return ZSTD_isError(bytes) != 0 ? 0 : bytes;
  }
  const LZ4F_preferences_t preferences = MakeLz4Preferences();
  const size_t bytes = LZ4F_compressFrame(out, room, buffer->data, size, &preferences);
  return LZ4F_isError(bytes) != 0 ? 0 : bytes;
}

size_t AlignUp(size_t size) { return format::RoundUp(size, format::kBufferAlignment); }

// Room for the buffers worth a try, as far as there may be room; false: there is none.
bool PrepareStaging(Compressor* compressor, const format::BufferRef* refs, int32_t count) {
  size_t wanted = 0;
  for (int32_t i = 0; i < count; ++i) {
    const size_t size = static_cast<size_t>(refs[i].length);
    if (size >= kTriedBytesMin && size <= kStagingBytesMax) wanted += FindBound(compressor, size);
  }
  if (wanted > kStagingBytesMax) wanted = kStagingBytesMax;
  if (wanted <= compressor->staging_capacity) return wanted > 0;
  // Batches differ a little in size: the next one shall find room enough.
  wanted = Min(wanted + wanted / 4, kStagingBytesMax);
  FreeBlock(compressor->staging);
  compressor->staging_capacity = 0;
  compressor->staging = static_cast<uint8_t*>(TryAllocate(compressor->context, wanted));
  if (compressor->staging != nullptr) compressor->staging_capacity = wanted;
  return compressor->staging != nullptr;
}

bool PrepareParts(Compressor* compressor, int32_t count) {
  if (count <= compressor->parts_capacity) return true;
  FreeBlock(compressor->parts);
  compressor->parts_capacity = 0;
  compressor->parts =
      static_cast<BodyPart*>(TryAllocate(compressor->context, sizeof(BodyPart) * static_cast<size_t>(count)));
  if (compressor->parts != nullptr) compressor->parts_capacity = count;
  return compressor->parts != nullptr;
}

}  // namespace

Compressor* NewCompressor(MemoryContext parent, const Options& options) {
  if (options.compression == format::BodyCodec::kNone) return nullptr;
  const MemoryContext context =
      AllocSetContextCreate(parent, "wal2arrow compression", ALLOCSET_DEFAULT_SIZES);
  auto* compressor = static_cast<Compressor*>(MemoryContextAllocZero(context, sizeof(Compressor)));
  compressor->codec = options.compression;
  compressor->context = context;
  compressor->staging_kept_max = Max(2 * options.batch_bytes, kStagingBytesKept);
  if (compressor->codec == format::BodyCodec::kZstd) {
    const size_t bytes = ZSTD_estimateCCtxSize(kZstdLevel);
    compressor->zstd = ZSTD_initStaticCCtx(MemoryContextAlloc(context, bytes), bytes);
    if (compressor->zstd == nullptr) elog(ERROR, "wal2arrow cannot set up zstd");
    ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, kZstdLevel);
  }
  return compressor;
}

const BodyPart* CompressBody(Compressor* compressor, const Buffer* const* buffers, int32_t count,
                             format::BufferRef* refs, int64_t* body_bytes) {
  if (compressor == nullptr) return nullptr;
  if (!PrepareStaging(compressor, refs, count) || !PrepareParts(compressor, count)) return nullptr;
  size_t staged = 0;
  size_t total = 0;
  for (int32_t i = 0; i < count; ++i) {
    const size_t size = static_cast<size_t>(refs[i].length);
    BodyPart* const part = &compressor->parts[i];
    *part = BodyPart{format::kLeftUncompressed, buffers[i]->data, size};
    const size_t room = compressor->staging_capacity - staged;
    if (size >= kTriedBytesMin && size <= room && FindBound(compressor, size) <= room) {
      CHECK_FOR_INTERRUPTS();
      uint8_t* const out = compressor->staging + staged;
      const size_t bytes = CompressBuffer(compressor, buffers[i], size, out, room);
      if (bytes > 0 && AlignUp(kPrefixBytes + bytes) < AlignUp(size)) {
        *part = BodyPart{static_cast<int64_t>(size), out, bytes};
        staged += bytes;
      }
    }
    if (size > 0) total += AlignUp(kPrefixBytes + part->size);
  }
  if (static_cast<int64_t>(total) >= *body_bytes) return nullptr;

  int64_t offset = 0;
  for (int32_t i = 0; i < count; ++i) {
    const size_t size = compressor->parts[i].size;
    refs[i] = format::BufferRef{offset, static_cast<int64_t>(size == 0 ? 0 : kPrefixBytes + size)};
    offset += static_cast<int64_t>(AlignUp(static_cast<size_t>(refs[i].length)));
  }
  *body_bytes = offset;
  return compressor->parts;
}

void TrimCompressor(Compressor* compressor) {
  if (compressor == nullptr || compressor->staging_capacity <= compressor->staging_kept_max) return;
  FreeBlock(compressor->staging);
  compressor->staging = nullptr;
  compressor->staging_capacity = 0;
}

}  // namespace arrowcdc::plugin
