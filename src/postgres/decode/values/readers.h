// The readers by what they read; which type has which is the type table's (type_table.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/postgres/decode/values/value_reader.h"

namespace arrowcdc {

using ReaderPointer = std::unique_ptr<const ValueReader>;

// scalar_readers.cc
ReaderPointer MakeBoolReader();
ReaderPointer MakeCharReader();  // "char"
ReaderPointer MakeInt16Reader();
ReaderPointer MakeInt32Reader();
ReaderPointer MakeInt64Reader();
ReaderPointer MakeUint32Reader();
ReaderPointer MakeUint64Reader();
// A number in the binary form, a name in text: only what is written as a number there is read, and "-" (0).
ReaderPointer MakeRegReader();
ReaderPointer MakeLsnReader();
ReaderPointer MakeFloat32Reader();
ReaderPointer MakeFloat64Reader();
ReaderPointer MakeUuidReader();
ReaderPointer MakeByteaReader();

// numeric_readers.cc
ReaderPointer MakeDecimalReader(int32_t precision, int32_t scale);  // decimal128 up to 38 digits, decimal256
ReaderPointer MakeNumericTextReader();
ReaderPointer MakeNumericDoubleReader();
ReaderPointer MakeMoneyReader();

// datetime_readers.cc
ReaderPointer MakeDateReader();
ReaderPointer MakeTimeReader();
ReaderPointer MakeTimeTzReader();
ReaderPointer MakeTimestampReader();  // timestamptz as well
ReaderPointer MakeIntervalReader();

// text_readers.cc: utf8 columns
ReaderPointer MakeTextReader();           // the same bytes in both forms
ReaderPointer MakeVersionedTextReader();  // the binary form has a version in front, which is 1
ReaderPointer MakeInetReader();
ReaderPointer MakeMacaddrReader(size_t bytes);  // 6; 8: macaddr8
ReaderPointer MakeBitReader();
ReaderPointer MakeTidReader();
ReaderPointer MakeTsvectorReader();
ReaderPointer MakeInt2VectorReader();
ReaderPointer MakeOidVectorReader();

// nested_readers.cc
struct ElementReader {
  uint32_t type;  // its OID in the binary form
  ReaderPointer reader;
};
ReaderPointer MakeListReader(ElementReader element, char delimiter);
ReaderPointer MakeCompositeReader(std::vector<ElementReader> attributes);
ReaderPointer MakeRangeReader(ReaderPointer bound);
ReaderPointer MakeMultirangeReader(ReaderPointer bound);
ReaderPointer MakeHstoreReader();

// extension_readers.cc
ReaderPointer MakeVectorReader();  // list, or fixed size list, of float32
ReaderPointer MakeHalfvecReader();
ReaderPointer MakeGeometryReader(int32_t srid);  // what the column's metadata says; 0: nothing

}  // namespace arrowcdc
