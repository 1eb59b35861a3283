// Arrow IPC messages of frames, from bytes nobody vouches for. Buffers of what is read are slices of the
// payload, except those that are not aligned for their type, which are copied, and compressed ones.
#pragma once

#include <memory>
#include <string_view>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/type.h>

namespace arrowcdc {

// Limits of what a schema may hold: PostgreSQL's own, and Arrow's for nesting.
inline constexpr int kColumnsMax = 1664;
inline constexpr int kNestingMax = 64;
inline constexpr size_t kNameBytesMax = 255;

// True for UTF-8 without NUL of at most kNameBytesMax bytes.
bool IsName(std::string_view name);

// Reads the one schema message that fills `payload`. Fields, names and types are within the limits; nothing
// is dictionary-encoded, run-end encoded, a union or a view. Errors: Status::Invalid with the reason.
arrow::Result<std::shared_ptr<arrow::Schema>> ReadSchemaPayload(const std::shared_ptr<arrow::Buffer>& payload,
                                                                arrow::MemoryPool* pool);

// Reads the one record batch message that fills `payload`, of `schema`, by Arrow's reader; the columns are
// not validated. A compressed body is decompressed into memory of `pool`, to `bytes_max` at most; nothing is
// allocated before the lengths it names have been checked. Errors: Status::Invalid with the reason; it holds
// no values.
arrow::Result<arrow::ArrayVector> ReadBatchPayload(const std::shared_ptr<arrow::Buffer>& payload,
                                                   const std::shared_ptr<arrow::Schema>& schema, int64_t rows,
                                                   int64_t bytes_max, arrow::MemoryPool* pool);

// False where a map has an entry or a key that is null: Arrow ends the process over it. Only the array
// itself is looked at.
bool KeysAreThere(const arrow::ArrayData& data);

// In front of a message's metadata: 0xFFFFFFFF and their length.
inline constexpr int64_t kMessagePrefixBytes = 8;

// Where the body of the Arrow message at the start of a payload begins; 0 where that cannot be told.
int64_t BodyOffset(const uint8_t* payload, int64_t bytes);

}  // namespace arrowcdc
