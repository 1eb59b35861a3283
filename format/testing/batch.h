// For tests: an Arrow batch in the flat form that WriteRecordBatchMetadata takes, and its body, with buffers
// at multiples of 16, compressed by Arrow's own codecs where a codec is given.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/util/compression.h>

#include "format/ipc_writer.h"
#include "format/testing/buffer.h"

namespace arrowcdc::format {

inline std::unique_ptr<arrow::util::Codec> ArrowCodec(BodyCodec codec) {
  return arrow::util::Codec::Create(codec == BodyCodec::kZstd ? arrow::Compression::ZSTD
                                                              : arrow::Compression::LZ4_FRAME)
      .ValueOrDie();
}

struct FlatBatch {
  std::vector<FieldNode> nodes;
  std::vector<BufferRef> buffers;
  std::string body;
  BodyCodec codec = BodyCodec::kNone;

  explicit FlatBatch(const arrow::RecordBatch& batch, BodyCodec body_codec = BodyCodec::kNone)
      : codec(body_codec) {
    for (const auto& column : batch.columns()) Add(*column->data());
  }

  // Metadata and body: a whole encapsulated message.
  std::string Message(int64_t rows) const {
    TestBuffer bytes;
    WriteRecordBatchMetadata(rows, nodes.data(), static_cast<int32_t>(nodes.size()), buffers.data(),
                             static_cast<int32_t>(buffers.size()), static_cast<int64_t>(body.size()),
                             bytes.get(), codec);
    return std::string(bytes.view()) + body;
  }

 private:
  void Add(const arrow::ArrayData& data) {
    nodes.push_back({data.length, data.GetNullCount()});
    for (size_t i = 0; i < data.buffers.size(); ++i) {
      const auto& buffer = data.buffers[i];
      const bool omit = buffer == nullptr || (i == 0 && data.GetNullCount() == 0);
      Add(omit ? std::string() : buffer->ToString());
    }
    for (const auto& child : data.child_data) Add(*child);
  }

  // Every third buffer is left as it is, so that both forms stand in one body.
  void Add(const std::string& buffer) {
    body.resize(RoundUp(body.size(), 16));
    const size_t start = body.size();
    if (codec == BodyCodec::kNone || buffer.empty()) {
      body += buffer;
    } else if (buffers.size() % 3 == 2) {
      Prefix(kLeftUncompressed);
      body += buffer;
    } else {
      Prefix(static_cast<int64_t>(buffer.size()));
      const auto* bytes = reinterpret_cast<const uint8_t*>(buffer.data());
      const auto size = static_cast<int64_t>(buffer.size());
      const auto compressor = ArrowCodec(codec);
      std::string out(static_cast<size_t>(compressor->MaxCompressedLen(size, bytes)), '\0');
      const int64_t used = compressor
                               ->Compress(size, bytes, static_cast<int64_t>(out.size()),
                                          reinterpret_cast<uint8_t*>(out.data()))
                               .ValueOrDie();
      body.append(out, 0, static_cast<size_t>(used));
    }
    buffers.push_back({static_cast<int64_t>(start), static_cast<int64_t>(body.size() - start)});
  }

  void Prefix(int64_t length) { body.append(reinterpret_cast<const char*>(&length), sizeof(length)); }
};

}  // namespace arrowcdc::format
