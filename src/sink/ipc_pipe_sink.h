// Sink "ipc:-": Arrow IPC streams on standard output. Keeps nothing: a row is done with when the system has
// it.
#pragma once

#include <memory>
#include <optional>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/ipc_streams.h"

namespace arrowcdc {

class IpcPipeSink : public Sink {
 public:
  explicit IpcPipeSink(std::unique_ptr<WritableFile> out) : out_(std::move(out)), streams_(out_.get()) {}
  ~IpcPipeSink() override;

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
  arrow::Status Remember(arrow::Status status);

  const std::unique_ptr<WritableFile> out_;
  IpcStreams streams_;
  std::optional<Position> handed_on_;
  arrow::Status failure_;
  bool pending_ = false;
  bool closed_ = false;
};

}  // namespace arrowcdc
