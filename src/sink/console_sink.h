// Sinks "console:ndjson" and "console:table": rows as text on standard output, handed on at the end of each
// group.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"

namespace arrowcdc {

// Appends a batch as text: AppendNdjson, AppendTable or a LiveTable.
using BatchFormat = std::function<arrow::Status(const ChangeBatch& batch, std::string* out)>;

class ConsoleSink : public Sink {
 public:
  ConsoleSink(BatchFormat format, std::unique_ptr<WritableFile> out)
      : format_(std::move(format)), out_(std::move(out)) {}
  ~ConsoleSink() override;

  bool keeps_data() const override { return false; }
  arrow::Result<SinkState> Open(const StreamIdentity& stream) override;
  arrow::Status Write(const ChangeBatch& batch) override;
  arrow::Status Advance(const Position& position) override;
  arrow::Status Flush() override;
  arrow::Status Tick() override { return failure_; }
  std::optional<Position> durable() const override { return handed_on_; }
  bool has_pending_rows() const override { return pending_; }
  arrow::Status Close() override;

 private:
  arrow::Status WriteText();
  arrow::Status Remember(arrow::Status status);

  const BatchFormat format_;
  const std::unique_ptr<WritableFile> out_;
  std::string text_;
  std::optional<Position> handed_on_;
  arrow::Status failure_;
  bool pending_ = false;
};

}  // namespace arrowcdc
