#!/usr/bin/env python3
"""As compare_replay.py, for tables of a MySQL: replays the change rows in a Parquet directory, compares the
result with the tables, and each change with a journal that triggers kept. Then the same with what
`arrowcdc sql` prints, run by DuckDB.

  compare_mysql.py --parquet DIR --command ARROWCDC --journal TABLE --tables TABLE... -- MYSQL ARGUMENT...

MYSQL and its arguments are the client program of the source. The last lines are `total rows=N lost=N
duplicated=N wrong=N` and `state OK`; exit code 0 only if all is the same.
"""

import argparse
import collections
import json
import struct
import subprocess
import sys

import duckdb
from compare_replay import (Column, Table, Transactions, compare_table, converter, duck_expression,
                            identifier)

# SQL for the canonical text of a value, which is that of compare_replay's duck_expression.
EXPRESSIONS = {
    "date": "DATEDIFF({}, '1970-01-01')",
    "datetime": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {})",
    "timestamp": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {})",
    "binary": "CONCAT('\\\\x', LOWER(HEX({})))",
    "double": "{}",
    **dict.fromkeys(("bigint", "int", "decimal", "varchar", "text", "enum", "set", "json"), "{}"),
}


class MysqlSource:
    def __init__(self, client):
        self.client = client

    def query(self, select):
        """Rows of JSON_ARRAY(...), as lists."""
        run = subprocess.run([*self.client, "--batch", "--raw", "--skip-column-names", "--quick"],
                             input=f"SET time_zone = '+00:00'; {select};".encode(), capture_output=True)
        if run.returncode != 0:
            raise SystemExit("compare_mysql: " + run.stderr.decode(errors="replace").strip())
        return [json.loads(line) for line in run.stdout.decode().split("\n")[:-1]]

    def table(self, name):
        schema, table = name.split(".")
        found = self.query(f"""
            SELECT JSON_ARRAY(column_name, data_type, column_key = 'PRI') FROM information_schema.columns
            WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position""")
        # No numbers of columns are in the files, so the names stand for them.
        columns = [Column(column, column, data_type, None) for column, data_type, _ in found]
        key = [column for column, _, is_key in found if is_key]
        if not columns or not key:
            raise SystemExit(f"compare_mysql: no table {name} with a primary key in the source")
        return Table(schema, table, "d", columns, key, name)

    def rows(self, table):
        expressions = []
        for column in table.columns:
            value = EXPRESSIONS[column.type].format(f"`{column.name}`")
            expressions.append(value if column.type == "double" else f"CONVERT({value} USING utf8mb4)")
        for row in self.query(f"SELECT JSON_ARRAY({', '.join(expressions)}) FROM {table.relation}"):
            yield tuple(struct.pack(">d", value).hex() if isinstance(value, (int, float)) else value
                        for value in row)


def read_journal(source, journal):
    """{table: Counter of (no xid, operation, key)}."""
    entries = collections.defaultdict(collections.Counter)
    for tbl, op, key in source.query(f"SELECT JSON_ARRAY(tbl, op, row_key) FROM {journal}"):
        entries[tbl][(None, op, key)] += 1
    return entries


def state_rows(command, directory, table):
    """The current rows as `arrowcdc sql` has them, in canonical text."""
    sql = subprocess.run([command, "sql", directory, f"{table.schema}.{table.name}"], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    database = duckdb.connect()
    types = {name: duck_type for name, duck_type, *_ in
             database.execute(f"DESCRIBE SELECT * FROM ({sql})").fetchall()}
    expressions = [duck_expression(identifier(column.name), types[column.name], column.type)
                   for column in table.columns]
    converters = [converter(types[column.name], column.type, None) for column in table.columns]
    for row in database.execute(f"SELECT {', '.join(expressions)} FROM ({sql})").fetchall():
        yield tuple(value if value is None or convert is None else convert(value)
                    for value, convert in zip(row, converters))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", required=True, metavar="DIR")
    parser.add_argument("--command", required=True, help="the command arrowcdc")
    parser.add_argument("--journal", required=True, help="table (tbl, op, row_key) of every change")
    parser.add_argument("--tables", required=True, nargs="+")
    parser.add_argument("client", nargs="+", help="the source's client program and its arguments")
    arguments = parser.parse_args()

    source = MysqlSource(arguments.client)
    journal = read_journal(source, arguments.journal)
    totals = collections.Counter()
    different = 0
    for name in arguments.tables:
        table = source.table(name)
        report = compare_table(source, arguments.parquet, table, Transactions(), journal)
        if report.unknown:
            report.add("wrong", f"{report.unknown} cells that no change row carried", report.unknown)
        counts = {what: getattr(report, what) for what in ("rows", "lost", "duplicated", "wrong")}
        totals.update(counts)
        print(name, *(f"{what}={count}" for what, count in counts.items()),
              "(" + ", ".join(f"{op} {count}" for op, count in sorted(report.ops.items())) + ")")
        for example in report.examples:
            print("  " + example)
        in_files = collections.Counter(state_rows(arguments.command, arguments.parquet, table))
        in_source = collections.Counter(source.rows(table))
        only_files, only_source = (in_files - in_source).total(), (in_source - in_files).total()
        print(f"{name}: {in_source.total()} rows now, {only_files} only in the files, {only_source} only in "
              "the source")
        different += only_files + only_source
    print("total", *(f"{what}={totals[what]}" for what in ("rows", "lost", "duplicated", "wrong")))
    print("state OK" if different == 0 else "state differs")
    return 1 if different or totals["lost"] or totals["duplicated"] or totals["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
