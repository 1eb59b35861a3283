"""The current state of a table as a Delta Lake table: each call merges the changes up to now, every change
exactly once.

    python delta_merge.py HOST DATABASE USER DIRECTORY      (public.users; packages deltalake and polars)

The position of the last change is part of the Delta commit that holds it, as versions of application
transactions. Whatever happens between that commit and the slot's, changes that come again are recognised by
their position.
"""

import sys

import polars as pl
from current_state_polars import METADATA, apply
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from arrowcdc import ArrowCDCReaderConfig, Reader

POSITION = ["_commit_lsn", "_lsn", "_ord"]  # identifies a change, and orders the changes


def after(position: list[int]) -> pl.Expr:
    """Changes behind the position, compared part by part."""
    newer = pl.lit(False)
    for name, part in reversed(list(zip(POSITION, position))):
        newer = (pl.col(name) > part) | ((pl.col(name) == part) & newer)
    return newer


def merge(reader: Reader, path: str) -> int:
    """How many changes went into the Delta table at `path`. They may be committed afterwards."""
    arrived = reader.read_all()
    if arrived.num_rows == 0:
        return 0
    changes = pl.DataFrame(arrived).with_columns(pl.col("_op").cast(pl.String))
    keys = reader.key_columns or []
    table = DeltaTable.create(path, changes.select(pl.exclude(METADATA)).to_arrow().schema, mode="ignore")
    # A transaction of its own for each part of the position: versions are single numbers.
    transactions = [f"arrowcdc/{reader.name}/{name}" for name in POSITION]
    versions = [table.transaction_version(transaction) for transaction in transactions]
    position = [-1 if version is None else version for version in versions]
    changes = changes.filter(after(position))
    if len(changes) == 0:
        return 0

    touched = changes.select(keys).unique()
    state = None
    if changes["_unchanged"].null_count() < len(changes):  # only then does it matter what stood there
        state = pl.scan_delta(table).join(touched.lazy(), on=keys, how="semi").collect()
    live = apply(state, changes, keys)
    new_versions = changes.select(POSITION).row(-1)
    properties = CommitProperties(
        app_transactions=[Transaction(*of) for of in zip(transactions, new_versions)]
    )
    if (changes["_op"] == "truncate").any():
        write_deltalake(table, live, mode="overwrite", schema_mode="overwrite", commit_properties=properties)
    else:
        gone = touched.join(live, on=keys, how="anti").with_columns(_gone=True)
        source = pl.concat([live.with_columns(_gone=False), gone], how="diagonal")
        columns = {name: f"source.`{name}`" for name in live.columns}
        same_key = " AND ".join(f"target.`{key}` = source.`{key}`" for key in keys)
        (
            table.merge(source, same_key, "source", "target", merge_schema=True, commit_properties=properties)
            .when_matched_delete("source._gone")
            .when_matched_update(columns)
            .when_not_matched_insert(columns, "NOT source._gone")
            .execute()
        )
    return len(changes)


def main(host: str, database: str, user: str, path: str) -> None:
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(
        host=host, database=database, user=user, tables="public.users", slot="delta_merge", commit="by-hand"
    ) as readers:
        users = readers["public.users"]
        print(f"{merge(users, path)} changes merged")
        users.commit()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: python delta_merge.py HOST DATABASE USER DIRECTORY")
    main(*sys.argv[1:])
