"""The current state of a table, kept in a Polars frame from its changes.

    python current_state_polars.py HOST DATABASE USER
"""

import sys

import polars as pl

from arrowcdc import ArrowCDCReaderConfig

METADATA = ["_op", "_commit_lsn", "_lsn", "_ord", "_xid", "_commit_ts", "_unchanged", "_unrepresentable"]


def apply(state, changes, keys):
    """The state after the changes. A change whose `_unchanged` is not null left out a large value: it stays as it was."""
    columns = [name for name in changes.columns if name not in METADATA]
    changes = changes.with_columns(pl.col("_op").cast(pl.String))
    for name in (c for c in columns if c not in keys and state is not None):
        kept = pl.col("_unchanged").list.contains(columns.index(name)).fill_null(False)
        before = changes.join(state.select(*keys, pl.col(name).alias("_before")), on=keys, how="left", maintain_order="left")["_before"]
        changes = changes.with_columns(pl.when(kept).then(before).otherwise(pl.col(name)).alias(name))
    last = changes.unique(subset=keys, keep="last", maintain_order=True)
    live = last.filter(~pl.col("_op").is_in(["delete", "update_before"])).select(columns)
    if state is None:
        return live
    return pl.concat([state.join(last, on=keys, how="anti"), live], how="vertical")


def main(host, database, user):
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(host=host, database=database, user=user, tables="public.users", commit="by-hand") as readers:
        users = readers["public.users"]
        state = None
        for batch in users.batches(until="now"):
            changes = pl.DataFrame(batch)
            if "truncate" in changes["_op"].cast(pl.String):
                state = state.clear() if state is not None else None
                continue
            state = apply(state, changes, users.key_columns)
        print(state.sort(users.key_columns) if state is not None else "no changes")
        users.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
