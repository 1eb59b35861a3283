// Random values of a real server: text, binary and COPY must agree, and with what the server itself says of
// numbers and times.
#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>

#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/values/read_table.h"

namespace arrowcdc::test {
namespace {

using std::string;

constexpr char kFunctions[] = R"(
    CREATE FUNCTION digits(n int) RETURNS text LANGUAGE sql VOLATILE AS
      $$SELECT coalesce(string_agg(substr('00000123456789', 1 + (random() * 13)::int, 1), ''), '')
        FROM generate_series(1, n)$$;
    CREATE FUNCTION number(before int, behind int) RETURNS numeric LANGUAGE sql VOLATILE AS
      $$SELECT (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || '0' || digits((random() * before)::int) || '.' || '0'
                || digits((random() * (behind - 1))::int))::numeric$$;
    CREATE FUNCTION letters(n int) RETURNS text LANGUAGE sql VOLATILE AS
      $$SELECT coalesce(string_agg(chr((ARRAY[1, 9, 10, 32, 34, 39, 40, 41, 44, 47, 61, 62, 65, 91, 92, 93, 97, 123, 125,
                                              127, 233, 8364, 128512])[1 + (random() * 22)::int]), ''), '')
        FROM generate_series(1, n)$$;
    CREATE FUNCTION word() RETURNS text LANGUAGE sql VOLATILE AS
      $$SELECT CASE WHEN random() < 0.1 THEN NULL WHEN random() < 0.1 THEN 'NULL' ELSE letters((random() * 6)::int) END$$;
    CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS
      $$SELECT timestamptz '1970-01-01 00:00+00' + (random() - 0.02) * interval '250000 years' * random() ^ 3
               + random() * interval '1 day'$$;
    CREATE TYPE inner_type AS (a text, b numeric, c text[]);
    CREATE TYPE outer_type AS (i inner_type, l inner_type[], r tstzrange);
    CREATE TYPE textrange AS RANGE (subtype = text);
    CREATE EXTENSION hstore;
    CREATE TABLE t (id int PRIMARY KEY, n numeric, d numeric(38,10), big numeric(76,30), at timestamptz, day date,
                    i interval, w text[], o outer_type, h hstore, j jsonb, m nummultirange, f float8, s float4, a inet,
                    tr textrange, v tsvector, b bytea, bits varbit);)";

constexpr char kRows[] = R"(
    INSERT INTO t SELECT id, number(80, 60), number(28, 10), number(46, 30), moment(),
      date '1970-01-01' + ((random() - 0.1) * 2000000)::int,
      (random() - 0.5) * interval '100000 years' + (random() - 0.5) * interval '1000 days 10 hours',
      ARRAY[word(), word(), word()],
      ROW(ROW(word(), number(5, 5), ARRAY[word(), word()]), ARRAY[ROW(word(), number(3, 3), NULL), NULL,
          ROW(word(), NULL, ARRAY[word()])]::inner_type[], tstzrange(moment(), NULL))::outer_type,
      hstore(ARRAY[coalesce(word(), 'k'), letters(3), 'NULL', 'last'], ARRAY[word(), word(), word(), word()])
        - 'x'::text,
      jsonb_build_object(letters((random() * 6)::int), jsonb_build_array(number(20, 20), letters(9), random() < 0.5, NULL)),
      nummultirange(numrange(number(2, 2), NULL), numrange(NULL, -1000)),
      (random() - 0.5) * 10 ^ ((random() - 0.5) * 600), ((random() - 0.5) * 10 ^ ((random() - 0.5) * 60))::float4,
      CASE WHEN random() < 0.3 THEN '10.0.0.0'::inet + (random() * 1000000)::int8
           ELSE ('2001:' || (CASE WHEN random() < 0.5 THEN ':' ELSE '0:0:1:9:' END) || to_hex((random() * 65535)::int) || ':0:'
                 || to_hex((random() * 3)::int) || '/' || (random() * 128)::int)::inet END,
      textrange(least(letters(3), 'M'), CASE WHEN random() < 0.5 THEN 'N' || letters(3) END),
      array_to_tsvector(ARRAY[coalesce(nullif(letters(4), ''), 'x'), 'it''s']), decode(md5(id::text), 'hex'),
      substr(digits(50), 1, 0)::varbit || (id % 1000)::bit(10)
    FROM generate_series(1, 1000) AS id;)";

class RandomValues : public ValuesTest {
 protected:
  static void Compare(const ChangeBatch& one, const ChangeBatch& other, const string& way) {
    SCOPED_TRACE(way);
    ARROWCDC_ASSERT_OK(other.rows->ValidateFull());
    ASSERT_EQ(one.rows->num_rows(), other.rows->num_rows());
    for (int i = 0; i < one.table->column_count; ++i) {
      const auto& a = one.rows->column(i);
      const auto& b = other.rows->column(i);
      EXPECT_EQ(a->null_count(), 0) << one.rows->schema()->field(i)->ToString();
      for (int64_t row = 0; row < a->length() && !a->Equals(b); ++row) {
        ASSERT_TRUE(a->Slice(row, 1)->Equals(b->Slice(row, 1)))
            << one.rows->schema()->field(i)->name() << " of row " << row << ": "
            << a->Slice(row, 1)->ToString() << " and " << b->Slice(row, 1)->ToString();
      }
    }
  }
};

// NOLINTNEXTLINE(readability-function-size): one query and its columns
TEST_F(RandomValues, FormsAgreeWithEachOtherAndWithTheServer) {
  const double seed = static_cast<double>(Seed() % 1000000) / 1000000;
  ASSERT_NO_FATAL_FAILURE(Prepare(kFunctions));
  ASSERT_NO_FATAL_FAILURE(Sql("SELECT setseed(" + std::to_string(seed) + ");" + kRows));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch binary, Select(ValueForm::kBinary));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch text, Select(ValueForm::kText));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeBatch copied, Copy(300));
  Compare(binary, text, "text");
  Compare(binary, copied, "copy");

  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto wanted,
      values_->Query(
          "SELECT n, d, big, (extract(epoch FROM at) * 1000000)::numeric(30,0), day - date '1970-01-01', "
          "(extract(year FROM i) * 12 + extract(month FROM i))::int, extract(day FROM i)::int, "
          "((extract(hour FROM i) * 3600 + extract(minute FROM i) * 60) * 1000000 + extract(microseconds "
          "FROM "
          "i))::int8 * 1000, j, v, bits, a FROM t ORDER BY id"));
  const auto& rows = *binary.rows;
  const auto& numeric = static_cast<const arrow::StringArray&>(*rows.GetColumnByName("n"));
  const auto& small = static_cast<const arrow::Decimal128Array&>(*rows.GetColumnByName("d"));
  const auto& large = static_cast<const arrow::Decimal256Array&>(*rows.GetColumnByName("big"));
  const auto& at = static_cast<const arrow::TimestampArray&>(*rows.GetColumnByName("at"));
  const auto& day = static_cast<const arrow::Date32Array&>(*rows.GetColumnByName("day"));
  const auto& interval = static_cast<const arrow::MonthDayNanoIntervalArray&>(*rows.GetColumnByName("i"));
  const auto& json = static_cast<const arrow::StringArray&>(
      *static_cast<const arrow::ExtensionArray&>(*rows.GetColumnByName("j")).storage());
  const auto& vector = static_cast<const arrow::StringArray&>(*rows.GetColumnByName("v"));
  const auto& bits = static_cast<const arrow::StringArray&>(*rows.GetColumnByName("bits"));
  const auto& address = static_cast<const arrow::StringArray&>(*rows.GetColumnByName("a"));
  ASSERT_EQ(static_cast<int64_t>(wanted.size()), rows.num_rows());
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const SqlRow& row = wanted[static_cast<size_t>(i)];
    EXPECT_EQ(numeric.GetView(i), *row[0]);
    EXPECT_EQ(arrow::Decimal128(small.GetValue(i)), arrow::Decimal128::FromString(*row[1]).ValueOrDie());
    EXPECT_EQ(arrow::Decimal256(large.GetValue(i)), arrow::Decimal256::FromString(*row[2]).ValueOrDie());
    EXPECT_EQ(std::to_string(at.Value(i)), *row[3]);
    EXPECT_EQ(std::to_string(day.Value(i)), *row[4]);
    EXPECT_EQ(std::to_string(interval.GetValue(i).months), *row[5]);
    EXPECT_EQ(std::to_string(interval.GetValue(i).days), *row[6]);
    EXPECT_EQ(std::to_string(interval.GetValue(i).nanoseconds), *row[7]);
    EXPECT_EQ(json.GetView(i), *row[8]);
    EXPECT_EQ(vector.GetView(i), *row[9]);
    EXPECT_EQ(bits.GetView(i), *row[10]);
    EXPECT_EQ(address.GetView(i), *row[11]);
  }
}

}  // namespace
}  // namespace arrowcdc::test
