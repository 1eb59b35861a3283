#include "src/delivery/unrepresentable_values.h"

#include "arrowcdc/change_rows.h"

namespace arrowcdc {
namespace {

class CountingWriter : public SnapshotPartWriter {
 public:
  CountingWriter(UnrepresentableValues* values, std::unique_ptr<SnapshotPartWriter> writer)
      : values_(*values), writer_(std::move(writer)) {}

  arrow::Status Write(const ChangeBatch& batch) override {
    ARROW_RETURN_NOT_OK(values_.Count(batch));
    return writer_->Write(batch);
  }
  arrow::Status Finish() override { return writer_->Finish(); }

 private:
  UnrepresentableValues& values_;
  const std::unique_ptr<SnapshotPartWriter> writer_;
};

}  // namespace

arrow::Status UnrepresentableValues::Count(const ChangeBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  const NameLists& lists = changes.unrepresentable();
  if (!lists.any()) return arrow::Status::OK();
  const std::lock_guard lock(mutex_);
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    const int32_t count = lists.count(row);
    count_ += static_cast<uint64_t>(count);
    for (int32_t i = 0; i < count; ++i) {
      Column column(batch.table->name, std::string(lists.name(row, i)));
      if (known_.insert(column).second) columns_.push_back(std::move(column));
    }
  }
  return arrow::Status::OK();
}

uint64_t UnrepresentableValues::Tell(PipelineObserver& observer) {
  uint64_t count;
  std::vector<Column> columns;
  {
    const std::lock_guard lock(mutex_);
    count = std::exchange(count_, 0);
    columns = std::exchange(columns_, {});
  }
  for (const auto& [table, column] : columns) observer.OnUnrepresentable(table, column);
  return count;
}

arrow::Result<std::unique_ptr<SnapshotPartWriter>> CountingTarget::BeginPart(const SnapshotPart& part) {
  ARROW_ASSIGN_OR_RAISE(auto writer, sink_.BeginPart(part));
  return std::make_unique<CountingWriter>(&values_, std::move(writer));
}

}  // namespace arrowcdc
