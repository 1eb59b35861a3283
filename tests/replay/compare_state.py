#!/usr/bin/env python3
"""Runs what `arrowcdc sql` prints in DuckDB and compares the rows with the tables that they came from, both
ways, with multiplicity.

  compare_state.py COMMAND DIR CONNINFO TABLE...

Prints a line a table; the last is `state OK` only if all are the same.
"""

import subprocess
import sys
import tempfile

import duckdb


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def psql(conninfo, sql):
    return run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", conninfo,
               "-c", "SET timezone = 'UTC'", "-c", sql)


def source_column(line):
    name, is_array = line.rsplit("|", 1)
    quoted = '"' + name.replace('"', '""') + '"'
    return f"to_json({quoted})" if is_array == "t" else quoted


def compare(command, directory, conninfo, table):
    """The number of rows, of those only in the files, and of those only in the source."""
    database = duckdb.connect()
    database.execute("SET timezone = 'UTC'")
    database.execute("CREATE TABLE files AS " + run(command, "sql", directory, table))
    columns = psql(conninfo, f"""
        SELECT attname, format_type(atttypid, atttypmod) LIKE '%[]' FROM pg_attribute
        WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum""").splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as csv:
        csv.write(psql(conninfo, f"COPY (SELECT {', '.join(map(source_column, columns))} FROM {table}) "
                                 "TO STDOUT (FORMAT csv, NULL '\\N', FORCE_QUOTE *)"))
        csv.flush()
        database.execute("CREATE TABLE source AS FROM files LIMIT 0")
        database.execute(f"COPY source FROM '{csv.name}' "
                         "(FORMAT csv, HEADER false, NULLSTR '\\N', PARALLEL false, AUTO_DETECT false, "
                         "DELIM ',', QUOTE '\"', ESCAPE '\"')")

    def count(query):
        return database.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]

    return (count("FROM source"), count("FROM files EXCEPT ALL FROM source"),
            count("FROM source EXCEPT ALL FROM files"))


def main(command, directory, conninfo, *tables):
    different = 0
    for table in tables:
        rows, only_files, only_source = compare(command, directory, conninfo, table)
        print(f"{table}: {rows} rows, {only_files} only in the files, {only_source} only in the source")
        different += only_files + only_source
    print("state OK" if different == 0 else "state differs")
    return 1 if different else 0


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
