// One table a family, named m0, m1, ...; its columns: id, c, d, and where there are arrays a, da.
#include "tests/values/type_matrix.h"

#include <cstdio>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compare.h>
#include <arrow/json/from_string.h>

#include "arrowcdc/change_rows.h"
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/values/testing/read_one.h"
#include "src/postgres/setup/sql_relation_catalog.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {

using std::string;

namespace {

constexpr const char* kColumns[] = {"c", "d", "a", "da"};
constexpr int kArrayColumn = 2;
constexpr int kDomainArrayColumn = 3;

string TableOf(size_t family) { return "m" + std::to_string(family); }
string DomainOf(size_t family) { return "d" + std::to_string(family); }

// A row of SQL: of a value in each column, or of arrays only.
string RowOf(const string& type, const string& domain, size_t id, const string& literal, bool arrays) {
  const string value = literal + "::" + type;
  string row = std::to_string(id) + ", " + value + ", (" + value + ")::" + domain;
  if (!arrays) return row;
  return row + ", ARRAY[" + value + ", NULL, " + value + "]::" + type + "[], ARRAY[" + value +
         ", NULL]::" + domain + "[]";
}

string InsertsOf(const Family& family, size_t index) {
  const string into = "INSERT INTO " + TableOf(index) + " ";
  string sql = into + "VALUES (0);";
  for (size_t i = 0; i < family.values.size(); ++i) {
    sql += into + "VALUES (" +
           RowOf(family.sql, DomainOf(index), i + 1, family.values[i].literal, family.in_arrays) + ");";
  }
  if (!family.in_arrays) return sql;
  const string type = family.sql;
  const string first = family.values[0].literal + "::" + type;
  size_t id = family.values.size();
  const auto arrays = [&](const string& a, const string& da) {
    sql += into + "(id, a, da) VALUES (" + std::to_string(++id) + ", " + a + ", " + da + ");";
  };
  arrays("'{}'", "'{}'");
  arrays("ARRAY[NULL]::" + type + "[]", "NULL");
  arrays("ARRAY[ARRAY[" + first + "]]::" + type + "[]", "NULL");
  arrays("array_fill(" + first + ", ARRAY[2], ARRAY[-1])", "NULL");
  return sql;
}

// Its rows in one batch: they are few.
arrow::Status AddBatches(const std::vector<Event>& events, std::map<string, ChangeBatch>* tables) {
  for (const Event& event : events) {
    const auto* const batch = std::get_if<ChangeBatch>(&event);
    if (batch == nullptr) continue;
    ARROW_RETURN_NOT_OK(batch->rows->ValidateFull());
    if (!tables->emplace(batch->table->name.table, *batch).second) {
      return arrow::Status::Invalid("a second batch of ", batch->table->name.table);
    }
  }
  return arrow::Status::OK();
}

string FromHex(const string& hex) {
  string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// Bytes, or lists of them, as text.
std::shared_ptr<arrow::ArrayData> InHex(const std::shared_ptr<arrow::ArrayData>& data) {
  if (data->type->id() == arrow::Type::LIST) {
    auto list = data->Copy();
    list->child_data[0] = InHex(list->child_data[0]);
    list->type = arrow::list(list->child_data[0]->type);
    return list;
  }
  const arrow::BinaryArray bytes(data);
  arrow::StringBuilder text;
  for (int64_t i = 0; i < bytes.length(); ++i) {
    string hex;
    for (const char c : bytes.IsNull(i) ? std::string_view() : bytes.GetView(i)) {
      for (const int digit : {static_cast<uint8_t>(c) >> 4, c & 15}) hex += "0123456789abcdef"[digit];
    }
    if (!(bytes.IsNull(i) ? text.AppendNull() : text.Append(hex)).ok()) abort();
  }
  return text.Finish().ValueOrDie()->data();
}

}  // namespace

const char* TypeMatrix::NameOf(Way way) {
  switch (way) {
    case Way::kPlugin:
      return "plugin";
    case Way::kBinary:
      return "pgoutput, binary";
    case Way::kText:
      return "pgoutput, text";
    case Way::kCopy:
      return "COPY";
  }
  return "";
}

void TypeMatrix::TearDown() {
  if (values_ != nullptr) {
    ARROWCDC_EXPECT_OK(
        values_->Query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
                       "slot_name = '" +
                       slot() + "_pgoutput'"));
  }
  ValuesTest::TearDown();
}

void TypeMatrix::Write(const string& ddl) {
  string tables = ddl;
  for (size_t i = 0; i < families_.size(); ++i) {
    const string& type = families_[i].sql;
    tables += "CREATE DOMAIN " + DomainOf(i) + " AS " + type + "; CREATE TABLE " + TableOf(i) +
              " (id int PRIMARY KEY, c " + type + ", d " + DomainOf(i);
    if (families_[i].in_arrays) tables += ", a " + type + "[], da " + DomainOf(i) + "[]";
    tables += ");";
  }
  ASSERT_NO_FATAL_FAILURE(Prepare(tables + "CREATE PUBLICATION p FOR ALL TABLES"));
  ASSERT_NO_FATAL_FAILURE(
      Sql("SELECT pg_create_logical_replication_slot('" + slot() + "_pgoutput', 'pgoutput')"));
  string binary;
  for (size_t i = 0; i < families_.size(); ++i) {
    SCOPED_TRACE(families_[i].sql);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedColumns mapped, MapTable({}, TableOf(i)));
    bool reads_binary = true;
    for (const ValueForm form : mapped.forms) reads_binary = reads_binary && form == ValueForm::kBinary;
    EXPECT_EQ(reads_binary, families_[i].no_binary == nullptr);
    if (reads_binary) binary += (binary.empty() ? "" : ", ") + TableOf(i);
  }
  ASSERT_FALSE(binary.empty());
  ASSERT_NO_FATAL_FAILURE(Sql("CREATE PUBLICATION p_binary FOR TABLE " + binary));
  string inserts = "BEGIN;";
  for (size_t i = 0; i < families_.size(); ++i) inserts += InsertsOf(families_[i], i);
  ASSERT_NO_FATAL_FAILURE(Sql(inserts + "COMMIT"));
}

TypeMatrix::Cells TypeMatrix::Expect(const Family& family, int column, bool text) const {
  Cells cells;
  const auto add = [&](const string& json) {
    cells.json.push_back(json == kNoForm ? "null" : json);
    cells.has_form.push_back(json != kNoForm);
  };
  add("null");
  for (const Value& value : family.values) {
    const string json = text && !value.json_of_text.empty() ? value.json_of_text : value.json;
    if (column < kArrayColumn || json == kNoForm) {
      add(json);
    } else {
      add("[" + json + ", null" + (column == kArrayColumn ? ", " + json : "") + "]");
    }
  }
  if (!family.in_arrays) return cells;
  const bool scalar = column < kArrayColumn;
  add(scalar ? "null" : "[]");
  for (const char* const json : {"[null]", kNoForm, kNoForm}) add(column == kArrayColumn ? json : "null");
  return cells;
}

void TypeMatrix::CompareColumn(const Family& family, int column, const Cells& cells,
                               const ChangeBatch& batch) {
  SCOPED_TRACE(kColumns[column]);
  auto data = WithoutExtensions(batch.rows->column_data(column + 1));
  const auto type = column < kArrayColumn ? family.type : arrow::list(family.type);
  ASSERT_TRUE(data->type->Equals(*type)) << data->type->ToString();
  if (family.json_type != nullptr) data->type = family.json_type;
  if (family.in_hex) data = InHex(data);
  const auto got = arrow::MakeArray(data);
  ASSERT_EQ(got->length(), static_cast<int64_t>(cells.json.size()));
  string json;
  for (const string& cell : cells.json) json += (json.empty() ? "[" : ", ") + cell;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted, arrow::json::ArrayFromJSONString(data->type, json + "]"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeRows rows, ChangeRows::Make(*batch.table, *batch.rows));
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
  for (int64_t row = 0; row < got->length(); ++row) {
    EXPECT_TRUE(wanted->RangeEquals(row, row + 1, row, got, options))
        << "row " << row << ", wanted " << wanted->Slice(row, 1)->ToString() << "\ngot "
        << got->Slice(row, 1)->ToString();
    EXPECT_EQ(rows.IsUnrepresentable(row, column + 1), !cells.has_form[static_cast<size_t>(row)])
        << "row " << row;
    ++cells_;
  }
}

void TypeMatrix::Compare(Way way, const Tables& tables) {
  SCOPED_TRACE(NameOf(way));
  for (size_t i = 0; i < families_.size(); ++i) {
    const Family& family = families_[i];
    SCOPED_TRACE(family.sql);
    const auto found = tables.find(TableOf(i));
    if (way == Way::kBinary && family.no_binary != nullptr) {
      const Cells cells = Expect(family, 0, false);
      different_ += static_cast<int64_t>(cells.json.size()) * columns(family);
      EXPECT_EQ(found, tables.end());
      continue;
    }
    ASSERT_NE(found, tables.end());
    for (int column = 0; column < columns(family); ++column) {
      CompareColumn(family, column, Expect(family, column, way == Way::kText), found->second);
    }
  }
}

// Names, types and metadata are those that the plugin gives.
void TypeMatrix::CompareFields(const Tables& tables) const {
  for (const auto& [name, batch] : tables) {
    const auto& wanted = *plugin_.at(name).table->schema;
    for (int i = 0; i < plugin_.at(name).table->column_count; ++i) {
      EXPECT_TRUE(wanted.field(i)->Equals(*batch.table->schema->field(i), /*check_metadata=*/true))
          << wanted.field(i)->ToString(true) << "\n"
          << batch.table->schema->field(i)->ToString(true);
    }
  }
}

// Columns of types that have values without a form are the server's text, and none is unrepresentable.
void TypeMatrix::CompareAsText(Way way, const Tables& tables) {
  SCOPED_TRACE(NameOf(way));
  for (size_t i = 0; i < families_.size(); ++i) {
    const Family& family = families_[i];
    SCOPED_TRACE(family.sql);
    const ChangeBatch& batch = tables.at(TableOf(i));
    for (int column = 0; column < columns(family); ++column) {
      SCOPED_TRACE(kColumns[column]);
      if (column < kArrayColumn && family.always_has_form) {
        CompareColumn(family, column, Expect(family, column, true), batch);
        continue;
      }
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const auto wanted, values_->Query(string("SELECT CASE WHEN num_nulls(") + kColumns[column] +
                                            ") = 0 THEN format('%s', " + kColumns[column] + ") END FROM " +
                                            TableOf(i) + " ORDER BY id"));
      const auto& got = *batch.rows->column(column + 1);
      ASSERT_EQ(got.type_id(), arrow::Type::STRING) << got.type()->ToString();
      ASSERT_EQ(got.length(), static_cast<int64_t>(wanted.size()));
      for (int64_t row = 0; row < got.length(); ++row, ++cells_) {
        const auto& text = wanted[static_cast<size_t>(row)][0];
        EXPECT_EQ(got.IsNull(row), !text.has_value()) << row;
        if (text.has_value()) {
          EXPECT_EQ(static_cast<const arrow::StringArray&>(got).GetView(row), *text);
        }
      }
    }
  }
}

arrow::Result<TypeMatrix::Tables> TypeMatrix::ReadPlugin(const PluginOptions& options) {
  PluginOptions all = options;
  all["batch_bytes"] = std::to_string(16 << 20);
  ARROW_ASSIGN_OR_RAISE(const auto events, Peek(all));
  Tables tables;
  ARROW_RETURN_NOT_OK(AddBatches(events, &tables));
  return tables;
}

arrow::Result<TypeMatrix::Tables> TypeMatrix::ReadPgoutput(bool binary, const ValueOptions& options) {
  ARROW_ASSIGN_OR_RAISE(
      const auto rows,
      values_->Query("SELECT lsn - '0/0', encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('" +
                     slot() + "_pgoutput', NULL, NULL, 'proto_version', '1', 'publication_names', '" +
                     (binary ? "p_binary', 'binary', 'true')" : "p')")));
  ARROW_ASSIGN_OR_RAISE(
      const auto connection,
      postgres::Connection::Open(SharedServer().conninfo(database()), postgres::ConnectionMode::kSql));
  ARROW_ASSIGN_OR_RAISE(postgres::ServerPlace server, connection->ReadPlace());
  postgres::SqlRelationCatalog catalog(SharedServer().conninfo(database()), std::move(server), nullptr);
  PgoutputDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1, &catalog,
                          {.values = options, .commit_bytes = 64 << 20, .batch_bytes_max = 64 << 20});
  for (const SqlRow& row : rows) {
    ARROW_RETURN_NOT_OK(decoder.Decode(FromHex(*row[1]), std::stoull(*row[0])));
  }
  ARROW_RETURN_NOT_OK(decoder.Flush());
  std::vector<Event> events;
  while (decoder.has_more()) {
    ARROW_ASSIGN_OR_RAISE(auto event, decoder.Next());
    if (event.has_value()) events.push_back(*std::move(event));
  }
  Tables tables;
  ARROW_RETURN_NOT_OK(AddBatches(events, &tables));
  return tables;
}

arrow::Result<TypeMatrix::Tables> TypeMatrix::ReadCopies(const ValueOptions& options) {
  Tables tables;
  for (size_t i = 0; i < families_.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(ChangeBatch batch, Copy(200, options, TableOf(i)));
    ARROW_RETURN_NOT_OK(batch.rows->ValidateFull());
    tables.emplace(TableOf(i), std::move(batch));
  }
  return tables;
}

void TypeMatrix::Run(const std::vector<Family>& families, const string& ddl) {
  families_ = families;
  ASSERT_NO_FATAL_FAILURE(Write(ddl));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(plugin_, ReadPlugin({}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Tables text, ReadPgoutput(/*binary=*/false, {}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Tables binary, ReadPgoutput(/*binary=*/true, {}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Tables copies, ReadCopies({}));
  Compare(Way::kPlugin, plugin_);
  Compare(Way::kText, text);
  Compare(Way::kBinary, binary);
  Compare(Way::kCopy, copies);
  CompareFields(text);
  CompareFields(binary);
  CompareFields(copies);
  const int64_t as_they_are = cells_;

  const ValueOptions as_text{.unrepresentable_as_text = true};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(plugin_, ReadPlugin({{"unrepresentable", "text"}}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Tables text_as_text, ReadPgoutput(/*binary=*/false, as_text));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Tables copies_as_text, ReadCopies(as_text));
  CompareAsText(Way::kPlugin, plugin_);
  CompareAsText(Way::kText, text_as_text);
  CompareAsText(Way::kCopy, copies_as_text);
  CompareFields(text_as_text);
  CompareFields(copies_as_text);

  printf(
      "type matrix: %zu families, %lld cells compared by plugin, pgoutput in text and binary, and COPY; %lld "
      "more under unrepresentable=text\n",
      families_.size(), static_cast<long long>(as_they_are), static_cast<long long>(cells_ - as_they_are));
  printf("type matrix: %lld cells differ as documented (no binary form is read, the session is text):\n",
         static_cast<long long>(different_));
  for (const Family& family : families_) {
    if (family.no_binary != nullptr) printf("  %s: %s\n", family.sql.c_str(), family.no_binary);
    for (const Value& value : family.values) {
      if (!value.json_of_text.empty()) {
        printf("  %s %s: as text, pgoutput has the name only\n", family.sql.c_str(), value.literal.c_str());
      }
    }
  }
}

}  // namespace arrowcdc::test
