"""Batches as Arrow data: no copy on the way to Python, and engines that take readers as they are."""

import ctypes
import gc

import duckdb
import pandas
import polars
import pyarrow
import pytest
from helpers import CONFIGURE, ids

import arrowcdc


def addresses(batch):
    return [[buffer.address if buffer else 0 for buffer in column.buffers()] for column in batch.columns]


def test_values_are_where_libpq_has_put_them(server, shop):
    """Python sees the buffers of C++, and the columns of the table lie within the message from the server."""
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users SELECT g, repeat('x', 50) FROM generate_series(1, 100) g", "shop")
        received = []
        assert readers["public.users"]._reader.next(30_000, None, received) == "batch"
        buffers = received[0].buffers()
        batch = pyarrow.record_batch(received[0])
        received.clear()
        gc.collect()
        assert batch.schema.names[:2] == ["id", "name"]
        # A buffer without bytes has no place.
        here = [[address for address, bytes_, _ in column if bytes_] for column in buffers]
        there = [[buffer.address for buffer in column.buffers() if buffer and buffer.size]
                 for column in batch.columns]
        assert here[:2] == there[:2] and all(here[:2])
        (message,) = {whole for column in buffers[:2] for _, bytes_, whole in column if bytes_}
        # XLogData begins with 'w' and three numbers, then comes the plugin's message.
        assert ctypes.string_at(message, 1) == b"w"
        for address, bytes_, _ in [buffer for column in buffers[:2] for buffer in column if buffer[1]]:
            assert 25 <= address - message < 25 + 100 * (4 + 4 + 50) + 10_000
        assert ctypes.string_at(batch.column("name").buffers()[2].address, 5000) == b"x" * 5000
        assert batch.column("name").to_pylist() == ["x" * 50] * 100


def test_what_a_read_returns_speaks_the_pycapsule_interface_without_a_copy(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        batch = readers["public.users"].read(timeout=30)
        schema, array = batch.__arrow_c_array__()
        again = pyarrow.RecordBatch._import_from_c_capsule(schema, array)
        assert again.equals(batch) and addresses(again) == addresses(batch)
        assert pyarrow.Schema._import_from_c_capsule(batch.schema.__arrow_c_schema__()) == batch.schema
        (streamed,) = pyarrow.RecordBatchReader._import_from_c_capsule(batch.__arrow_c_stream__())
        assert addresses(streamed) == addresses(batch)


def test_a_reader_as_a_stream_copies_nothing(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        users._look(30_000, None)
        kept = addresses(pyarrow.record_batch(users._kept[0]))
        (batch,) = pyarrow.RecordBatchReader._import_from_c_capsule(users.__arrow_c_stream__())
        assert addresses(batch) == kept


def test_duckdb_takes_a_reader_as_it_is(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 10) g", "shop")
        assert duckdb.sql("SELECT count(*), sum(id) FROM users").fetchall() == [(10, 55)]
        server.sql("INSERT INTO users SELECT g, 'u' || g FROM generate_series(11, 12) g", "shop")
        relation = duckdb.sql("SELECT id FROM users ORDER BY id")
        assert relation.fetchall() == [(11,), (12,)]
        count = duckdb.sql("SELECT count(*) FROM users").fetchall()
        assert count == [(0,)], "each query takes what came since the last"


def test_after_a_failed_query_the_changes_come_again(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        with pytest.raises(duckdb.Error, match="not today"):
            duckdb.sql("SELECT error('not today' || name) FROM users").fetchall()
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        assert duckdb.sql("SELECT id FROM users").fetchall() == [(1,)]


def test_polars_and_pandas_take_a_reader_as_it_is(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (11, 'u11')", "shop")
        assert polars.DataFrame(users)["id"].to_list() == [11]
        server.sql("INSERT INTO users VALUES (12, 'u12')", "shop")
        assert pandas.DataFrame.from_arrow(users)["name"].to_list() == ["u12"]
        assert len(pandas.DataFrame.from_arrow(users)) == 0


def test_handing_over_commits_nothing_before_the_next_read(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert len(polars.DataFrame(users)) == 1
        assert users.stats()["uncommitted_batches"] == 1
        assert len(polars.DataFrame(users)) == 0
        assert users.stats()["uncommitted_batches"] == 0


def test_read_all_across_columns_that_come_and_go(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("ALTER TABLE users ADD large text;"
                   "ALTER TABLE users ALTER large SET STORAGE EXTERNAL;"
                   "INSERT INTO users VALUES (1, 'a', repeat('x', 5000));"
                   "UPDATE users SET name = 'b'", "shop")
        server.sql("ALTER TABLE users DROP name, ADD mail text; UPDATE users SET mail = 'b@x'", "shop")
        table = readers["public.users"].read_all()
        assert table.column_names == ["id", "name", "large", "mail", "_op", "_commit_lsn", "_lsn", "_ord",
                                      "_xid", "_commit_ts", "_unchanged", "_unrepresentable"]
        assert table["name"].to_pylist() == ["a", "b", None]
        assert table["mail"].to_pylist() == [None, None, "b@x"]
        assert table["large"].to_pylist() == ["x" * 5000, None, None]
        assert table["_unchanged"].to_pylist() == [None, ["large"], ["large"]]


def test_text_that_is_not_utf8_is_null_and_named(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("CREATE CAST (bytea AS text) WITHOUT FUNCTION", "shop")
        server.sql("INSERT INTO users VALUES (1, 'a'), (2, '\\x436166e9'::bytea::text), (3, 'é')", "shop")
        server.sql("DROP CAST (bytea AS text)", "shop")
        table = readers["public.users"].read_all()
        table.validate(full=True)
        assert table["name"].to_pylist() == ["a", None, "é"]
        assert table["_unrepresentable"].to_pylist() == [None, ["name"], None]
        assert polars.DataFrame(table)["_unrepresentable"].to_list() == [None, ["name"], None]


def test_forms_of_values_that_are_asked_for(server, shop):
    server.sql("CREATE TABLE forms (id int PRIMARY KEY, n numeric, at timestamp)", "shop")
    rows = "TRUNCATE forms; INSERT INTO forms VALUES (1, 1.5, 'infinity')"
    for arguments, n, at in (({}, "1.5", None), ({"numeric": "double"}, 1.5, None),
                             ({"unrepresentable": "text"}, "1.5", "infinity")):
        with CONFIGURE(**shop, **arguments) as readers:
            server.sql(rows, "shop")
            row = readers["public.forms"].read_all().to_pylist()[-1]
            assert (row["n"], row["at"]) == (n, at)
    with CONFIGURE(**shop, unrepresentable="error") as readers:
        server.sql(rows, "shop")
        with pytest.raises(arrowcdc.ArrowCDCError, match="at"):
            readers["public.forms"].read_all()


def test_read_all_keeps_a_new_column_apart_from_the_metadata_column_of_its_name(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a'); ALTER TABLE users ADD _xid oid;"
                   "INSERT INTO users VALUES (2, 'b', 77)", "shop")
        table = readers["public.users"].read_all()
        assert table["_xid"].to_pylist() == [None, 77]
        assert None not in table["__xid"].to_pylist() and 77 not in table["__xid"].to_pylist()


def test_a_stream_over_a_new_column_says_so_and_loses_nothing(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        server.sql("ALTER TABLE users ADD COLUMN mail text", "shop")
        server.sql("INSERT INTO users VALUES (2, 'b', 'b@x')", "shop")
        with pytest.raises(Exception, match="columns changed"):
            pyarrow.RecordBatchReader.from_stream(users).read_all()
        assert ids([pyarrow.RecordBatchReader.from_stream(users).read_all()]) == [2]
