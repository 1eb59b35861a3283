"""A DuckDB query over the changes of a table as they are now; they are acknowledged once the answer is there.

    python live_duckdb.py HOST DATABASE USER
"""

import sys

import duckdb

from arrowcdc import ArrowCDCReaderConfig


def main(host, database, user):
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(host=host, database=database, user=user, tables="public.orders", commit="by-hand") as readers:
        orders = readers["public.orders"]
        query = "SELECT _op, count(*) AS changes, sum(total) AS total FROM orders GROUP BY _op ORDER BY _op"
        for operation, changes, total in duckdb.sql(query).fetchall():
            print(f"{operation}: {changes} changes, total {total}")
        orders.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
