-- The orders as they are now, from their changes. DuckDB, run at the root of the tree after `make demo`:
--   .venv/bin/python -c "import duckdb; print(duckdb.sql(open('examples/shop/current_state.sql').read()))"
-- A change that did not carry a column (a long note that an update left alone) names it in _unchanged: the column's value is then
-- the last one that was carried.
WITH changes AS (
  SELECT *, row_number() OVER (ORDER BY _commit_lsn, _lsn, _ord) AS n
  FROM read_parquet('build/demo/changes/shop.orders/*.parquet', union_by_name = true)
), valid AS (
  SELECT *, coalesce(_unchanged, []) AS kept
  FROM changes
  WHERE _op IN ('insert', 'update_after', 'delete') AND n > coalesce((SELECT max(n) FROM changes WHERE _op = 'truncate'), 0)
)
SELECT id,
       count(*) AS changes,
       arg_max_null(customer, n) AS customer,
       arg_max_null(status, n) AS status,
       arg_max_null(total, n) AS total,
       left(arg_max_null(note, n) FILTER (NOT list_contains(kept, 'note')), 12) AS note,
       arg_max_null(tags, n) FILTER (NOT list_contains(kept, 'tags')) AS tags
FROM valid
GROUP BY id
HAVING arg_max(_op, n) <> 'delete'
ORDER BY changes DESC, id
LIMIT 8;
