"""The changes of a table as an Apache Iceberg table: each call appends the changes up to now, every change
exactly once.

    python iceberg_append.py HOST DATABASE USER DIRECTORY      (public.users; package pyiceberg[sql-sqlite])

The position of the last change is a property of the Iceberg table, set in the transaction that appends the
changes. Whatever happens between that transaction and the slot's commit, changes that come again are
recognised by their position.
"""

import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from arrowcdc import ArrowCDCReaderConfig, Reader

POSITION = ["_commit_lsn", "_lsn", "_ord"]  # identifies a change, and orders the changes


def after(changes: pa.Table, position: list[int]) -> pa.Table:
    """Changes behind the position, compared part by part."""
    newer = pa.scalar(False)
    for name, part in reversed(list(zip(POSITION, position))):
        newer = pc.or_(pc.greater(changes[name], part), pc.and_(pc.equal(changes[name], part), newer))
    return changes.filter(newer)


def iceberg_type(type_: pa.DataType) -> pa.DataType:
    """Iceberg has integers of 32 and 64 bits with a sign, and no dictionaries. An LSN fits into 63 bits."""
    if isinstance(type_, pa.BaseExtensionType):
        return iceberg_type(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return type_.value_type
    if pa.types.is_list(type_):
        return pa.list_(iceberg_type(type_.value_type))
    if pa.types.is_integer(type_):
        return pa.int64() if type_ in (pa.int64(), pa.uint32(), pa.uint64()) else pa.int32()
    return type_


def append(reader: Reader, catalog: Catalog, name: str) -> int:
    """How many changes were appended to the Iceberg table. They may be committed afterwards."""
    changes = reader.read_all()
    if changes.num_rows == 0:
        return 0
    schema = pa.schema([(field.name, iceberg_type(field.type)) for field in changes.schema])
    changes = changes.cast(schema)
    table = catalog.create_table_if_not_exists(name, schema)
    stored = table.properties.get("arrowcdc.position")
    if stored is not None:
        changes = after(changes, [int(part) for part in stored.split("/")])
    if changes.num_rows == 0:
        return 0
    last = changes.select(POSITION).slice(changes.num_rows - 1).to_pylist()[0]
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            update.union_by_name(schema)
        transaction.append(changes)
        transaction.set_properties({"arrowcdc.position": "/".join(str(last[part]) for part in POSITION)})
    return len(changes)


def main(host: str, database: str, user: str, directory: str) -> None:
    directory = os.path.abspath(directory)
    os.makedirs(directory, exist_ok=True)
    catalog = SqlCatalog("changes", uri=f"sqlite:///{directory}/catalog.db", warehouse=f"file://{directory}")
    catalog.create_namespace_if_not_exists("public")
    configure = ArrowCDCReaderConfig.auto_configure
    with configure(
        host=host, database=database, user=user, tables="public.users", slot="iceberg_append",
        commit="by-hand"
    ) as readers:
        users = readers["public.users"]
        print(f"{append(users, catalog, 'public.users')} changes appended")
        users.commit()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: python iceberg_append.py HOST DATABASE USER DIRECTORY")
    main(*sys.argv[1:])
