// Values that have no Arrow form: how many there were, and in which columns, each of which is told once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/pipeline.h"
#include "arrowcdc/sink.h"

namespace arrowcdc {

// Threads: Count from any, Tell from the observer's.
class UnrepresentableValues {
 public:
  arrow::Status Count(const ChangeBatch& batch);
  // Returns how many were counted since it was called last.
  uint64_t Tell(PipelineObserver& observer);

 private:
  using Column = std::pair<TableName, std::string>;

  std::mutex mutex_;
  // Under the mutex:
  uint64_t count_ = 0;           // not told yet
  std::vector<Column> columns_;  // the same
  std::set<Column> known_;
};

// A sink as a copy writes into it from its threads, with what it gets counted.
class CountingTarget : public SnapshotTarget {
 public:
  // Both outlive it.
  CountingTarget(Sink* sink, UnrepresentableValues* values) : sink_(*sink), values_(*values) {}

  int snapshot_writers_max() const override { return sink_.snapshot_writers_max(); }
  bool keeps_parts() const override { return sink_.keeps_parts(); }
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotPart& part) override;
  arrow::Status CompleteTable(const CopiedTable& table) override { return sink_.CompleteTable(table); }

 private:
  Sink& sink_;
  UnrepresentableValues& values_;
};

}  // namespace arrowcdc
