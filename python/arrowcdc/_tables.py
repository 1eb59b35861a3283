"""Batches of one table, whose columns may have changed in between, as one pyarrow.Table."""

import pyarrow

_METADATA_COLUMNS = 8


def join(batches: list[pyarrow.RecordBatch]) -> pyarrow.Table:
    """One table: the columns in the order in which they came, then the metadata columns."""
    if all(batch.schema.equals(batches[0].schema) for batch in batches):
        return pyarrow.Table.from_batches(batches)
    own: dict[str, None] = {}  # the table's columns in order
    for batch in batches:
        own.update(dict.fromkeys(batch.schema.names[:-_METADATA_COLUMNS]))
    metadata = []
    for name in batches[0].schema.names[-_METADATA_COLUMNS:]:
        while name in own:  # a column of the table that came later
            name = "_" + name
        metadata.append(name)
    tables = []
    for batch in batches:
        columns = batch.schema.names[:-_METADATA_COLUMNS]
        tables.append(pyarrow.Table.from_batches([batch]).rename_columns([*columns, *metadata]))
    return pyarrow.concat_tables(tables, promote_options="default").select([*own, *metadata])
