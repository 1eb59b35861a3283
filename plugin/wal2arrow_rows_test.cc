// Random tables and rows through the plugin; what the server's own text says of them is the oracle. They go
// through everything that decides where an attribute lies in a tuple: types and their alignment, nulls,
// dropped columns, columns added with a default after the row was written, long, compressed and TOASTed
// values, columns that are not published, partitions.
#include <algorithm>
#include <random>

#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

struct RandomType {
  string sql;
  string value;  // SQL that makes a random one
  string text;   // SQL that writes column $ as the fixture writes the Arrow value
};

// Hexadecimal digits in a random order, of lengths around the blocks of a copy and the sizes where headers
// change.
string Letters(const string& lengths) {
  return "left(repeat(md5(random()::text), 1 + (ARRAY[" + lengths +
         "])[1 + floor(random() * cardinality(ARRAY[" + lengths + "]))] / 32), (ARRAY[" + lengths +
         "])[1 + floor(random() * cardinality(ARRAY[" + lengths + "]))])";
}

const std::vector<RandomType>& RandomTypes() {
  static const string kLengths = "0,1,2,3,7,8,15,16,31,32,33,63,64,65,100,125,126,127,128,129,300";
  static const std::vector<RandomType> types = {
      {"int2", "(random() * 65535 - 32768)::int2", "$::text"},
      {"int4", "(random() * 4e9 - 2e9)::int4", "$::text"},
      {"int8", "(random() * 1.8e19 - 9e18)::int8", "$::text"},
      {"oid", "(random() * 4e9)::int8::oid", "$::text"},
      {"bool", "random() < 0.5", "$::text"},
      {"\"char\"", "chr(33 + (random() * 90)::int)::\"char\"", "ascii($::text)::text"},
      {"uuid", "md5(random()::text)::uuid", "replace($::text, '-', '')"},
      {"name", Letters("0,1,30,63") + "::name", "$::text"},
      {"text", Letters(kLengths), "$"},
      {"varchar(400)", Letters(kLengths), "$"},
      {"text", "repeat('many times ', 1000 + (random() * 1000)::int)", "$"},  // compressed in line
      {"text",
       "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 200 + (random() * 200)::int))",
       "$"},
      {"bytea", "decode(" + Letters("0,2,62,64,66,124,126,250,252,254,256,600") + ", 'hex')",
       "encode($, 'hex')"},
      {"date", "'2000-01-01'::date + (random() * 40000 - 20000)::int", "$::text"},
      {"timestamp", "'2000-01-01'::timestamp + (random() * 2e9 - 1e9) * interval '1 second'",
       "to_char($, 'YYYY-MM-DD HH24:MI:SS.US')"},
      {"time", "'00:00'::time + random() * interval '23 hours'",
       "to_char('2000-01-01'::timestamp + $, 'HH24:MI:SS.US')"},
      {"numeric(12,2)", "((random() - 0.5) * 10 ^ (random() * 10))::numeric(12,2)", "$::text"},
      {"numeric(9,4)", "((random() - 0.5) * 10 ^ (random() * 5))::numeric(9,4)", "$::text"},
      {"numeric(18,0)", "trunc((random() - 0.5) * 10 ^ (random() * 18))::numeric(18,0)", "$::text"},
      {"numeric(5,5)", "((random() - 0.5) * 10 ^ (-random() * 5))::numeric(5,5)", "$::text"},
      {"numeric(38,10)", "(random()::numeric * 10 ^ (random() * 27)::int::numeric)::numeric(38,10)",
       "$::text"},
      {"numeric(50,3)", "(random()::numeric * 10 ^ (random() * 46)::int::numeric)::numeric(50,3)", "$::text"},
      {"numeric", "(random() - 0.5)::numeric * 10 ^ (random() * 30 - 15)::int::numeric", "$::text"},
  };
  return types;
}

struct RandomColumn {
  string name;
  const RandomType* type;
  double nulls;
};

class RandomRows : public PluginTest {
 protected:
  RandomColumn AddColumn() {
    static constexpr double kNulls[] = {0, 0, 0.1, 0.5, 1};
    const auto& types = RandomTypes();
    columns_.push_back(
        {"c" + std::to_string(next_++), &types[random_() % types.size()], kNulls[random_() % 5]});
    return columns_.back();
  }

  string Definition(const RandomColumn& column) { return column.name + " " + column.type->sql; }

  string Value(const RandomColumn& column) {
    return "CASE WHEN random() >= " + std::to_string(column.nulls) + " THEN " + column.type->value + " END";
  }

  void Insert(int rows) {
    string names = "id";
    string values = "g";
    for (const auto& column : columns_) {
      names += ", " + column.name;
      values += ", " + Value(column);
    }
    const int first = rows_ + 1;
    rows_ += rows;
    Sql("INSERT INTO t (" + names + ") SELECT " + values + " FROM generate_series(" + std::to_string(first) +
        ", " + std::to_string(rows_) + ") g");
  }

  // The rows as lines of `operation`, those with id > after.
  Strings Rows(const string& operation, int after = 0) {
    string line = "'" + operation + " t(' || id";
    for (const auto& column : columns_) {
      string text = column.type->text;
      text.replace(text.find('$'), 1, column.name);
      line += " || ', ' || coalesce(" + text + ", 'null')";
    }
    Strings lines;
    const auto connection = SharedServer().Connect(database()).ValueOrDie();
    const auto rows = connection->Query("SELECT " + line + " || ')' FROM t WHERE id > " +
                                        std::to_string(after) + " ORDER BY id");
    EXPECT_TRUE(rows.ok()) << rows.status().ToString();
    if (!rows.ok()) return lines;
    for (const auto& row : *rows) lines.push_back(*row[0]);
    return lines;
  }

  void ExpectSame(const Strings& lines) {
    ASSERT_EQ(lines.size(), expected_.size());
    for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], expected_[i]) << "line " << i;
  }

  void Expect(const Strings& lines) { expected_.insert(expected_.end(), lines.begin(), lines.end()); }

  std::mt19937_64 random_{Seed()};
  std::vector<RandomColumn> columns_;
  int next_ = 0;
  int rows_ = 0;
  Strings expected_;
};

TEST_F(RandomRows, AsTheServerReadsThem) {
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(Seed()) + " replays it");
  const int tables = 4;
  for (int table = 0; table < tables; ++table) {
    if (table > 0) TearDown();
    columns_.clear();
    expected_.clear();
    rows_ = 0;
    string definition = "id int";
    for (int n = 1 + static_cast<int>(random_() % 40); n > 0; --n)
      definition += ", " + Definition(AddColumn());
    SCOPED_TRACE("table (" + definition + ")");
    ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (" + definition +
                                    "); ALTER TABLE t REPLICA IDENTITY FULL;"
                                    "CREATE PUBLICATION p FOR TABLE t"));
    Sql("SELECT setseed(" + std::to_string(static_cast<double>(random_() % 1000) / 1000) + ")");
    const std::vector<int> counts = {0, 1, 7, 8, 9, 63, 64, 65};
    for (int step = 0; step < 6; ++step) {
      const int before = rows_;
      ASSERT_NO_FATAL_FAILURE(Insert(counts[random_() % counts.size()]));
      Expect(Rows("insert", before));
      // The rows that are there do not change, and the next ones have fewer attributes or more.
      if (random_() % 2 == 0 && columns_.size() > 1) {
        const size_t dropped = random_() % columns_.size();
        Sql("ALTER TABLE t DROP COLUMN " + columns_[dropped].name);
        columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(dropped));
      }
      if (random_() % 2 == 0) {
        const RandomColumn column = AddColumn();
        const auto value = SharedServer()
                               .Connect(database())
                               .ValueOrDie()
                               ->Query("SELECT quote_literal((" + Value(column) + ")::text)");
        ASSERT_TRUE(value.ok()) << value.status().ToString();
        // A default lies in a row of the catalog, which is not TOASTed.
        const auto& text = (*value)[0][0];
        const bool has_default = text.has_value() && text->size() < 2000;
        Sql("ALTER TABLE t ADD COLUMN " + Definition(column) + (has_default ? " DEFAULT " + *text : ""));
      }
    }
    // Old rows as they lie on disk, whatever the table looked like when they were written, and in that order.
    const auto inserts = static_cast<std::ptrdiff_t>(expected_.size());
    Expect(Rows("delete"));
    Sql("DELETE FROM t");
    Strings lines = Lines();
    ASSERT_EQ(lines.size(), expected_.size());
    std::sort(lines.begin() + inserts, lines.end());
    std::sort(expected_.begin() + inserts, expected_.end());
    ExpectSame(lines);
  }
}

// Updates that leave TOASTed values alone: the new row has pointers, the old one the values.
TEST_F(RandomRows, UnchangedValuesOfUpdates) {
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(Seed()) + " replays it");
  string definition = "id int, marker int";
  for (int n = 0; n < 20; ++n) definition += ", " + Definition(AddColumn());
  columns_.push_back({"big_1", &RandomTypes()[11], 0.2});
  columns_.push_back({"big_2", &RandomTypes()[11], 0});
  definition += ", big_1 text, big_2 text";
  ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (" + definition +
                                  "); ALTER TABLE t REPLICA IDENTITY FULL;"
                                  "CREATE PUBLICATION p FOR TABLE t WITH (publish = 'update')"));
  ASSERT_NO_FATAL_FAILURE(Insert(65));
  static const RandomType kMarker = {"int4", "0", "$::text"};
  columns_.insert(columns_.begin(), {"marker", &kMarker, 0});
  const Strings before = Rows("update_before");
  Sql("UPDATE t SET marker = id");
  const Strings after = Rows("update_after");
  ASSERT_EQ(before.size(), 65u);
  Expect(before);
  Expect(after);
  Strings lines = Lines();
  std::sort(lines.begin(), lines.end());
  std::sort(expected_.begin(), expected_.end());
  ExpectSame(lines);
}

// Columns that are not published are passed over, whatever their type.
TEST_F(RandomRows, ColumnLists) {
  SCOPED_TRACE("ARROWCDC_TEST_SEED=" + std::to_string(Seed()) + " replays it");
  string definition = "id int";
  for (int n = 0; n < 30; ++n) definition += ", " + Definition(AddColumn());
  std::vector<RandomColumn> published;
  string list = "id";
  for (const auto& column : columns_) {
    if (random_() % 2 == 0) continue;
    published.push_back(column);
    list += ", " + column.name;
  }
  ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE t (" + definition + "); CREATE PUBLICATION p FOR TABLE t (" +
                                  list + ") WITH (publish = 'insert')"));
  ASSERT_NO_FATAL_FAILURE(Insert(129));
  columns_ = published;
  Expect(Rows("insert"));
  ExpectSame(Lines());
}

// The widest table there can be, full of nulls and without any.
TEST_F(RandomRows, SixteenHundredColumns) {
  string definition = "id int";
  string nulls = "g";
  string values = "g";
  string line_of_nulls;
  string line;
  for (int i = 1; i < 1600; ++i) {
    const bool is_bool = i % 3 == 0;
    definition += ", c" + std::to_string(i) + (is_bool ? " bool" : " int2");
    nulls += ", CASE WHEN (g + " + std::to_string(i) + ") % 5 = 0 THEN " + (is_bool ? "true" : "7") + " END";
    values += is_bool ? ", g % 2 = 0" : ", " + std::to_string(i);
  }
  Prepare("CREATE TABLE t (" + definition + "); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t SELECT " + nulls + " FROM generate_series(1, 9) g");
  Sql("INSERT INTO t SELECT " + values + " FROM generate_series(10, 18) g");
  Strings expected;
  for (int g = 1; g <= 18; ++g) {
    string row = "insert t(" + std::to_string(g);
    for (int i = 1; i < 1600; ++i) {
      const bool is_bool = i % 3 == 0;
      if (g <= 9) {
        row += (g + i) % 5 == 0 ? (is_bool ? ", true" : ", 7") : ", null";
      } else {
        row += is_bool ? (g % 2 == 0 ? ", true" : ", false") : ", " + std::to_string(i);
      }
    }
    expected.push_back(row + ")");
  }
  EXPECT_EQ(Lines(), expected);
}

// Columns of a partition in another order than their table's: cells are still listed by field.
TEST_F(RandomRows, PartitionWithItsOwnOrder) {
  Prepare(
      "CREATE TABLE t (id int, a date, b numeric(4,1), c text, d date) PARTITION BY RANGE (id);"
      "CREATE TABLE leaf (gone text, d date, c text, b numeric(4,1), a date, id int); ALTER TABLE leaf DROP "
      "COLUMN gone;"
      "ALTER TABLE t ATTACH PARTITION leaf FOR VALUES FROM (0) TO (100);"
      "CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root)");
  Sql("INSERT INTO t VALUES (1, 'infinity', 'NaN', 'x', '-infinity'), (2, '2000-01-01', 1.5, NULL, "
      "'2000-01-02'),"
      "(3, NULL, 'NaN', 'y', 'infinity')");
  EXPECT_EQ(Lines(), (Strings{"insert t(1, !, !, x, !)", "insert t(2, 2000-01-01, 1.5, null, 2000-01-02)",
                              "insert t(3, null, !, y, !)"}));
}

}  // namespace
}  // namespace arrowcdc::test
