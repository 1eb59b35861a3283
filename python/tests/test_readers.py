"""Readers of the package against a real server."""

import asyncio
import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import duckdb
import pandas
import polars
import pyarrow
import pytest

import arrowcdc
from arrowcdc import ArrowCDCReaderConfig

CONFIGURE = ArrowCDCReaderConfig.auto_configure


def ids(batches):
    return [value for batch in batches for value in batch.column("id").to_pylist()]


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def confirmed(server):
    return server.sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'arrowcdc'")


def end_of_wal(server):
    return server.sql("SELECT pg_current_wal_flush_lsn()")


def slot_passed(server, lsn):
    return server.sql(f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots WHERE slot_name = 'arrowcdc'") == "t"


def test_a_reader_a_table_and_batches_in_order(server, shop):
    with CONFIGURE(**shop) as readers:
        assert set(readers) == {"public.users", "public.orders"}
        server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 1000) g", "shop")
        server.sql("UPDATE users SET name = 'x' WHERE id = 7; DELETE FROM users WHERE id = 8", "shop")
        batches = list(readers["public.users"].batches(until="now"))
        assert all(isinstance(batch, pyarrow.RecordBatch) for batch in batches)
        assert ids(batches) == [*range(1, 1001), 7, 8]
        operations = [op for batch in batches for op in batch.column("_op").to_pylist()]
        assert operations == ["insert"] * 1000 + ["update_after", "delete"]
        assert readers["public.users"].key_columns == ["id"]
        assert list(readers["public.orders"].batches(until="now")) == []
        assert server.sql("SELECT count(*) FROM pg_stat_replication") == "1"


def test_buffers_are_not_copied(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users SELECT g, repeat('x', 50) FROM generate_series(1, 100) g", "shop")
        state, raw = readers["public.users"]._reader.next(30_000)
        assert state == "batch"
        addresses = [
            [[buffer.address if buffer else 0 for buffer in column.buffers()] for column in pyarrow.record_batch(raw).columns]
            for _ in range(2)
        ]
        # Two exports of one batch show the same memory, and it is not freed while one of them lives.
        assert addresses[0] == addresses[1]
        assert any(address for column in addresses[0] for address in column)
        batch = pyarrow.record_batch(raw)
        before = [buffer.address for buffer in batch.column("name").buffers() if buffer]
        del raw
        gc.collect()
        assert [buffer.address for buffer in batch.column("name").buffers() if buffer] == before
        assert batch.column("name").to_pylist() == ["x" * 50] * 100
        schema, array = batch.__arrow_c_array__()
        assert pyarrow.RecordBatch._import_from_c_capsule(schema, array).equals(batch)


def test_commit_by_hand_moves_the_slot_and_nothing_else_does(server, shop):
    with CONFIGURE(**shop, commit="by-hand") as readers:
        before = confirmed(server)
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        end = end_of_wal(server)
        reader = readers["public.users"]
        assert ids(reader.batches(until="now")) == [1]
        assert reader.read(timeout=0.3) is None
        assert confirmed(server) == before
    with CONFIGURE(**shop, commit="by-hand") as readers:
        assert ids(readers["public.users"].batches(until="now")) == [1], "what was not committed comes again"
        readers["public.users"].commit()
        wait_for(lambda: slot_passed(server, end))


def test_the_next_read_commits(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        end = end_of_wal(server)
        reader = readers["public.users"]
        assert reader.read(timeout=30) is not None
        assert not slot_passed(server, end)
        assert reader.read(timeout=0.1) is None
        wait_for(lambda: slot_passed(server, end))


def test_asyncio_reads_several_tables_at_once(server, shop):
    async def consume(reader, wanted):
        found = []
        async for batch in reader.read_batches():
            found += ids([batch])
            if len(found) >= wanted:
                return found

    async def main(readers):
        tasks = [consume(readers["public.users"], 300), consume(readers["public.orders"], 200)]
        server.sql("INSERT INTO users SELECT g, 'u' FROM generate_series(1, 300) g", "shop")
        server.sql("INSERT INTO orders SELECT g, g FROM generate_series(1, 200) g", "shop")
        return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    with CONFIGURE(**shop) as readers:
        users, orders = asyncio.run(main(readers))
        assert users == list(range(1, 301))
        assert orders == list(range(1, 201))


def test_a_cancelled_wait_loses_nothing(server, shop):
    async def main(readers):
        reader = readers["public.users"]

        async def first():
            async for batch in reader:
                return batch

        for i in range(20):
            task = asyncio.create_task(first())
            await asyncio.sleep(0.001 * i)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        return await asyncio.wait_for(first(), 30)

    with CONFIGURE(**shop) as readers:
        assert ids([asyncio.run(main(readers))]) == [1]


def test_a_blocking_read_lets_other_threads_run(server, shop):
    with CONFIGURE(**shop) as readers:
        thread = threading.Thread(target=readers["public.users"].read, kwargs={"timeout": 1.0})
        thread.start()
        turns = 0
        while thread.is_alive():
            turns += 1
        assert turns > 1000


def test_ctrl_c_ends_a_blocking_read(server, shop):
    arrowcdc.ArrowCDCReaderConfig(**shop).open().close()
    program = (
        "import arrowcdc, sys\n"
        f"readers = arrowcdc.ArrowCDCReaderConfig.auto_configure(**{shop!r})\n"
        # The signal may come as soon as the line is out.
        "try:\n    print('reading', flush=True)\n    readers['public.users'].read()\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(arrowcdc.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", program], text=True, stdout=subprocess.PIPE, env=environment)
    try:
        assert child.stdout.readline() == "reading\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait(timeout=30) == 0
    finally:
        child.kill()


def test_duckdb_polars_and_pandas_take_a_reader_as_it_is(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 10) g", "shop")
        assert duckdb.sql("SELECT count(*), sum(id) FROM users").fetchall() == [(10, 55)]
        server.sql("INSERT INTO users VALUES (11, 'u11')", "shop")
        assert polars.DataFrame(users)["id"].to_list() == [11]
        server.sql("INSERT INTO users VALUES (12, 'u12')", "shop")
        assert pandas.DataFrame.from_arrow(users)["name"].to_list() == ["u12"]


def test_read_all_across_a_new_column(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        server.sql("ALTER TABLE users ADD COLUMN mail text", "shop")
        server.sql("INSERT INTO users VALUES (2, 'b', 'b@x')", "shop")
        table = readers["public.users"].read_all()
        assert table.column("mail").to_pylist() == [None, "b@x"]


def test_a_stream_over_a_new_column_says_so_and_loses_nothing(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        server.sql("ALTER TABLE users ADD COLUMN mail text", "shop")
        server.sql("INSERT INTO users VALUES (2, 'b', 'b@x')", "shop")
        with pytest.raises(Exception, match="columns changed"):
            pyarrow.RecordBatchReader.from_stream(users).read_all()
        assert ids([pyarrow.RecordBatchReader.from_stream(users).read_all()]) == [2]


def test_partitions_share_a_table(server, shop):
    with CONFIGURE(**shop, partitions=3) as readers:
        assert "public.users/2" in readers and len(readers) == 6
        server.sql("INSERT INTO users SELECT g, 'u' FROM generate_series(1, 300) g; TRUNCATE users", "shop")
        parts = [readers[f"public.users/{i}"].read_all() for i in range(3)]
        assert [part.column("_op").to_pylist()[-1] for part in parts] == ["truncate"] * 3
        found = [[i for i in part.column("id").to_pylist() if i is not None] for part in parts]
        assert sorted(sum(found, [])) == list(range(1, 301))
        assert all(found)


def test_a_later_table_comes_as_an_event(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("CREATE TABLE later (id int PRIMARY KEY); ALTER PUBLICATION arrowcdc ADD TABLE later; INSERT INTO later VALUES (5)", "shop")
        ((kind, reader, _),) = readers.events(timeout=30)
        assert kind == "reader_added" and readers["public.later"] is reader
        assert ids([reader.read(timeout=30)]) == [5]


def test_an_unread_reader_ends_by_name_and_its_rows_stay(server, shop):
    with CONFIGURE(**shop, reader_bytes_max=100_000, unread_limit=0.1, commit="by-hand") as readers:
        server.sql("INSERT INTO users SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g", "shop")
        server.sql("INSERT INTO orders VALUES (1, 1)", "shop")
        end = end_of_wal(server)
        assert readers["public.orders"].read(timeout=60) is not None
        readers["public.orders"].commit()
        with pytest.raises(arrowcdc.ReaderUnreadError, match="users") as caught:
            readers["public.users"].read(timeout=0)
        assert caught.value.kind == "reader_unread" and "close()" in caught.value.remedy
        assert not slot_passed(server, end)
        readers["public.users"].close()
        wait_for(lambda: slot_passed(server, end))


def test_errors_are_a_tree_and_show_no_password(server, shop):
    with pytest.raises(arrowcdc.ConnectionFailedError) as caught:
        CONFIGURE(**{**shop, "host": "/nowhere", "password": "hunter2"})
    assert caught.value.kind == "connection" and "hunter2" not in str(caught.value)
    assert issubclass(arrowcdc.ConnectionFailedError, ConnectionError)
    with pytest.raises(arrowcdc.ArrowCDCError) as caught:
        CONFIGURE(**{**shop, "database": "no such"})
    assert caught.value.sqlstate == "3D000"
    assert "hunter2" not in repr(ArrowCDCReaderConfig(password="hunter2"))
    with pytest.raises(arrowcdc.OptionError, match="snapshot"):
        CONFIGURE(**shop, snapshot="initial")
    with CONFIGURE(**shop) as readers, pytest.raises(arrowcdc.SlotError) as caught:
        CONFIGURE(**shop)
    assert caught.value.kind == "slot_active" and caught.value.retryable
    with pytest.raises(arrowcdc.OptionError):
        readers["public.users"].read(timeout=0)


def test_one_libarrow_in_the_process():
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "/libarrow.so" in line}
    assert len(paths) == 1 and "pyarrow" in paths.pop()
