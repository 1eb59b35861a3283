"""The changes up to now as a pandas frame.

    python changes_pandas.py HOST DATABASE USER
"""

import sys

import pandas

from arrowcdc import ArrowCDCReaderConfig


def main(host: str, database: str, user: str) -> None:
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(host=host, database=database, user=user, tables="public.users", commit="by-hand") as readers:
        users = readers["public.users"]
        frame = pandas.DataFrame.from_arrow(users)
        print(frame.groupby("_op", observed=True)["id"].count().to_string())
        users.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
