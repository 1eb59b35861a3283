"""The current state of a table, kept in a Polars frame from its changes: here public.users, up to now.

    python current_state_polars.py HOST DATABASE USER
"""

import sys

import polars as pl
import pyarrow as pa

from arrowcdc import ArrowCDCReaderConfig

METADATA = ["_op", "_commit_lsn", "_lsn", "_ord", "_xid", "_commit_ts", "_unchanged", "_unrepresentable"]


def with_unchanged(state: pl.DataFrame, changes: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The changes with the values that they left out (`_unchanged`): those of the change before it, else
    those of the state."""
    columns = [name for name in changes.columns if name not in METADATA]
    # A row keeps its number through changes of its key; `known_as` is the key that the state has it under.
    numbers: dict[tuple[object, ...], int] = {}
    known_as: list[tuple[object, ...]] = []
    row_of_change: list[int] = []
    old_key = None
    for operation, key in zip(changes["_op"], changes.select(keys).iter_rows()):
        # The row before an update_after tells the old key, where there is one.
        before = old_key if operation == "update_after" and old_key is not None else key
        old_key = key if operation == "update_before" else None
        if operation in ("insert", "snapshot") or before not in numbers:
            numbers[before] = len(known_as)
            known_as.append(before)
        row_of_change.append(numbers[before])
        if before != key:
            numbers[key] = numbers.pop(before)
    known = pl.DataFrame(known_as, schema=state.select(keys).schema, orient="row")
    stored = known.join(state, on=keys, how="left", maintain_order="left")[row_of_change]
    changes = changes.with_columns(pl.Series("_row", row_of_change)).with_row_index("_place")
    only_key = pl.col("_op").is_in(["update_before", "delete"])
    for name in columns:
        if name in keys:
            continue
        left_out = only_key | pl.col("_unchanged").list.contains(name).fill_null(False)
        place = pl.when(left_out).then(None).otherwise(pl.col("_place")).forward_fill().over("_row")
        value = pl.when(place.is_null()).then(stored[name]).otherwise(pl.col(name).gather(place))
        changes = changes.with_columns(value.alias(name))
    return changes.drop("_row", "_place")


def apply(state: pl.DataFrame | None, changes: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The state after the changes."""
    changes = changes.with_columns(pl.col("_op").cast(pl.String))
    columns = changes.select(pl.exclude(METADATA)).clear()
    state = columns if state is None else pl.concat([state, columns], how="diagonal")
    truncated = (changes["_op"] == "truncate").arg_true()
    if len(truncated) > 0:
        state, changes = state.clear(), changes[truncated[-1] + 1 :]
    if changes["_unchanged"].null_count() < len(changes):
        changes = with_unchanged(state, changes, keys)
    last = changes.unique(subset=keys, keep="last", maintain_order=True)
    is_live = pl.col("_op").is_in(["insert", "snapshot", "update_after"])
    live = last.filter(is_live).select(pl.exclude(METADATA))
    return pl.concat([state.join(last, on=keys, how="anti"), live], how="diagonal")


def follow(state: pl.DataFrame, old: pa.Schema, new: pa.Schema) -> pl.DataFrame:
    """The state under a newer schema of its table: a column is known by its field id, whatever its name."""
    new_names = {field.metadata[b"PARQUET:field_id"]: field.name for field in new
                 if b"PARQUET:field_id" in (field.metadata or {})}
    kept = {}
    for field in old:
        field_id = (field.metadata or {}).get(b"PARQUET:field_id")
        if field_id in new_names:
            kept[field.name] = new_names[field_id]
    types = pl.DataFrame(new.empty_table()).schema
    return state.select(pl.col(name).cast(types[new_name], strict=False).alias(new_name)
                        for name, new_name in kept.items())


class CurrentState:
    """The rows of a table with a key, kept up to date batch by batch."""

    def __init__(self) -> None:
        self.rows: pl.DataFrame | None = None
        self._schema: pa.Schema | None = None
        self._old_key: pl.DataFrame | None = None

    def add(self, batch: pa.RecordBatch, keys: list[str]) -> None:
        if not keys:
            raise ValueError("without a key the changes do not say which rows they belong to")
        known = self.rows is not None and self._schema is not None
        if known and not batch.schema.equals(self._schema, check_metadata=True):
            self.rows = follow(self.rows, self._schema, batch.schema)
        self._schema = batch.schema
        changes = pl.DataFrame(batch).with_columns(pl.col("_op").cast(pl.String))
        if self._old_key is not None:
            changes = pl.concat([self._old_key, changes])
        # An update_before and its update_after may come in two batches.
        self._old_key = changes.tail(1) if changes["_op"][-1] == "update_before" else None
        if self._old_key is not None:
            changes = changes.head(-1)
        if len(changes) > 0:
            self.rows = apply(self.rows, changes, keys)


def main(host: str, database: str, user: str) -> None:
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(
        host=host, database=database, user=user, tables="public.users", slot="current_state_polars",
        commit="by-hand"
    ) as readers:
        users = readers["public.users"]
        state = CurrentState()
        for batch in users.batches(until="now"):
            state.add(batch, users.key_columns or [])
        print("no changes" if state.rows is None else state.rows.sort(users.key_columns or []))
        users.commit()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python current_state_polars.py HOST DATABASE USER")
    main(*sys.argv[1:])
