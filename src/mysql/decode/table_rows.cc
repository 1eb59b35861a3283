// A row image is a bit a column that it carries (is it null), then the values that are not. Most events carry
// all columns, and most rows no null: that is the short way.
#include "src/mysql/decode/table_rows.h"

#include <algorithm>
#include <set>
#include <utility>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/change/utf8_text.h"
#include "src/mysql/decode/json_diff.h"
#include "src/mysql/decode/table_id.h"

namespace arrowcdc::mysql {
namespace {

using Change = RowsEventKind::Change;

constexpr uint64_t kEventMax = uint64_t{1} << 48;
constexpr uint64_t kRowsMax = uint64_t{1} << 32;

bool IsBlob(FieldType type) {
  return type == FieldType::kBlob || type == FieldType::kBlobCompressed ||
         type == FieldType::kVarcharCompressed || type == FieldType::kGeometry || type == FieldType::kVector;
}

arrow::Result<std::shared_ptr<const TableSchema>> MakeSchema(const TableMap& map,
                                                             const arrow::FieldVector& fields) {
  std::set<std::string> names;
  bool has_key = false;
  for (const MapColumn& column : map.columns) {
    names.insert(column.name);
    has_key |= column.key_place > 0;
  }
  if (names.size() != map.columns.size()) {
    return MakeError(ErrorKind::kProtocol, "the table map has two columns of one name",
                     "table " + ToString(map.name), "");
  }
  const auto identity = has_key ? ReplicaIdentity::kDefault : ReplicaIdentity::kFull;
  const auto metadata =
      arrow::key_value_metadata({"arrowcdc:schema", "arrowcdc:table", "arrowcdc:replica_identity"},
                                {map.name.schema, map.name.table, {ReplicaIdentityLetter(identity)}});
  return MakeTableSchema(map.name, TableIdOf(map.name), SchemaFingerprint(fields, *metadata), identity,
                         fields, metadata);
}

}  // namespace

arrow::Result<std::shared_ptr<const TableSchema>> SchemaOf(const TableMap& map, TypeChoices choices) {
  arrow::FieldVector fields;
  for (const MapColumn& column : map.columns) {
    ARROW_ASSIGN_OR_RAISE(MappedColumn mapped, MapToArrow(column, map.name, choices));
    fields.push_back(std::move(mapped.field));
  }
  return MakeSchema(map, fields);
}

arrow::Result<std::unique_ptr<TableRows>> TableRows::Make(const TableMap& map, TypeChoices choices,
                                                          arrow::MemoryPool* pool, Generated generated,
                                                          int64_t batch_bytes_max) {
  arrow::FieldVector fields;
  std::vector<ColumnStep> steps;
  std::vector<bool> is_json;
  for (const MapColumn& column : map.columns) {
    ARROW_ASSIGN_OR_RAISE(MappedColumn mapped, MapToArrow(column, map.name, choices));
    fields.push_back(std::move(mapped.field));
    steps.push_back(std::move(mapped.step));
    is_json.push_back(mapped.is_json);
  }
  ARROW_ASSIGN_OR_RAISE(auto schema, MakeSchema(map, fields));
  ARROW_ASSIGN_OR_RAISE(auto builder, BatchBuilder::Make(std::move(schema), pool));
  std::unique_ptr<TableRows> rows(new TableRows(std::move(builder), std::move(generated), batch_bytes_max));
  rows->json_columns_ = static_cast<size_t>(std::count(is_json.begin(), is_json.end(), true));
  for (int i = 0; i < static_cast<int>(steps.size()); ++i)
    rows->columns_.push_back(rows->builder_->column(i));
  rows->steps_ = std::move(steps);
  rows->is_json_ = std::move(is_json);
  rows->leaves_generated_out_ = choices.flavor == Flavor::kMariadb;
  for (const MapColumn& column : map.columns)
    rows->kinds_.push_back({column.key_place > 0, IsBlob(column.type)});
  return rows;
}

arrow::Status TableRows::SetImage(std::span<const uint8_t> bits, Image* image) const {
  image->has.assign(steps_.size(), false);
  image->columns.clear();
  for (size_t i = 0; i < steps_.size(); ++i) {
    if ((bits[i / 8] >> i % 8 & 1) == 0) continue;
    image->has[i] = true;
    image->columns.push_back(static_cast<int>(i));
  }
  image->null_bytes = (image->columns.size() + 7) / 8;
  image->last_bits = static_cast<uint8_t>(0xff >> (8 * image->null_bytes - image->columns.size()));
  if (!image->columns.empty()) return arrow::Status::OK();
  return MakeError(ErrorKind::kUnsupported, "a rows event has rows without a single column", object(),
                   "SET PERSIST binlog_row_image=FULL (MariaDB: SET GLOBAL, and in its configuration)");
}

arrow::Status TableRows::SetImages(const RowsEvent& event) {
  if (event.column_count != steps_.size()) {
    return MakeError(ErrorKind::kProtocol,
                     "a rows event has " + std::to_string(event.column_count) + " columns, its table map " +
                         std::to_string(steps_.size()),
                     object(), "");
  }
  if (event.kind.change != Change::kWrite) ARROW_RETURN_NOT_OK(SetImage(event.before, &before_));
  if (event.kind.change != Change::kDelete) ARROW_RETURN_NOT_OK(SetImage(event.after, &after_));
  return event.kind.change == Change::kUpdate && !after_.is_full() ? FindLost() : arrow::Status::OK();
}

// A generated column may have changed with the others and not be in the new image (MariaDB). Where the old
// one has more than the key nothing else can be lacking in both but a BLOB; else the catalog tells.
arrow::Status TableRows::FindLost() {
  std::set<std::string> generated;
  if (generated_) {
    ARROW_ASSIGN_OR_RAISE(generated, generated_(builder_->table().name));
  }
  bool more_than_key = false;
  for (const int i : before_.columns) more_than_key |= !kinds_[static_cast<size_t>(i)].is_key;
  is_lost_.assign(steps_.size(), false);
  for (size_t i = 0; leaves_generated_out_ && i < steps_.size(); ++i) {
    if (after_.has[i]) continue;
    const std::string& name = builder_->table().schema->field(static_cast<int>(i))->name();
    is_lost_[i] = generated.contains(name) || (more_than_key && !before_.has[i] && !kinds_[i].is_blob);
  }
  return arrow::Status::OK();
}

arrow::Status TableRows::Add(const RowsEvent& event, const RowContext& context) {
  if (context.event >= kEventMax) {
    return MakeError(ErrorKind::kUnsupported, "a transaction has more rows events than _lsn can number",
                     object(), "");
  }
  ARROW_RETURN_NOT_OK(SetImages(event));
  const int64_t rows_before = builder_->rows();
  const size_t batches_before = finished_.size();
  const int64_t finished_rows_before = finished_rows_;
  const int64_t finished_bytes_before = finished_bytes_;
  arrow::Status status = AddAll(event, context);
  if (status.ok()) return status;
  if (finished_.size() == batches_before) {
    builder_->TakeBackTo(rows_before);
    return status;
  }
  // A batch was full in the middle of the event: what it had of before stays.
  builder_->TakeBackTo(0);
  finished_rows_ = finished_rows_before + rows_before;
  finished_bytes_ = finished_bytes_before;
  if (rows_before > 0) {
    auto& first = finished_[batches_before].rows;
    first = first->Slice(0, rows_before);
  }
  finished_.resize(batches_before + (rows_before > 0 ? 1 : 0));
  return status;
}

arrow::Status TableRows::AddAll(const RowsEvent& event, const RowContext& context) {
  const bool is_update = event.kind.change == Change::kUpdate;
  const bool needs_places = is_update && (event.kind.is_partial || !after_.is_full());
  const uint8_t* at = event.rows.data();
  input_.end = at + event.rows.size();
  row_.commit_lsn = context.commit_lsn;
  row_.lsn = context.event << 16;
  row_.xid = context.xid;
  row_.commit_ts = context.commit_ts;
  uint64_t number = 0;
  while (at != input_.end) {
    if (builder_->bytes() > batch_bytes_max_) ARROW_RETURN_NOT_OK(FinishBuilder());
    const uint8_t* next = at;
    if (event.kind.change != Change::kWrite) {
      next = ReadImage(before_, at, needs_places);
      if (next == nullptr) return Failure(event, at);
      ARROW_RETURN_NOT_OK(EndRow(is_update ? Op::kUpdateBefore : Op::kDelete, number++));
    }
    if (event.kind.change != Change::kDelete) {
      next = needs_places ? ReadUpdated(next, event.kind.is_partial) : ReadImage(after_, next, false);
      if (next == nullptr) return Failure(event, at);
      ARROW_RETURN_NOT_OK(EndRow(is_update ? Op::kUpdateAfter : Op::kInsert, number++));
    }
    at = next;
  }
  return arrow::Status::OK();
}

arrow::Status TableRows::EndRow(Op op, uint64_t number) {
  if (number >= kRowsMax) {
    return MakeError(ErrorKind::kUnsupported, "an event has more rows than _lsn and _ord can number",
                     object(), "");
  }
  row_.op = op;
  row_.lsn = (row_.lsn & ~uint64_t{0xffff}) | number >> 16;
  row_.ord = static_cast<uint16_t>(number);
  return builder_->EndRow(row_);
}

inline const uint8_t* TableRows::ReadOne(int field, const uint8_t* at) {
  const ColumnStep& step = steps_[static_cast<size_t>(field)];
  const uint8_t* const next = step.read(step, at, &input_, columns_[static_cast<size_t>(field)]);
  return next != nullptr ? next : TakeFormless(field);
}

// What a reader has not appended: bytes that are unsound, or a value without an Arrow form.
const uint8_t* TableRows::TakeFormless(int field) {
  if (input_.behind == nullptr) return Fail(field, ErrorKind::kProtocol, input_.fault);
  builder_->AppendUnrepresentable(field);
  return input_.behind;
}

const uint8_t* TableRows::ReadImage(const Image& image, const uint8_t* at, bool keep_places) {
  if (!input_.Has(at, image.null_bytes)) return Fail(-1, ErrorKind::kProtocol, kCutOff);
  const uint8_t* const nulls = at;
  at += image.null_bytes;
  if (image.is_full() && !image.HasNulls(nulls) && !keep_places) {
    int field = 0;
    for (const ColumnStep& step : steps_) {
      const uint8_t* const next = step.read(step, at, &input_, columns_[static_cast<size_t>(field)]);
      at = next != nullptr ? next : TakeFormless(field);
      if (at == nullptr) return nullptr;
      ++field;
    }
    return at;
  }
  if (keep_places) places_.assign(steps_.size(), {});
  for (size_t i = 0; i < image.columns.size(); ++i) {
    const int field = image.columns[i];
    const bool is_null = (nulls[i / 8] >> i % 8 & 1) != 0;
    if (keep_places) places_[static_cast<size_t>(field)] = {true, is_null ? nullptr : at};
    if (is_null) {
      builder_->AppendNull(field);
      continue;
    }
    at = ReadOne(field, at);
    if (at == nullptr) return nullptr;
  }
  if (image.is_full()) return at;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!image.has[i]) builder_->AppendUnchanged(static_cast<int>(i));
  }
  return at;
}

// The new image of a row whose old one has just been read: what it does not carry is as it was, or nobody
// knows it.
const uint8_t* TableRows::ReadUpdated(const uint8_t* at, bool is_partial) {
  is_difference_.assign(steps_.size(), false);
  if (is_partial) {
    at = ReadPartialBits(at);
    if (at == nullptr) return nullptr;
  }
  if (!input_.Has(at, after_.null_bytes)) return Fail(-1, ErrorKind::kProtocol, kCutOff);
  const uint8_t* const nulls = at;
  at += after_.null_bytes;
  for (size_t i = 0; i < after_.columns.size(); ++i) {
    const int field = after_.columns[i];
    if ((nulls[i / 8] >> i % 8 & 1) != 0) {
      builder_->AppendNull(field);
      continue;
    }
    at = is_difference_[static_cast<size_t>(field)] ? ReadDifference(field, at) : ReadOne(field, at);
    if (at == nullptr) return nullptr;
  }
  return FillAbsent() ? at : nullptr;
}

bool TableRows::FillAbsent() {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (after_.has[i]) continue;
    const auto field = static_cast<int>(i);
    if (is_lost_[i]) {
      builder_->AppendUnrepresentable(field);
    } else if (!places_[i].is_there) {
      builder_->AppendUnchanged(field);
    } else if (places_[i].at == nullptr) {
      builder_->AppendNull(field);
    } else if (ReadOne(field, places_[i].at) == nullptr) {
      return false;
    }
  }
  return true;
}

// Options, and where they say so a bit a JSON column of the table, the lowest of a byte first: its new value
// is a difference.
const uint8_t* TableRows::ReadPartialBits(const uint8_t* at) {
  constexpr uint64_t kPartialJson = 1;
  ByteCursor cursor({at, input_.end});
  uint64_t options;
  if (!cursor.ReadPacked(&options)) return Fail(-1, ErrorKind::kProtocol, kCutOff);
  if (options > kPartialJson)
    return Fail(-1, ErrorKind::kUnsupported, "a row has options that are not known");
  if (options == 0) return cursor.at();
  std::span<const uint8_t> bits;
  if (!cursor.ReadBytes((json_columns_ + 7) / 8, &bits)) return Fail(-1, ErrorKind::kProtocol, kCutOff);
  size_t place = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!is_json_[i]) continue;
    is_difference_[i] = (bits[place / 8] >> place % 8 & 1) != 0;
    ++place;
  }
  return cursor.at();
}

const uint8_t* TableRows::ReadDifference(int field, const uint8_t* at) {
  static constexpr char kRemedy[] =
      "SET PERSIST binlog_row_value_options='' or binlog_row_image=FULL, also in every session that sets its "
      "own";
  const auto i = static_cast<size_t>(field);
  std::span<const uint8_t> diffs;
  std::span<const uint8_t> document;
  ColumnStep length;
  length.size = 4;
  if (!TakePrefixed(length, at, input_, &diffs)) return Fail(field, ErrorKind::kProtocol, kCutOff);
  if (!places_[i].is_there) {
    return Fail(field, ErrorKind::kUnsupported,
                "a change carries what is new in a JSON document, and not the old document", kRemedy);
  }
  const uint8_t* const next = diffs.data() + diffs.size();
  if (places_[i].at == nullptr || !TakePrefixed(steps_[i], places_[i].at, input_, &document))
    return Fail(field, ErrorKind::kProtocol, "a change of a JSON document has none to change");
  std::string& text = input_.scratch;
  switch (ApplyJsonDiffs(document, diffs, &text)) {
    case JsonDiffOutcome::kApplied:
      break;
    case JsonDiffOutcome::kFault:
      return Fail(field, ErrorKind::kProtocol, "a change of a JSON document is unsound");
    case JsonDiffOutcome::kUnfit:
      return Fail(field, ErrorKind::kProtocol, "a change of a JSON document is not of the old one");
  }
  if (IsUtf8(text)) {
    builder_->column(field)->AppendBytes(text.data(), static_cast<int64_t>(text.size()));
  } else {
    builder_->AppendUnrepresentable(field);
  }
  return next;
}

const uint8_t* TableRows::Fail(int field, ErrorKind kind, const char* what, const char* remedy) {
  failed_field_ = field;
  failed_kind_ = kind;
  failed_what_ = what;
  failed_remedy_ = remedy;
  return nullptr;
}

// `at`: where the row begins that could not be read.
arrow::Status TableRows::Failure(const RowsEvent& event, const uint8_t* at) const {
  const std::string where =
      failed_field_ < 0
          ? object()
          : "column " + builder_->table().schema->field(failed_field_)->name() + " of " + object();
  return MakeError(failed_kind_,
                   std::string(failed_what_) + ", in the row at byte " +
                       std::to_string(at - event.rows.data()) + " of an event's rows",
                   where, failed_remedy_);
}

arrow::Status TableRows::FinishBuilder() {
  if (builder_->rows() == 0) return arrow::Status::OK();
  const int64_t bytes = builder_->bytes();
  ARROW_ASSIGN_OR_RAISE(ChangeBatch batch, builder_->Finish());
  finished_rows_ += batch.rows->num_rows();
  finished_bytes_ += bytes;
  finished_.push_back(std::move(batch));
  return arrow::Status::OK();
}

arrow::Status TableRows::Finish(std::vector<ChangeBatch>* batches) {
  ARROW_RETURN_NOT_OK(FinishBuilder());
  for (ChangeBatch& batch : finished_) batches->push_back(std::move(batch));
  finished_.clear();
  finished_rows_ = finished_bytes_ = 0;
  return arrow::Status::OK();
}

}  // namespace arrowcdc::mysql
