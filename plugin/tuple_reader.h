// Goes through the attributes of a heap tuple: alignment and headers as the server's own heap_deform_tuple
// reads them. Lengths are taken from the tuple without a check, since the server wrote them.
#pragma once

#include "plugin/appenders.h"
#include "plugin/attribute_step.h"

namespace arrowcdc::plugin {

class TupleReader {
 public:
  explicit TupleReader(const HeapTupleHeaderData* tuple)
      : data_(reinterpret_cast<const uint8_t*>(tuple) + tuple->t_hoff), offset_(0) {}

  const uint8_t* Take(const AttributeStep& step, size_t bytes) {
    const uint8_t* const at = data_ + Align(step);
    offset_ = static_cast<size_t>(at - data_) + bytes;
    return at;
  }

  // A byte of padding is 0, the first byte of a value with a header of one byte is not.
  const uint8_t* TakeVarlena(const AttributeStep& step) {
    if (data_[offset_] == 0) offset_ = Align(step);
    const uint8_t* const at = data_ + offset_;
    offset_ += VARSIZE_ANY(at);
    return at;
  }

  // The content of a value of at most 126 bytes: nearly all are. False: something else comes next, nothing
  // was taken.
  bool TakeShort(Slice* out) {
    const uint8_t* const at = data_ + offset_;
    const size_t head = *at;  // the size, itself included, and a 1; nothing but the 1: a pointer
    if ((head & 1) == 0 || head == 1) return false;
    *out = Slice{at + VARHDRSZ_SHORT, (head >> 1) - VARHDRSZ_SHORT};
    offset_ += head >> 1;
    return true;
  }

  // The content of a longer value, in line and not compressed. False: as above.
  bool TakePlain(const AttributeStep& step, Slice* out) {
    TupleReader ahead = *this;
    const uint8_t* const varlena = ahead.TakeVarlena(step);
    if (!VARATT_IS_4B_U(varlena)) return false;
    *out = Slice{varlena + VARHDRSZ, VARSIZE_4B(varlena) - VARHDRSZ};
    *this = ahead;
    return true;
  }

  const uint8_t* TakeCString(const AttributeStep& step) {
    offset_ = Align(step);
    const uint8_t* const at = data_ + offset_;
    offset_ += strlen(reinterpret_cast<const char*>(at)) + 1;
    return at;
  }

 private:
  size_t Align(const AttributeStep& step) const {
    return (offset_ + step.align_mask) & ~size_t{step.align_mask};
  }

  const uint8_t* data_;  // behind the tuple's header
  size_t offset_;
};

}  // namespace arrowcdc::plugin
