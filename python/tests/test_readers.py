"""Readers of the package against a real server: what they read and what they acknowledge."""

import asyncio
import gc
import threading
import time

import pyarrow
import pytest
from helpers import CONFIGURE, end_of_wal, ids, slot_passed, wait_for, wait_until_inside

import arrowcdc

@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_compressed_on_the_way(server, shop, compression):
    with CONFIGURE(**shop, compression=compression) as readers:
        server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 5000) g", "shop")
        batches = readers["public.users"].batches(until="now")
        names = [name for batch in batches for name in batch.column("name").to_pylist()]
        assert names == [f"user {g}" for g in range(1, 5001)]
        received = readers.stats()["received_bytes"]
        assert received > 140_000 if compression == "none" else received < 100_000
    with pytest.raises(arrowcdc.OptionError, match="no compression"):
        CONFIGURE(**shop, compression="gzip")


@pytest.mark.parametrize("plugin", ["wal2arrow", "pgoutput", "auto"])
def test_a_reader_a_table_and_batches_in_order(server, shop, plugin):
    shop["plugin"] = plugin
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


def test_a_name_without_a_reader_names_those_that_there_are(server, shop):
    with CONFIGURE(**shop) as readers:
        with pytest.raises(KeyError) as caught:
            readers["users"]
        assert str(caught.value).startswith(
            "there is no reader 'users'; there are: 'public.orders', 'public.users'; events() adds ")
        assert readers.get("users") is None and "users" not in readers and len(readers) == 2
        with pytest.raises(TypeError, match="'async for'; with 'for' use batches"):
            for _ in readers["public.users"].read_batches():
                pass


def test_the_slot_waits_for_the_table_that_was_not_committed(server, shop):
    with CONFIGURE(**shop, commit="by-hand") as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        server.sql("INSERT INTO orders VALUES (2, 1)", "shop")
        for name, expected in (("public.users", [1]), ("public.orders", [2])):
            assert ids(readers[name].batches(until="now")) == expected
        readers["public.orders"].commit()
    with CONFIGURE(**shop, commit="by-hand") as readers:
        for name, expected in (("public.users", [1]), ("public.orders", [2])):
            assert ids(readers[name].batches(until="now")) == expected, "the next time both come again"


def test_without_setup_what_is_published_is_read(server, shop, caplog):
    with pytest.raises(arrowcdc.SlotError) as caught:
        CONFIGURE(**shop, setup=False)
    assert caught.value.kind in ("slot_missing", "publication_missing")
    assert server.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert server.sql("SELECT count(*) FROM pg_publication", "shop") == "0"
    CONFIGURE(**shop).close()
    server.sql("CREATE TABLE later (id int); CREATE TABLE other (id int PRIMARY KEY)", "shop")
    with CONFIGURE(**shop, setup=False) as readers:
        assert set(readers) == {"public.users", "public.orders"}
        server.sql("INSERT INTO users VALUES (1, 'a'); INSERT INTO later VALUES (2);"
                   "INSERT INTO other VALUES (3)", "shop")
        assert ids(readers["public.users"].batches(until="now")) == [1]
    assert "tables public.later public.other: tables match and are not streamed" in caplog.text
    assert server.sql("SELECT count(*) FROM pg_publication_tables", "shop") == "2"
    with pytest.raises(arrowcdc.SlotError) as caught:
        CONFIGURE(**{**shop, "tables": "public.other"}, setup=False)
    assert caught.value.kind == "publication_missing"


def test_a_table_that_cannot_be_published_ends_the_first_start_only(server, shop, caplog):
    server.sql("CREATE TABLE later (id int)", "shop")
    with pytest.raises(arrowcdc.ServerError, match="public.later"):  # once published, it would refuse updates
        CONFIGURE(**shop)
    server.sql("DROP TABLE later", "shop")
    CONFIGURE(**shop).close()
    server.sql("CREATE TABLE later (id int)", "shop")
    with CONFIGURE(**shop) as readers:
        assert set(readers) == {"public.users", "public.orders"}
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids(readers["public.users"].batches(until="now")) == [1]
    assert "setup changed nothing: " in caplog.text
    assert "tables public.later: tables match and are not streamed" in caplog.text
    server.sql("DROP PUBLICATION arrowcdc", "shop")
    with pytest.raises(arrowcdc.ServerError, match="public.later"):  # nothing is left to go on with
        CONFIGURE(**shop)


def test_commits_that_wait_for_the_readers_are_warned_of(server, shop, caplog):
    server.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    with CONFIGURE(**shop) as readers:
        try:
            server.sql("SELECT pg_reload_conf()")
            wait_for(lambda: server.sql("SHOW synchronous_standby_names") == "*")
            server.sql("SET synchronous_commit = local; INSERT INTO users VALUES (1, 'a')", "shop")
            assert ids([readers["public.users"].read(timeout=30)]) == [1]

            def warned():
                assert readers["public.users"].read(timeout=0.1) is None
                return "takes this stream for a synchronous standby" in caplog.text

            wait_for(warned)
            assert caplog.text.count("synchronous_standby_names") == 1
        finally:
            server.sql("ALTER SYSTEM RESET synchronous_standby_names")
            server.sql("SELECT pg_reload_conf()")
            wait_for(lambda: server.sql("SHOW synchronous_standby_names") == "")


def test_published_tables_that_nobody_reads_are_told(server, shop, caplog):
    CONFIGURE(**shop).close()
    assert "passes over" not in caplog.text
    with CONFIGURE(**{**shop, "tables": "public.users"}, accept_tables=True) as readers:
        assert caplog.text.count("passes over") == 1 and "tables public.orders: " in caplog.text
        server.sql("INSERT INTO orders VALUES (1, 1), (2, 1); INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids(readers["public.users"].batches(until="now")) == [1]
        assert readers.unmatched_tables() == {"public.orders": 2}


def test_what_of_a_table_does_not_come_is_told_once(server, shop, caplog):
    server.sql("ALTER TABLE users ADD COLUMN upper text GENERATED ALWAYS AS (upper(name)) STORED", "shop")
    with CONFIGURE(**shop) as readers:
        told = "public.users: not everything of it comes: its generated columns are not sent: upper"
        assert told in caplog.text
        server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        wait_for(lambda: readers.stats()["reconnects"] > 0)
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids([readers["public.users"].read(timeout=30)]) == [1]
        assert caplog.text.count("not everything of it comes") == 1


@pytest.mark.parametrize("how", ["read", "async"])
def test_a_program_that_only_reads_finds_in_the_log_why_nothing_comes(server, shop, caplog, how):
    def lines(level, text):
        return [record for record in caplog.records
                if record.levelname == level and text in record.getMessage()]

    async def first(reader):
        return await anext(reader.read_batches())

    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids([users.read(timeout=30)]) == [1]
        found = []
        wait = (lambda: users.read(timeout=60)) if how == "read" else (lambda: asyncio.run(first(users)))
        thread = threading.Thread(target=lambda: found.append(wait()))
        thread.start()
        server.sql("ALTER PUBLICATION arrowcdc DROP TABLE users; INSERT INTO users VALUES (2, 'a')", "shop")
        wait_for(lambda: lines("ERROR", "table public.users: it is not published any more"))
        server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        wait_for(lambda: lines("WARNING", "connecting again"))
        server.sql("ALTER PUBLICATION arrowcdc ADD TABLE users; INSERT INTO users VALUES (3, 'a')", "shop")
        thread.join(60)
        assert ids(found) == [3]


def test_partitions_under_names_that_nobody_asked_for_are_refused(server, shop):
    server.sql("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
               "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)", "shop")
    config = {**shop, "tables": "public.parts", "commit": "by-hand"}
    with CONFIGURE(**config) as readers:
        server.sql("INSERT INTO parts VALUES (1)", "shop")
        assert ids(readers["public.parts"].batches(until="now")) == [1]
        readers.commit()
        server.sql("ALTER PUBLICATION arrowcdc SET (publish_via_partition_root = false);"
                   "INSERT INTO parts VALUES (2)", "shop")
        with pytest.raises(arrowcdc.SlotError, match="parts_1") as caught:
            readers["public.parts"].read(timeout=30)
        assert caught.value.kind == "publication_mismatch"
    with pytest.raises(arrowcdc.SlotError, match="parts_1") as caught:
        CONFIGURE(**config, setup=False)
    assert caught.value.kind == "publication_mismatch"


def test_an_empty_publication_ends_the_readers_with_what_the_slot_holds(server, shop, caplog):
    CONFIGURE(**shop).close()
    server.sql("INSERT INTO users VALUES (1, 'a');"
               "ALTER PUBLICATION arrowcdc DROP TABLE users, orders", "shop")
    end = end_of_wal(server)
    with CONFIGURE(**shop, setup=False) as readers:
        assert "no table is published any more" in caplog.text and readers.stats()["tables_unpublished"] == 1
        wait_for(lambda: readers.events() and "public.users" in readers)
        reader = readers["public.users"]
        assert reader.read(timeout=30) is not None
        with pytest.raises(arrowcdc.SlotError) as caught:  # it commits first
            reader.read(timeout=30)
        assert caught.value.kind == "publication_missing"
        wait_for(lambda: slot_passed(server, end))


def test_a_slot_is_for_the_tables_that_it_was_set_up_for(server, shop):
    CONFIGURE(**{**shop, "tables": "public.users"}).close()
    server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
    others = {**shop, "tables": "public.orders"}
    for options in (others, {**shop, "tables": ["public.users", "public.more"], "setup": False}):
        with pytest.raises(arrowcdc.SlotError, match="set up for public.users, not for public") as caught:
            CONFIGURE(**options)
        assert caught.value.kind == "position_gap" and "accept_tables=True" in caught.value.remedy
    assert server.sql("SELECT count(*) FROM pg_publication_tables", "shop") == "1", "nothing was changed"
    with CONFIGURE(**{**shop, "tables": "public.users"}) as readers:
        assert ids(readers["public.users"].batches(until="now")) == [1], "and nothing was eaten"
    CONFIGURE(**others, accept_tables=True).close()
    assert server.sql("SELECT count(*) FROM pg_publication_tables", "shop") == "2"
    CONFIGURE(**others).close()  # it is for these now


def test_the_next_read_commits(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        end = end_of_wal(server)
        reader = readers["public.users"]
        assert reader.read(timeout=30) is not None
        assert not slot_passed(server, end)
        assert reader.read(timeout=0.1) is None
        wait_for(lambda: slot_passed(server, end))


def test_partitions_share_a_table(server, shop):
    with CONFIGURE(**shop, partitions=3) as readers:
        assert "public.users/2" in readers and len(readers) == 6
        server.sql("INSERT INTO users SELECT g, 'u' FROM generate_series(1, 300) g; TRUNCATE users", "shop")
        parts = [readers[f"public.users/{i}"].read_all() for i in range(3)]
        assert [part.column("_op").to_pylist()[-1] for part in parts] == ["truncate"] * 3
        found = [[i for i in part.column("id").to_pylist() if i is not None] for part in parts]
        assert sorted(sum(found, [])) == list(range(1, 301))
        assert all(found)


@pytest.mark.parametrize("plugin", ["wal2arrow", "pgoutput"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_logical_messages_are_an_event_for_readers(server, shop, plugin, partitions):
    with CONFIGURE(**shop, plugin=plugin, messages=True, partitions=partitions,
                   commit="by-hand") as readers:
        messages = readers["_arrowcdc_messages"]
        server.sql("BEGIN; INSERT INTO users VALUES (1, 'a');"
                   "SELECT pg_logical_emit_message(true, 'order', '\\x00ff'::bytea); COMMIT;"
                   "SELECT pg_logical_emit_message(false, 'heartbeat', '')", "shop")
        end = end_of_wal(server)
        rows = []
        while len(rows) < 2:
            rows += messages.read(timeout=30).to_pylist()
        assert [(row["prefix"], row["content"], row["transactional"]) for row in rows] == [
            ("order", b"\x00\xff", True), ("heartbeat", b"", False)]
        assert [row["_xid"] is None for row in rows] == [False, True]
        assert rows[1]["_commit_lsn"] == rows[1]["_lsn"] > rows[0]["_commit_lsn"] > rows[0]["_lsn"]
        assert not slot_passed(server, end)
        for reader in readers.values():
            while reader.read(timeout=0.1) is not None:
                pass
        readers.commit()
        wait_for(lambda: slot_passed(server, end))


def test_logical_messages_come_where_they_are_asked_for(server, shop):
    with CONFIGURE(**shop) as readers:
        assert "_arrowcdc_messages" not in readers
        server.sql("SELECT pg_logical_emit_message(false, 'p', '')", "shop")
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids([readers["public.users"].read(timeout=30)]) == [1]
        assert readers.events() == []


def test_a_later_table_comes_as_an_event(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("CREATE TABLE later (id int PRIMARY KEY); ALTER PUBLICATION arrowcdc ADD TABLE later;"
                   "INSERT INTO later VALUES (5)", "shop")
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


def test_commit_by_hand_moves_the_slot_and_nothing_else_does(server, shop):
    with CONFIGURE(**shop, commit="by-hand") as readers:
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        end = end_of_wal(server)
        reader = readers["public.users"]
        batches = list(reader.batches(until="now"))
        assert ids(batches) == [1]
        assert reader.read(timeout=0.3) is None
        acknowledged = readers.stats()["acknowledged_lsn"]
        assert acknowledged <= batches[0].column("_commit_lsn")[0].as_py()
        assert not slot_passed(server, end)
    assert not slot_passed(server, end)
    with CONFIGURE(**shop, commit="by-hand") as readers:
        assert ids(readers["public.users"].batches(until="now")) == [1], "what was not committed comes again"
        readers["public.users"].commit()
        wait_for(lambda: slot_passed(server, end))


def test_a_slow_consumer_costs_no_rows(server, shop):
    with CONFIGURE(**shop, reader_bytes_max=50_000, buffer_bytes_max=50_000) as readers:
        rows = 50_000
        server.sql(f"INSERT INTO users SELECT g, repeat('x', 100) FROM generate_series(1, {rows}) g", "shop")
        end = end_of_wal(server)
        users = readers["public.users"]
        found = ids([users.read(timeout=30)])
        # The reader is full, and the server waits with the rest.
        waits = "SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'walsender'"
        wait_for(lambda: server.sql(waits) == "WalSenderWriteData")
        assert len(found) < rows and not slot_passed(server, end)
        found += ids(users.batches(until="now"))
        assert found == list(range(1, rows + 1))


def test_a_reader_outlives_the_mapping_it_came_from(server, shop):
    reader = CONFIGURE(**shop)["public.users"]
    gc.collect()
    server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
    assert ids([reader.read(timeout=30)]) == [1]
    del reader
    gc.collect()
    wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_replication") == "0")


def test_leaving_a_reader_keeps_what_was_not_committed(server, shop):
    with CONFIGURE(**shop, commit="by-hand") as readers:
        server.sql("INSERT INTO users VALUES (1, 'a'); INSERT INTO orders VALUES (1, 1)", "shop")
        end = end_of_wal(server)
        with readers["public.users"] as users:
            assert ids(users.batches(until="now")) == [1]
        with pytest.raises(arrowcdc.OptionError, match="abandoned"):
            users.read()
        assert ids(readers["public.orders"].batches(until="now")) == [1]
        readers["public.orders"].commit()
        assert not slot_passed(server, end)
    with CONFIGURE(**shop) as readers:
        assert ids(readers["public.users"].batches(until="now")) == [1]
        assert ids(readers["public.orders"].batches(until="now")) in ([], [1]), "at least once"


def slot_dropped(server):
    """Also where the client is faster to connect again than we are to drop it: then not yet."""
    server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
    try:
        server.sql("SELECT pg_drop_replication_slot('arrowcdc')")
    except AssertionError:
        return False
    return True


def test_what_had_arrived_is_read_before_the_error_that_ended_the_stream(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        for i in range(3):
            server.sql(f"INSERT INTO users VALUES ({i}, 'a')", "shop")
            wait_for(lambda i=i: users.stats()["waiting_bytes"] > i * 1000)  # a batch each
        assert ids([users.read(timeout=30)]) == [0]
        wait_for(lambda: slot_dropped(server))
        while readers.events(timeout=30):  # until the stream has ended
            pass
        assert ids([users.read(timeout=30)]) == [1]
        assert ids([users.read(timeout=30)]) == [2]
        for _ in range(2):
            with pytest.raises(arrowcdc.SlotError) as caught:
                users.read(timeout=30)
            assert caught.value.kind == "slot_missing"


def test_there_are_no_events_to_wait_for_behind_the_end(server, shop):
    with CONFIGURE(**shop) as readers:
        readers.close()
        begun = time.monotonic()
        assert readers.events(timeout=30) == []
        assert time.monotonic() - begun < 15


@pytest.mark.parametrize("timeout", [1e10, float("inf")])
def test_a_timeout_beyond_the_clock_is_as_good_as_for_ever(server, shop, timeout):
    with CONFIGURE(**shop) as readers:
        found = []
        thread = threading.Thread(target=lambda: found.append(readers["public.users"].read(timeout=timeout)))
        thread.start()
        wait_until_inside(thread, "_look")
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        thread.join(30)
        assert ids(found) == [1]


def test_one_thread_reads_a_reader(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        found = []
        thread = threading.Thread(target=lambda: found.append(users.read(timeout=30)))
        thread.start()
        wait_until_inside(thread, "_look")
        for read in (lambda: users.read(timeout=0.1), users.read_all, users.__arrow_c_stream__):
            with pytest.raises(arrowcdc.OptionError, match="another thread"):
                read()
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        thread.join(30)
        assert ids(found) == [1]
        server.sql("INSERT INTO users VALUES (2, 'b')", "shop")
        assert ids([users.read(timeout=30)]) == [2], "one after the other they may"


def test_more_readers_are_added_than_events_are_kept(server, shop):
    partitions = 11_000
    with CONFIGURE(**{**shop, "tables": "public.(users|later)"}, partitions=partitions) as readers:
        server.sql("CREATE TABLE later (id int PRIMARY KEY); ALTER PUBLICATION arrowcdc ADD TABLE later;"
                   "INSERT INTO later VALUES (5)", "shop")
        assert readers.events(timeout=30)
        assert {f"public.later/{partition}" for partition in range(partitions)} <= set(readers)


def test_a_single_publication_need_not_be_a_list(server, shop):
    CONFIGURE(**shop).close()
    with CONFIGURE(**shop, publications="arrowcdc") as readers:
        assert set(readers) == {"public.users", "public.orders"}
    with pytest.raises(arrowcdc.OptionError, match="database"):
        CONFIGURE(source="dbname=shop", database="shop")
