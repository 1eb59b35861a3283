"""The changes of public.users up to now as a pandas frame (pandas 3).

    python changes_pandas.py HOST DATABASE USER
"""

import sys

import pandas

from arrowcdc import ArrowCDCReaderConfig


def main(host: str, database: str, user: str) -> None:
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(
        host=host, database=database, user=user, tables="public.users", slot="changes_pandas",
        commit="by-hand"
    ) as readers:
        users = readers["public.users"]
        frame = pandas.DataFrame.from_arrow(users)
        # Before the first change of all the columns are not known.
        counts = frame.groupby("_op", observed=True)["id"].count() if len(frame) > 0 else None
        print("no changes" if counts is None else counts.to_string())
        users.commit()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python changes_pandas.py HOST DATABASE USER")
    main(*sys.argv[1:])
