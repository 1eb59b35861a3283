"""Readers of MySQL: the same call with another source."""

import asyncio

import pytest
from helpers import CONFIGURE, ids, wait_for
from private_mysql import PrivateMysql, fetched

import arrowcdc


@pytest.fixture(scope="module")
def mysql():
    if not fetched():
        pytest.skip("no MySQL: tools/mysql_files.sh could not fetch it")
    server = PrivateMysql()
    try:
        wait_for(server.accepts)
        yield server
    finally:
        server.stop()


@pytest.fixture
def shop(mysql):
    mysql.sql("CREATE DATABASE shop; CREATE TABLE shop.users (id INT PRIMARY KEY, name VARCHAR(20)); "
              "CREATE TABLE shop.orders (id INT PRIMARY KEY, total DECIMAL(12,2));"
              "INSERT INTO shop.users VALUES (1, 'before')")
    yield {"source": mysql.url, "tables": "shop.*"}
    mysql.sql("DROP DATABASE shop")


def test_changes_up_to_now(mysql, shop):
    with CONFIGURE(**shop) as readers:
        assert set(readers) == {"shop.users", "shop.orders"}
        mysql.sql("INSERT INTO shop.users VALUES (2, 'two'), (3, 'three'); "
                  "UPDATE shop.users SET name = 'zwei' WHERE id = 2; DELETE FROM shop.users WHERE id = 3")
        batches = list(readers["shop.users"].batches(until="now"))
        assert ids(batches) == [2, 3, 2, 2, 3]
        operations = [op for batch in batches for op in batch.column("_op").to_pylist()]
        assert operations == ["insert", "insert", "update_before", "update_after", "delete"]
        assert readers["shop.users"].key_columns == ["id"]
        assert list(readers["shop.orders"].batches(until="now")) == []


def test_rows_that_were_there_first(mysql, shop):
    with CONFIGURE(**shop, snapshot="initial") as readers:
        mysql.sql("INSERT INTO shop.users VALUES (2, 'two')")
        batches = list(readers["shop.users"].batches(until="now"))
        rows = [(row["_op"], row["id"]) for batch in batches for row in batch.to_pylist()]
        assert rows == [("snapshot", 1), ("insert", 2)]


def test_a_table_that_joins_gives_its_rows_first(mysql, shop):
    mysql.sql("CREATE DATABASE IF NOT EXISTS attic; CREATE TABLE attic.later (id INT PRIMARY KEY);"
              "INSERT INTO attic.later VALUES (1), (2)")
    with CONFIGURE(**shop, snapshot="initial") as readers:
        mysql.sql("RENAME TABLE attic.later TO shop.later; DROP DATABASE attic")
        mysql.sql("INSERT INTO shop.later VALUES (3)")
        wait_for(lambda: readers.events(timeout=1) is not None and "shop.later" in readers)
        reader = readers["shop.later"]

        def rows():
            batches = list(reader.batches(until="now"))
            return [(row["_op"], row["id"]) for batch in batches for row in batch.to_pylist()]

        assert rows() == [("snapshot", 1), ("snapshot", 2), ("snapshot", 3)]
        assert reader.stats()["snapshot_complete"]
        mysql.sql("DELETE FROM shop.later WHERE id = 1")
        assert rows() == [("delete", 1)]


def test_asyncio(mysql, shop):
    async def first():
        readers = CONFIGURE(**shop)
        try:
            mysql.sql("INSERT INTO shop.users VALUES (2, 'two')")
            async for batch in readers["shop.users"].read_batches():
                return batch.to_pylist()
        finally:
            readers.close()

    assert [(row["id"], row["name"]) for row in asyncio.run(first())] == [(2, "two")]


def test_what_does_not_belong_is_refused(mysql, shop):
    with pytest.raises(arrowcdc.OptionError, match="PostgreSQL alone"):
        CONFIGURE(**shop, slot="mine")
    with pytest.raises(arrowcdc.OptionError, match="single parameters"):
        CONFIGURE(**shop, host="db")
    mysql.sql("SET GLOBAL binlog_row_metadata = 'MINIMAL'")
    try:
        with pytest.raises(arrowcdc.ServerError, match="binlog_row_metadata"):
            CONFIGURE(**shop)
    finally:
        mysql.sql("SET GLOBAL binlog_row_metadata = 'FULL'")
