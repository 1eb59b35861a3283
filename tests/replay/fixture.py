#!/usr/bin/env python3
"""Change rows written by hand, the SQL that makes the tables they lead to, and ways to damage the files.

  fixture.py sql                  prints the SQL of the source
  fixture.py write DIR            writes the Parquet files
  fixture.py DAMAGE DIR           damages them: see DAMAGES
"""

import os
import sys

import duckdb

ROWS = 5000

# What the tables of the source hold in the end. The changes below must lead there.
SQL = f"""
CREATE SCHEMA shop;
CREATE TABLE shop.item (id int PRIMARY KEY, price numeric(10,2), doc jsonb, big text, tags text[],
  at timestamptz, day date, raw bytea, u uuid, f float8, g real, ok boolean, n numeric, days date[], tm time,
  never timestamp, c char(4), span interval);
INSERT INTO shop.item SELECT i, i * 0.01, jsonb_build_object('i', i), 'big ' || i,
  ARRAY['a b', NULL, i::text, 'x"y\\z', ''], timestamptz 'epoch' + i * interval '1.000001 s',
  date '1969-12-30' + i % 7, decode(lpad(to_hex(i), 8, '0'), 'hex'), lpad(to_hex(i), 32, '0')::uuid,
  i / 4.0, 0.1, i % 2 = 0, '1.500', ARRAY[date '1970-01-02', NULL],
  time '00:00:01.5', 'infinity', 'ab',
  make_interval(months => i % 30 - 15, days => -i, secs => i * -40.5::float8)
  FROM generate_series(1, {ROWS}) i;
UPDATE shop.item SET price = 7.00, at = NULL WHERE id = 10;
UPDATE shop.item SET id = 100011 WHERE id = 11;
UPDATE shop.item SET n = 'NaN', f = '-0' WHERE id = 12;
DELETE FROM shop.item WHERE id IN (13, 14);
CREATE TABLE shop.log (line text, level int);
ALTER TABLE shop.log REPLICA IDENTITY FULL;
INSERT INTO shop.log VALUES ('twice', 1), ('twice', 1), (E'tab\\there\\nand \\\\N', NULL), (NULL, 2);
CREATE TABLE "We.ird/""T" ("_op" text, "_commit_lsn" int PRIMARY KEY);
INSERT INTO "We.ird/""T" VALUES ('mine', 1);
CREATE TABLE shop.emptied (id int PRIMARY KEY);
CREATE TABLE shop.grown (id int PRIMARY KEY, new_name text, added int);
ALTER TABLE shop.grown ADD COLUMN dropped text;
ALTER TABLE shop.grown DROP COLUMN dropped;
INSERT INTO shop.grown VALUES (1, 'one', 5), (2, 'two', NULL);
CREATE TABLE shop.journal (tbl text, op text, xid bigint, key text);
INSERT INTO shop.journal SELECT 'shop.item', 'insert', 700, i::text FROM generate_series(1, {ROWS}) i;
INSERT INTO shop.journal VALUES
  ('shop.item', 'update', 701, '10'), ('shop.item', 'update', 702, '100011'),
  ('shop.item', 'update', 703, '12'), ('shop.item', 'delete', 704, '13'), ('shop.item', 'delete', 704, '14'),
  ('shop.item', 'insert', 705, '99999'), ('shop.item', 'delete', 705, '99999');
"""

# A copy that went on at a second point: row 1 is of the first, 2 changed in between, 3 came and 4 went then.
SQL += """
CREATE TABLE shop.resumed (id int PRIMARY KEY, note text);
INSERT INTO shop.resumed VALUES (1, 'one'), (2, 'new'), (3, 'three'), (5, 'five');
"""

TABLES = ["shop.resumed", "shop.item", "shop.log", '"We.ird/""T"', "shop.emptied", "shop.grown"]


def meta(op, commit, lsn, place, xid, unchanged="NULL", unrepresentable="NULL", prefix=""):
    return (f"'{op}' AS {prefix}_op, {commit}::UBIGINT AS {prefix}_commit_lsn, ({lsn})::UBIGINT AS _lsn, "
            f"{place}::USMALLINT AS _ord, {xid}::UINTEGER AS _xid, "
            f"TIMESTAMPTZ '2026-01-01 00:00:00+00' AS _commit_ts, "
            f"{unchanged}::VARCHAR[] AS _unchanged, {unrepresentable}::VARCHAR[] AS _unrepresentable")


ITEM = ["id", "price", "doc", "big", "tags", "at", "day", "raw", "u", "f", "g", "ok", "n", "days", "tm",
        "never", "c", "span"]


def item(number, **changed):
    """One row of shop.item in DuckDB's words, written apart from the SQL above."""
    values = {
        "id": f"({number})::INTEGER",
        "price": f"(({number})::DECIMAL(10,0) / 100)::DECIMAL(10,2)",
        "doc": f"""'{{"i": ' || ({number})::VARCHAR || '}}'""",
        "big": f"'big ' || ({number})::VARCHAR",
        "tags": f"""['a b', NULL, ({number})::VARCHAR, 'x"y\\z', '']""",
        "at": f"make_timestamp(({number})::BIGINT * 1000001)::TIMESTAMP AT TIME ZONE 'UTC'",
        "day": f"DATE '1969-12-30' + (({number}) % 7)::INTEGER",
        "raw": f"unhex(printf('%08x', ({number})::BIGINT))",
        "u": f"printf('00000000-0000-0000-0000-%012x', ({number})::BIGINT)::UUID",
        "f": f"({number})::DOUBLE / 4",
        "g": "0.1::FLOAT",
        "ok": f"({number}) % 2 = 0",
        "n": "'1.500'",
        "days": "[DATE '1970-01-02', NULL]",
        "tm": "TIME '00:00:01.5'",
        "never": "NULL::TIMESTAMP",
        "c": "'ab  '",
        "span": f"{{'months': (({number}) % 30 - 15)::INTEGER, 'days': (-({number}))::INTEGER, "
                f"'nanoseconds': ({number})::BIGINT * -40500000000}}",
    }
    values.update(changed)
    return ", ".join(f"{values[name]} AS {name}" for name in ITEM)


def only_key(number):
    nulls = {name: "NULL" for name in ITEM[1:]}
    return item(number, **nulls)


NEVER = "['never']"  # infinity has no Arrow form
BIG = "['big']"

ITEM_CHANGES = [
    f"SELECT {item('i')}, {meta('insert', 1000, '100 + i', 0, 700, unrepresentable=NEVER)} "
    f"FROM range(1, {ROWS + 1}) r(i)",
    # Updates that do not carry `big`; the second one changes the key as well.
    f"SELECT {item(10, price='7.00', at='NULL', big='NULL')}, "
    f"{meta('update_after', 90010, 90001, 0, 701, BIG, NEVER)}",
    f"SELECT {only_key(11)}, {meta('update_before', 90020, 90011, 0, 702)}",
    f"SELECT {item(11, id='100011', big='NULL')}, {meta('update_after', 90020, 90011, 1, 702, BIG, NEVER)}",
    f"SELECT {item(12, n=repr('NaN'), f='-0.0::DOUBLE')}, "
    f"{meta('update_after', 90030, 90021, 0, 703, unrepresentable=NEVER)}",
    f"SELECT {only_key(13)}, {meta('delete', 90040, 90031, 0, 704)}",
    f"SELECT {only_key(14)}, {meta('delete', 90040, 90032, 0, 704)}",
    # A pair that cancels out: only the journal knows of it.
    f"SELECT {item(99999)}, {meta('insert', 90050, 90041, 0, 705, unrepresentable=NEVER)}",
    f"SELECT {only_key(99999)}, {meta('delete', 90050, 90042, 0, 705)}",
]

LOG_ROW = "{} AS line, {}::INTEGER AS level"
LOG_CHANGES = [
    f"SELECT {LOG_ROW.format(repr('gone'), 1)}, {meta('insert', 90060, 90051, 0, 706)}",
    f"SELECT NULL AS line, NULL::INTEGER AS level, {meta('truncate', 90070, 90061, 0, 707)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 1)}, {meta('insert', 90080, 90071, 0, 708)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 1)}, {meta('insert', 90080, 90071, 1, 708)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 1)}, {meta('insert', 90080, 90071, 2, 708)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 1)}, {meta('update_before', 90090, 90081, 0, 709)}",
    f"SELECT {LOG_ROW.format('NULL', 2)}, {meta('update_after', 90090, 90081, 1, 709)}",
    f"SELECT chr(116)||'ab'||chr(9)||'here'||chr(10)||'and '||chr(92)||'N' AS line, NULL::INTEGER AS level, "
    f"{meta('insert', 90100, 90091, 0, 710)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 2)}, {meta('insert', 90110, 90101, 0, 711)}",
    f"SELECT {LOG_ROW.format(repr('twice'), 2)}, {meta('delete', 90120, 90111, 0, 712)}",
]

WEIRD_CHANGES = [
    f"SELECT 'mine' AS _op, 1::INTEGER AS _commit_lsn, {meta('insert', 90130, 90121, 0, 713, prefix='_')}",
]

EMPTIED_CHANGES = [
    f"SELECT 1::INTEGER AS id, {meta('insert', 90140, 90131, 0, 714)}",
    f"SELECT NULL::INTEGER AS id, {meta('truncate', 90150, 90141, 2, 715)}",
]

# A renamed column (field id 2), one added later (3), and one dropped (4).
GROWN_OLD = [f"SELECT 1::INTEGER AS id, 'one' AS old_name, {meta('insert', 90160, 90151, 0, 716)}"]
GROWN_NEW = [
    "SELECT 2::INTEGER AS id, 'two' AS new_name, NULL::INTEGER AS added, 'x' AS dropped, "
    f"{meta('insert', 90170, 90161, 0, 717)}",
    "SELECT 1::INTEGER AS id, 'one' AS new_name, 5::INTEGER AS added, 'y' AS dropped, "
    f"{meta('update_after', 90180, 90171, 0, 718)}",
]

NOTE = "['note']"
RESUMED_CHANGES = [
    f"SELECT 1::INTEGER AS id, 'one' AS note, {meta('snapshot', 90199, 1, 0, 'NULL')}",
    f"SELECT 2::INTEGER AS id, 'old' AS note, {meta('snapshot', 90199, 2, 0, 'NULL')}",
    f"SELECT 4::INTEGER AS id, 'four' AS note, {meta('snapshot', 90199, 4, 0, 'NULL')}",
    f"SELECT 2::INTEGER AS id, 'new' AS note, {meta('update_after', 90210, 90201, 0, 719)}",
    f"SELECT 4::INTEGER AS id, NULL AS note, {meta('delete', 90220, 90211, 0, 720)}",
    f"SELECT 6::INTEGER AS id, NULL AS note, {meta('delete', 90220, 90212, 0, 720)}",
    f"SELECT 5::INTEGER AS id, NULL AS note, {meta('update_after', 90230, 90221, 0, 721, NOTE)}",
    f"SELECT 2::INTEGER AS id, 'new' AS note, {meta('snapshot', 90239, 2, 0, 'NULL')}",
    f"SELECT 3::INTEGER AS id, 'three' AS note, {meta('snapshot', 90239, 3, 0, 'NULL')}",
    f"SELECT 5::INTEGER AS id, 'five' AS note, {meta('snapshot', 90239, 5, 0, 'NULL')}",
]


def write(directory):
    database = duckdb.connect()
    # The small tables in two files, which must be read as one.
    for folder, name, changes, ids in (
        ("shop.resumed", "a", RESUMED_CHANGES[:3], ""), ("shop.resumed", "b", RESUMED_CHANGES[3:], ""),
        ("shop.item", "a", ITEM_CHANGES[:1], ""), ("shop.item", "b", ITEM_CHANGES[1:], ""),
        ("shop.log", "b", LOG_CHANGES[:3], ""), ("shop.log", "a", LOG_CHANGES[3:], ""),
        ("public.We%2Eird%2F%22T", "a", WEIRD_CHANGES, ""), ("shop.emptied", "a", EMPTIED_CHANGES, ""),
        ("shop.grown", "a", GROWN_OLD, ", FIELD_IDS {id: 1, old_name: 2}"),
        ("shop.grown", "b", GROWN_NEW, ", FIELD_IDS {id: 1, new_name: 2, added: 3, dropped: 4}"),
    ):
        os.makedirs(os.path.join(directory, folder), exist_ok=True)
        path = os.path.join(directory, folder, name + ".parquet")
        database.execute(f"COPY ({' UNION ALL '.join(changes)}) TO '{path}' "
                         f"(FORMAT parquet, ROW_GROUP_SIZE 2048{ids})")


def rewrite(path, query):
    """Replaces the file by the rows of a query over `rows`, which has file_row_number."""
    database = duckdb.connect()
    database.execute(f"CREATE TABLE rows AS SELECT * FROM read_parquet('{path}', file_row_number = true)")
    before = database.execute("SELECT count(*) FROM rows").fetchone()[0]
    database.execute(f"COPY (SELECT * EXCLUDE (file_row_number) FROM ({query}) ORDER BY file_row_number) "
                     f"TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    print(f"{path}: {before} rows")


def second_row_group(path):
    rows = duckdb.connect().execute(
        f"SELECT row_group_id, any_value(row_group_num_rows) FROM parquet_metadata('{path}') "
        "GROUP BY 1 ORDER BY 1").fetchall()
    assert len(rows) > 1, "one row group only"
    return f"file_row_number BETWEEN {rows[0][1]} AND {rows[0][1] + rows[1][1] - 1}"


def damage_row_group_removed(directory):
    path = directory + "/shop.item/a.parquet"
    rewrite(path, f"SELECT * FROM rows WHERE NOT ({second_row_group(path)})")


def damage_row_group_doubled(directory):
    path = directory + "/shop.item/a.parquet"
    rewrite(path, f"SELECT * FROM rows UNION ALL SELECT * FROM rows WHERE {second_row_group(path)}")


def damage_copied_row_changed(directory):
    rewrite(directory + "/shop.resumed/b.parquet",
            "SELECT * REPLACE (CASE WHEN _op = 'snapshot' AND id = 2 THEN 'old' ELSE note END AS note) "
            "FROM rows")


def damage_copied_row_lost(directory):
    rewrite(directory + "/shop.resumed/b.parquet", "SELECT * FROM rows WHERE _op <> 'snapshot' OR id <> 3")


def damage_copied_row_doubled(directory):
    rewrite(directory + "/shop.resumed/a.parquet",
            "SELECT * FROM rows UNION ALL SELECT * REPLACE (99::UBIGINT AS _lsn) FROM rows WHERE id = 1")


def damage_late_change_lost(directory):
    rewrite(directory + "/shop.resumed/b.parquet",
            "SELECT * REPLACE (90300::UBIGINT AS _commit_lsn) FROM rows WHERE _op = 'delete'")


def damage_value_changed(directory):
    rewrite(directory + "/shop.item/a.parquet",
            "SELECT * REPLACE (CASE WHEN id = 4321 THEN price + 0.01 ELSE price END AS price) FROM rows")


def damage_file_removed(directory):
    os.remove(directory + "/shop.grown/a.parquet")


def damage_unchanged_lost(directory):
    rewrite(directory + "/shop.item/b.parquet", "SELECT * REPLACE (NULL::VARCHAR[] AS _unchanged) FROM rows")


def damage_truncate_lost(directory):
    rewrite(directory + "/shop.emptied/a.parquet", "SELECT * FROM rows WHERE _op <> 'truncate'")


def damage_bag_row_doubled(directory):
    rewrite(directory + "/shop.log/a.parquet",
            "SELECT * FROM rows UNION ALL "
            "SELECT * REPLACE ((_lsn + 50000)::UBIGINT AS _lsn, 99999999::UBIGINT AS _commit_lsn, "
            "999 AS _xid) FROM rows WHERE _op = 'insert' AND _ord = 1")


def damage_bag_row_changed(directory):
    rewrite(directory + "/shop.log/a.parquet",
            "SELECT * REPLACE (CASE WHEN _op = 'update_after' THEN 3 ELSE level END AS level) FROM rows")


def damage_cancelled_pair_lost(directory):
    rewrite(directory + "/shop.item/b.parquet", "SELECT * FROM rows WHERE id <> 99999")


def damage_unrepresentable_unmarked(directory):
    rewrite(directory + "/shop.item/b.parquet",
            "SELECT * REPLACE (NULL::VARCHAR[] AS _unrepresentable) FROM rows")


def damage_transactions_mixed(directory):
    rewrite(directory + "/shop.item/b.parquet",
            "SELECT * REPLACE (CASE WHEN id = 14 THEN 799 ELSE _xid END AS _xid) FROM rows")


DAMAGES = {name.removeprefix("damage_").replace("_", "-"): function for name, function in globals().items()
           if name.startswith("damage_")}


if __name__ == "__main__":
    if sys.argv[1] == "sql":
        print(SQL)
    elif sys.argv[1] == "tables":
        print("\n".join(TABLES))
    elif sys.argv[1] == "write":
        write(sys.argv[2])
    else:
        DAMAGES[sys.argv[1]](sys.argv[2])
