"""Rows that were there before, from readers."""

import asyncio

import pytest
from helpers import CONFIGURE, ids, wait_for

import arrowcdc


@pytest.fixture
def filled(server, shop):
    """A shop with users, and arguments that say nothing of what was there."""
    server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 1000) g", "shop")
    del shop["snapshot"]
    return shop


def ops(batch):
    return set(batch.column("_op").to_pylist())


def test_rows_that_were_there_come_first_until_they_are_committed(server, filled):
    for last in (1000, 1001):  # nothing is committed the first time
        with CONFIGURE(**filled, commit="by-hand") as readers:
            users = readers["public.users"]
            first = users.read(timeout=60)
            assert ids([first]) == list(range(1, last + 1)) and ops(first) == {"snapshot"}
            server.sql(f"INSERT INTO users VALUES ({last + 1}, 'later')", "shop")
            then = users.read(timeout=60)
            assert ids([then]) == [last + 1] and ops(then) == {"insert"}
            assert readers.stats()["snapshot_rows"] == last
            if last == 1001:
                users.commit()
    with CONFIGURE(**filled) as readers:
        server.sql("INSERT INTO users VALUES (2000, 'last')", "shop")
        assert ids([readers["public.users"].read(timeout=60)]) == [2000]
        assert readers.stats()["snapshot_tables"] == 0


def test_without_them(server, filled):
    with CONFIGURE(**filled, snapshot="never") as readers:
        server.sql("INSERT INTO users VALUES (2000, 'last')", "shop")
        assert ids([readers["public.users"].read(timeout=60)]) == [2000]


def test_only_them(filled):
    with CONFIGURE(**filled, snapshot="only", partitions=4) as readers:
        found = [ids(readers[f"public.users/{partition}"].batches()) for partition in range(4)]
        assert sorted(sum(found, [])) == list(range(1, 1001)) and all(found)
        assert ids(readers["public.orders/0"].batches()) == []


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_table_that_joins_gives_its_rows_first(server, filled, partitions):
    with CONFIGURE(**filled, partitions=partitions) as readers:
        server.sql("CREATE TABLE later (id int PRIMARY KEY);"
                   "INSERT INTO later SELECT generate_series(1, 100);"
                   "ALTER PUBLICATION arrowcdc ADD TABLE later", "shop")
        server.sql("INSERT INTO later VALUES (101)", "shop")
        names = {"public.later"} if partitions == 1 else {f"public.later/{n}" for n in range(partitions)}
        wait_for(lambda: readers.events(timeout=1) is not None and names <= set(readers))
        server.sql("DELETE FROM later WHERE id < 20", "shop")
        found = []
        for name in names:
            batches = readers[name].batches(until="now")
            rows = [op for batch in batches for op in batch.column("_op").to_pylist()]
            assert rows == sorted(rows, reverse=True), "snapshot, delete"
            assert readers[name].stats()["snapshot_complete"]
            found += rows
        assert found.count("snapshot") - found.count("delete") == 101 - 19


def test_asynchronously(filled):
    async def main(reader):
        async for batch in reader.read_batches():
            return batch

    with CONFIGURE(**filled) as readers:
        assert len(asyncio.run(main(readers["public.users"]))) == 1000


def test_a_role_that_may_not_read_them_is_told_which(server, filled):
    server.sql("CREATE ROLE cdc LOGIN REPLICATION", "shop")
    try:
        CONFIGURE(**filled, snapshot="never").close()  # makes publication and slot
        with pytest.raises(arrowcdc.ServerError, match=r"may not read.*public.users") as caught:
            CONFIGURE(**{**filled, "user": "cdc"}, setup=False, snapshot="initial")
        assert caught.value.kind == "permission" and "GRANT SELECT" in caught.value.remedy
    finally:
        server.sql("DROP ROLE cdc", "shop")
