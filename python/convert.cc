#include "python/convert.h"

#include <arrow/c/bridge.h>

#include "arrowcdc/error.h"

namespace nb = nanobind;

namespace arrowcdc::python {
namespace {

void ReleaseSchema(void* pointer) noexcept {
  auto* schema = static_cast<ArrowSchema*>(pointer);
  if (schema->release != nullptr) schema->release(schema);
  delete schema;
}

void ReleaseArray(void* pointer) noexcept {
  auto* array = static_cast<ArrowArray*>(pointer);
  if (array->release != nullptr) array->release(array);
  delete array;
}

// nanobind's own capsule passes the pointer to its destructor, whoever has emptied the structure meanwhile.
nb::object MakeCapsule(std::unique_ptr<ArrowSchema> schema) {
  return nb::capsule(schema.release(), "arrow_schema", ReleaseSchema);
}
nb::object MakeCapsule(std::unique_ptr<ArrowArray> array) {
  return nb::capsule(array.release(), "arrow_array", ReleaseArray);
}

}  // namespace

void Raise(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  const nb::object make = nb::module_::import_("arrowcdc._errors").attr("make");
  const nb::object error = detail == nullptr ? make("internal", status.message().c_str(), "", "", "", false)
                                             : make(ErrorKindName(detail->kind()), status.message().c_str(),
                                                    detail->object().c_str(), detail->remedy().c_str(),
                                                    detail->sqlstate().c_str(), detail->retryable());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw nb::python_error();
}

nb::typed<nb::tuple, nb::object, nb::object> ToCapsules(const arrow::RecordBatch& rows) {
  auto schema = std::make_unique<ArrowSchema>();
  auto array = std::make_unique<ArrowArray>();
  Check(arrow::ExportRecordBatch(rows, array.get(), schema.get()));
  nb::object schema_capsule = MakeCapsule(std::move(schema));
  return nb::make_tuple(std::move(schema_capsule), MakeCapsule(std::move(array)));
}

}  // namespace arrowcdc::python
