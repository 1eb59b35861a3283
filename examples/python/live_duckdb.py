"""A DuckDB query over the changes of a table, answered anew whenever there are more of them, until Ctrl-C.

    python live_duckdb.py HOST DATABASE USER      (public.orders, which has a column total)
"""

import sys

import duckdb

from arrowcdc import ArrowCDCReaderConfig

QUERY = "SELECT _op, count(*), sum(total) FROM changes GROUP BY _op ORDER BY _op"


def main(host: str, database: str, user: str) -> None:
    connection = duckdb.connect()
    known = False
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(
        host=host, database=database, user=user, tables="public.orders", slot="live_duckdb", commit="by-hand"
    ) as readers:
        try:
            for batch in readers["public.orders"]:  # DuckDB finds it by its name
                into = "INSERT INTO changes BY NAME" if known else "CREATE TABLE changes AS"
                connection.execute(f"{into} SELECT * FROM batch")
                known = True
                answer = connection.execute(QUERY).fetchall()
                print("; ".join(f"{operation}: {changes} changes, total {total}"
                                for operation, changes, total in answer), flush=True)
        except KeyboardInterrupt:
            # The table of the changes ends with this program. They stay in the slot: nothing was committed.
            print("stopped")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python live_duckdb.py HOST DATABASE USER")
    main(*sys.argv[1:])
