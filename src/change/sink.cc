// What most sinks do with rows that were there before the stream: they take them as they take the others.
#include "arrowcdc/sink.h"

namespace arrowcdc {
namespace {

class WriteThrough : public SnapshotPartWriter {
 public:
  explicit WriteThrough(Sink* sink) : sink_(sink) {}
  arrow::Status Write(const ChangeBatch& batch) override { return sink_->Write(batch); }
  arrow::Status Finish() override { return arrow::Status::OK(); }

 private:
  Sink* const sink_;
};

}  // namespace

arrow::Result<std::unique_ptr<SnapshotPartWriter>> Sink::BeginPart(const SnapshotPart&) {
  return std::make_unique<WriteThrough>(this);
}

}  // namespace arrowcdc
