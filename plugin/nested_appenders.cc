// Values with parts into columns with children. The layouts are those of array.h, rangetypes.h,
// multirangetypes.c, htup_details.h, and of the extensions hstore (hstore.h) and pgvector (vector.h,
// halfvec.h).
#include "plugin/nested_appenders.h"

#include "plugin/appenders.h"

extern "C" {
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
}

namespace arrowcdc::plugin {

namespace {

constexpr int kElementsBetweenChecks = 4096;

void CheckInterrupts(uint32_t element) {
  if (element % kElementsBetweenChecks == kElementsBetweenChecks - 1) CHECK_FOR_INTERRUPTS();
}

// Appends one part. What only points to the TOAST table is never read; there is none inside of a value.
bool AppendPart(AppendContext* append, Column* part, Datum value) {
  if (part->varlena && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value))) return false;
  return part->append(append, part, value);
}

// Appends the parts by `append_parts`, and takes back those of a value that has no Arrow form.
template <typename AppendParts>
bool AppendWhole(AppendContext* append, Column* column, AppendParts&& append_parts) {
  const uint64_t bytes_before = append->row_bytes;
  if (append_parts()) return true;
  TruncateColumn(column, column->length);
  append->row_bytes = bytes_before;
  return false;
}

bool AppendElements(AppendContext* append, Column* column, ArrayType* array, int count) {
  Column* const elements = &column->children[0];
  const bits8* const nulls = ARR_NULLBITMAP(array);
  char* p = ARR_DATA_PTR(array);
  for (int i = 0; i < count; ++i) {
    CheckInterrupts(static_cast<uint32_t>(i));
    if (nulls != nullptr && (nulls[i >> 3] & (1 << (i & 7))) == 0) {
      AppendNull(elements);
      continue;
    }
    if (!AppendPart(append, elements, fetch_att(p, elements->typbyval, elements->typlen))) return false;
    p = att_addlength_pointer(p, elements->typlen, p);
    p = reinterpret_cast<char*>(att_align_nominal(p, elements->typalign));
  }
  append->row_bytes += static_cast<uint64_t>(count) * CountFixedBytes(elements);
  EndValue(column, elements->length);
  return true;
}

// The bounds of one range at *at, which moves behind them, as range_serialize wrote them: the first is
// aligned.
bool AppendBounds(AppendContext* append, Column* range, uint8_t flags, char** at) {
  const bool has[] = {RANGE_HAS_LBOUND(flags), RANGE_HAS_UBOUND(flags)};
  constexpr uint8_t kInclusive[] = {RANGE_LB_INC, RANGE_UB_INC};
  char* p = *at;
  for (int i = 0; i < 2; ++i) {
    Column* const bound = &range->children[i];
    if (!has[i]) {
      AppendNull(bound);
      continue;
    }
    if (i == 1) p = reinterpret_cast<char*>(att_align_pointer(p, bound->typalign, bound->typlen, p));
    if (!AppendPart(append, bound, fetch_att(p, bound->typbyval, bound->typlen))) return false;
    p = att_addlength_pointer(p, bound->typlen, p);
  }
  for (int i = 0; i < 2; ++i) AppendBit(&range->children[2 + i], has[i] && (flags & kInclusive[i]) != 0);
  AppendBit(&range->children[4], (flags & RANGE_EMPTY) != 0);
  ReserveValue(range);
  ++range->length;
  *at = p;
  return true;
}

// The ranges lie one behind the other, each aligned as the bounds' type is; in front of them one item less
// than ranges, and the flags of all.
bool AppendRanges(AppendContext* append, Column* column, MultirangeType* multirange) {
  Column* const ranges = &column->children[0];
  const uint32_t count = multirange->rangeCount;
  const char align = ranges->children[0].typalign;
  char* const start = reinterpret_cast<char*>(multirange);
  const size_t items = count == 0 ? 0 : (count - 1) * sizeof(uint32);
  const auto* const flags = reinterpret_cast<const uint8_t*>(start + sizeof(MultirangeType) + items);
  char* p = start + att_align_nominal(sizeof(MultirangeType) + items + count, align);
  for (uint32_t i = 0; i < count; ++i) {
    CheckInterrupts(i);
    char* const begin = p;
    if (!AppendBounds(append, ranges, flags[i], &p)) return false;
    p = begin + att_align_nominal(p - begin, align);
  }
  append->row_bytes += count * CountFixedBytes(ranges);
  EndValue(column, ranges->length);
  return true;
}

bool AppendAttributes(AppendContext* append, Column* column, HeapTupleHeader header) {
  const RowType* const row_type = column->row_type;
  HeapTupleData tuple{};
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  tuple.t_data = header;
  heap_deform_tuple(&tuple, row_type->tupdesc, row_type->values, row_type->nulls);
  for (int32_t i = 0; i < column->children_count; ++i) {
    Column* const attribute = &column->children[i];
    const int place = row_type->attnums[i] - 1;
    if (row_type->nulls[place]) {
      AppendNull(attribute);
    } else if (!AppendPart(append, attribute, row_type->values[place])) {
      return false;
    }
  }
  ReserveValue(column);
  ++column->length;
  return true;
}

// Content of a value of an extension; its memory is aligned.
struct Content {
  const uint8_t* data;
  size_t size;
};

template <typename T>
T Load(const uint8_t* from) {
  T value;
  memcpy(&value, from, sizeof(value));
  return value;
}

Content OpenContent(AppendContext* append, Column* column, Datum value) {
  struct varlena* const plain = AlignVarlena(append, column, value);
  return {reinterpret_cast<const uint8_t*>(VARDATA(plain)), VARSIZE(plain) - VARHDRSZ};
}

// How many pairs, with a flag of the format; where each key and each value ends; the text of all.
bool AppendPairs(AppendContext* append, Column* column, const Content& hstore) {
  constexpr uint32_t kNewVersion = 0x80000000;  // values of before 9.0 have not been seen for long
  constexpr uint32_t kCountMask = 0x0fffffff;
  constexpr uint32_t kIsNull = 0x40000000;
  constexpr uint32_t kEndMask = 0x3fffffff;
  if (hstore.size < sizeof(uint32_t)) return false;
  const auto head = Load<uint32_t>(hstore.data);
  const uint32_t count = head & kCountMask;
  const size_t ends_size = size_t{count} * 2 * sizeof(uint32_t);
  if ((head & kNewVersion) == 0 || hstore.size - sizeof(head) < ends_size) return false;
  const uint8_t* const ends = hstore.data + sizeof(head);
  const char* const text = reinterpret_cast<const char*>(ends + ends_size);
  const size_t text_size = hstore.size - sizeof(head) - ends_size;

  Column* const entries = &column->children[0];
  size_t begin = 0;
  for (uint32_t i = 0; i < 2 * count; ++i) {
    CheckInterrupts(i);
    const auto entry = Load<uint32_t>(ends + i * sizeof(uint32_t));
    const size_t end = entry & kEndMask;
    Column* const part = &entries->children[i % 2];
    if (end < begin || end > text_size) return false;
    if ((entry & kIsNull) != 0) {
      if (part->required) return false;
      AppendNull(part);
    } else if (!AppendText(append, part, text + begin, end - begin)) {
      return false;
    }
    begin = end;
    if (i % 2 == 0) continue;
    ReserveValue(entries);
    ++entries->length;
  }
  append->row_bytes += count * CountFixedBytes(entries);
  EndValue(column, entries->length);
  return true;
}

// IEEE 754 binary16 to binary32, which holds all of its values.
float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f;
  const uint32_t fraction = half & 0x3ff;
  if (exponent == 0) {
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -small : small;
  }
  const uint32_t bits =
      exponent == 0x1f ? sign | 0x7f800000 | fraction << 13 : sign | (exponent + 112) << 23 | fraction << 13;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

float ToFloat(float value) { return value; }
float ToFloat(uint16_t half) { return HalfToFloat(half); }

// The dimension, a number that is 0, and the elements. A vector of another dimension than the column's has no
// form in it.
template <typename Element>
bool AppendVector(AppendContext* append, Column* column, const Content& vector) {
  constexpr size_t kHeadBytes = 2 * sizeof(int16_t);
  if (vector.size < kHeadBytes) return false;
  const auto dimension = Load<int16_t>(vector.data);
  if (dimension < 0 || vector.size - kHeadBytes != static_cast<size_t>(dimension) * sizeof(Element))
    return false;
  const bool fixed = column->layout == Layout::kFixedSizeList;
  if (fixed && dimension != column->list_size) return false;
  Column* const elements = &column->children[0];
  const uint8_t* from = vector.data + kHeadBytes;
  for (int i = 0; i < dimension; ++i, from += sizeof(Element)) {
    AppendScalar(elements, ToFloat(Load<Element>(from)));
  }
  if (fixed) {
    ReserveValue(column);
    ++column->length;
    return true;
  }
  append->row_bytes += static_cast<uint64_t>(dimension) * sizeof(float);
  EndValue(column, elements->length);
  return true;
}

}  // namespace

bool AppendHstoreValue(AppendContext* append, Column* column, Datum value) {
  const Content content = OpenContent(append, column, value);
  return AppendWhole(append, column, [=] { return AppendPairs(append, column, content); });
}

bool AppendVectorValue(AppendContext* append, Column* column, Datum value) {
  return AppendVector<float>(append, column, OpenContent(append, column, value));
}

bool AppendHalfvecValue(AppendContext* append, Column* column, Datum value) {
  return AppendVector<uint16_t>(append, column, OpenContent(append, column, value));
}

bool AppendArrayValue(AppendContext* append, Column* column, Datum value) {
  auto* const array = reinterpret_cast<ArrayType*>(AlignVarlena(append, column, value));
  int count = 0;
  if (ARR_NDIM(array) == 1 && ARR_LBOUND(array)[0] == 1) {
    count = ARR_DIMS(array)[0];
  } else if (ARR_NDIM(array) != 0) {
    return false;
  }
  return AppendWhole(append, column, [=] { return AppendElements(append, column, array, count); });
}

bool AppendRangeValue(AppendContext* append, Column* column, Datum value) {
  auto* const range = reinterpret_cast<RangeType*>(AlignVarlena(append, column, value));
  const uint8_t flags = *(reinterpret_cast<const uint8_t*>(range) + VARSIZE(range) - 1);
  return AppendWhole(append, column, [=] {
    char* bounds = reinterpret_cast<char*>(range + 1);
    return AppendBounds(append, column, flags, &bounds);
  });
}

bool AppendMultirangeValue(AppendContext* append, Column* column, Datum value) {
  auto* const multirange = reinterpret_cast<MultirangeType*>(AlignVarlena(append, column, value));
  return AppendWhole(append, column, [=] { return AppendRanges(append, column, multirange); });
}

// Attributes that were added since the value was written are null, dropped ones are passed over. A value of
// another type than the column's cannot be read by its description.
bool AppendCompositeValue(AppendContext* append, Column* column, Datum value) {
  auto* const header = reinterpret_cast<HeapTupleHeader>(AlignVarlena(append, column, value));
  if (HeapTupleHeaderGetTypeId(header) != column->row_type->type) return false;
  return AppendWhole(append, column, [=] { return AppendAttributes(append, column, header); });
}

}  // namespace arrowcdc::plugin
