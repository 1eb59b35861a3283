// Tables are found by the id that their map has given them; the maps of a table are told apart by their
// bytes.
#include "src/mysql/decode/row_decoder.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/check_representable.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/rows_event.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/table_rows.h"

namespace arrowcdc::mysql {
namespace {

constexpr size_t kTableIdBytes = 6;
// Of tables without rows that are held, no more than these are remembered: some are made, filled and dropped
// all day.
constexpr size_t kTablesMax = 10'000;

struct Table {
  TableName name;
  bool wanted = false;
  std::vector<uint8_t> map = {};  // what the last one said, behind the table's id
  std::unique_ptr<TableRows> rows = nullptr;
  std::vector<ChangeBatch> earlier = {};  // of former versions
  bool open = false;                      // has rows, and is in the list of those

  bool Says(std::span<const uint8_t> body) const {
    const auto said = body.subspan(kTableIdBytes);
    return std::equal(said.begin(), said.end(), map.begin(), map.end());
  }
};

}  // namespace

class RowDecoder::Impl {
 public:
  explicit Impl(RowDecoderOptions options) : options_(std::move(options)) {}

  arrow::Status AddTableMap(std::span<const uint8_t> body) {
    if (body.size() >= kTableIdBytes) {
      const auto known = by_id_.find(TableIdOf(body));
      if (known != by_id_.end() && known->second->Says(body)) return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const TableMapHead head, ReadTableMapHead(body));
    Table* const table = Find(head.name);
    if (!table->Says(body)) ARROW_RETURN_NOT_OK(Change(table, body));
    by_id_[head.table_id] = table;
    return arrow::Status::OK();
  }

  arrow::Result<RowsTable> TableOf(RowsEventKind kind, std::span<const uint8_t> body) const {
    ARROW_ASSIGN_OR_RAISE(const RowsEvent event, ReadRowsEventHead(kind, body));
    RowsTable found;
    found.statement_end = event.statement_end;
    if (IsDummyTable(event.table_id)) return found;
    ARROW_ASSIGN_OR_RAISE(const Table* const table, FindMapped(event.table_id));
    found.name = table->name;
    found.wanted = table->wanted;
    return found;
  }

  arrow::Status AddRows(RowsEventKind kind, std::span<const uint8_t> body, const RowContext& context) {
    ARROW_ASSIGN_OR_RAISE(RowsEvent event, ReadRowsEventHead(kind, body));
    if (IsDummyTable(event.table_id)) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(Table* const table, FindMapped(event.table_id));
    if (!table->wanted) return arrow::Status::OK();
    arrow::Status status = AddTo(table, kind, body, context);
    if (!table->open && table->rows->rows() > 0) {
      table->open = true;
      open_.push_back(table);
    }
    return status;
  }

  void ForgetTableMaps() {
    by_id_.clear();
    if (tables_.size() > kTablesMax)
      std::erase_if(tables_, [](const auto& one) { return !one.second->open; });
  }

  int64_t open_rows() const {
    int64_t rows = 0;
    for (const Table* const table : open_) {
      rows += table->rows->rows();
      for (const ChangeBatch& batch : table->earlier) rows += batch.rows->num_rows();
    }
    return rows;
  }

  int64_t open_bytes() const {
    int64_t bytes = earlier_bytes_;
    for (const Table* const table : open_) bytes += table->rows->bytes();
    return bytes;
  }

  arrow::Result<std::vector<ChangeBatch>> Flush() {
    std::vector<ChangeBatch> batches;
    for (Table* const table : std::exchange(open_, {})) {
      table->open = false;
      for (ChangeBatch& batch : table->earlier) batches.push_back(std::move(batch));
      table->earlier.clear();
      ARROW_RETURN_NOT_OK(table->rows->Finish(&batches));
    }
    earlier_bytes_ = 0;
    if (options_.unrepresentable == Unrepresentable::kError) {
      for (const ChangeBatch& batch : batches) ARROW_RETURN_NOT_OK(CheckRepresentable(batch));
    }
    return batches;
  }

 private:
  static uint64_t TableIdOf(std::span<const uint8_t> body) {
    uint64_t id = 0;
    for (size_t i = kTableIdBytes; i > 0; --i) id = id << 8 | body[i - 1];
    return id;
  }

  Table* Find(const TableName& name) {
    std::unique_ptr<Table>& table = tables_[name.schema + '\0' + name.table];
    if (table == nullptr) {
      table = std::make_unique<Table>();
      table->name = name;
      table->wanted = !options_.wanted || options_.wanted(name);
    }
    return table.get();
  }

  arrow::Result<Table*> FindMapped(uint64_t table_id) const {
    const auto found = by_id_.find(table_id);
    if (found != by_id_.end()) return found->second;
    return MakeError(ErrorKind::kProtocol, "a rows event is of a table whose map did not come in front of it",
                     "table number " + std::to_string(table_id), "");
  }

  // The map says something new of the table.
  arrow::Status Change(Table* table, std::span<const uint8_t> body) {
    if (table->wanted) {
      ARROW_ASSIGN_OR_RAISE(const TableMap map, ReadTableMap(body, options_.flavor));
      if (options_.check) ARROW_RETURN_NOT_OK(options_.check(map));
      const TypeChoices choices{options_.flavor, options_.unrepresentable == Unrepresentable::kText};
      ARROW_ASSIGN_OR_RAISE(auto rows,
                            TableRows::Make(map, choices, options_.memory_pool, options_.generated));
      if (table->rows != nullptr) {
        earlier_bytes_ += table->rows->bytes();
        ARROW_RETURN_NOT_OK(table->rows->Finish(&table->earlier));
      }
      table->rows = std::move(rows);
    }
    const auto said = body.subspan(kTableIdBytes);
    table->map.assign(said.begin(), said.end());
    return arrow::Status::OK();
  }

  static arrow::Status AddTo(Table* table, RowsEventKind kind, std::span<const uint8_t> body,
                             const RowContext& context) {
    auto event = ReadRowsEvent(kind, body);
    if (!event.ok()) return OfTable(event.status(), *table);
    std::vector<uint8_t> inflated;
    if (kind.is_compressed) {
      auto rows = Inflate(event->rows);
      if (!rows.ok()) return OfTable(rows.status(), *table);
      inflated = std::move(*rows);
      event->rows = inflated;
    }
    return table->rows->Add(*event, context);
  }

  // What a reader of bytes says, which knows no table.
  static arrow::Status OfTable(const arrow::Status& status, const Table& table) {
    const ErrorDetail* const detail = GetErrorDetail(status);
    if (detail == nullptr) return status;
    return MakeError(detail->kind(), status.message(), "table " + ToString(table.name), detail->remedy());
  }

  const RowDecoderOptions options_;
  std::unordered_map<std::string, std::unique_ptr<Table>> tables_;  // by schema, NUL, table
  std::unordered_map<uint64_t, Table*> by_id_;
  std::vector<Table*> open_;  // in the order of their first rows
  int64_t earlier_bytes_ = 0;
};

RowDecoder::RowDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowDecoder::~RowDecoder() = default;

arrow::Result<std::unique_ptr<RowDecoder>> RowDecoder::Make(RowDecoderOptions options) {
  return std::unique_ptr<RowDecoder>(new RowDecoder(std::make_unique<Impl>(std::move(options))));
}

bool RowDecoder::IsRowsEvent(uint8_t event_type) { return RowsEventKindOf(event_type).has_value(); }

arrow::Status RowDecoder::AddTableMap(std::span<const uint8_t> body) { return impl_->AddTableMap(body); }

namespace {

arrow::Status NoRowsEvent(uint8_t event_type) {
  return MakeError(ErrorKind::kUnsupported, "an event of this type is not read as rows",
                   "event type " + std::to_string(event_type), "");
}

}  // namespace

arrow::Result<RowsTable> RowDecoder::TableOf(uint8_t event_type, std::span<const uint8_t> body) const {
  const auto kind = RowsEventKindOf(event_type);
  return kind.has_value() ? impl_->TableOf(*kind, body) : NoRowsEvent(event_type);
}

arrow::Status RowDecoder::AddRows(uint8_t event_type, std::span<const uint8_t> body,
                                  const RowContext& context) {
  const auto kind = RowsEventKindOf(event_type);
  return kind.has_value() ? impl_->AddRows(*kind, body, context) : NoRowsEvent(event_type);
}

void RowDecoder::ForgetTableMaps() { impl_->ForgetTableMaps(); }
int64_t RowDecoder::open_rows() const { return impl_->open_rows(); }
int64_t RowDecoder::open_bytes() const { return impl_->open_bytes(); }
arrow::Result<std::vector<ChangeBatch>> RowDecoder::Flush() { return impl_->Flush(); }

}  // namespace arrowcdc::mysql
