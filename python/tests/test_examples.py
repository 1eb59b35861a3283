"""The examples: as they are, and what they promise against what the server says."""

import pathlib
import random
import signal
import sys

import deltalake
import duckdb
import polars as pl
import pyarrow
import pytest
from helpers import CONFIGURE, Child
from pyiceberg.catalog.sql import SqlCatalog

import arrowcdc

_EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"
sys.path.append(str(_EXAMPLES))
import current_state_polars
import delta_merge
import iceberg_append


def start(example, shop, *arguments):
    return Child([_EXAMPLES / example, shop["host"], shop["database"], shop["user"], *arguments])


def run(example, shop, *arguments):
    with start(example, shop, *arguments) as child:
        return child.rest()


# Each has a slot of its own: what one of them reads is there for the others.
_TABLES = {"several_tables": "public.*", "live_duckdb": "public.orders",
           "current_state_polars": "public.users", "changes_pandas": "public.users",
           "delta_merge": "public.users", "iceberg_append": "public.users"}


@pytest.fixture
def slots(shop):
    """The slots of all examples, which go with the test."""
    slots = [arrowcdc.ArrowCDCReaderConfig(**{**shop, "slot": slot, "tables": tables})
             for slot, tables in _TABLES.items()]
    yield slots
    for slot in slots:
        slot.teardown()


@pytest.fixture
def written(server, shop, slots):
    """Slots and publications are there and were read once, then rows are written: they come as changes."""
    for slot in slots:
        slot.open().close()
    server.sql("SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) "
               "FROM pg_replication_slots", "shop")
    server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 5) g", "shop")
    server.sql("UPDATE users SET name = 'renamed' WHERE id = 2; DELETE FROM users WHERE id = 5", "shop")
    server.sql("INSERT INTO orders SELECT g, g * 1.5 FROM generate_series(1, 4) g", "shop")
    return shop


def test_several_tables(written):
    lines = run("several_tables.py", written, "now")
    last = dict(line.split(": ") for line in lines)
    assert last == {"public.orders": "4 changes", "public.users": "7 changes"}


def test_no_example_eats_the_changes_of_another(server, written, tmp_path):
    assert "public.users: 7 changes" in run("several_tables.py", written, "now")
    assert any(line.split() == ["insert", "5"] for line in run("changes_pandas.py", written))
    assert run("delta_merge.py", written, tmp_path / "users") == ["7 changes merged"]
    assert run("changes_pandas.py", written) == ["no changes"]  # its own were committed


def test_several_tables_until_interrupted(written):
    with start("several_tables.py", written) as child:
        # A table may come in several batches.
        seen = set()
        while seen != {"public.orders", "public.users"}:
            line = child.line()
            assert line, "it ended by itself"
            seen.add(line.split(":")[0])
        child.process.send_signal(signal.SIGINT)
        assert child.rest()[-1] == "stopped"


@pytest.mark.parametrize("example, more", [
    ("several_tables.py", " [now]"), ("live_duckdb.py", ""), ("current_state_polars.py", ""),
    ("changes_pandas.py", ""), ("delta_merge.py", " DIRECTORY"), ("iceberg_append.py", " DIRECTORY")])
def test_without_arguments_an_example_says_how_it_is_called(example, more):
    with Child([_EXAMPLES / example]) as child:
        _, err = child.process.communicate(timeout=60)
    assert child.process.returncode == 1
    assert err == f"usage: python {example} HOST DATABASE USER{more}\n"


def test_before_the_first_change(server, shop, slots, tmp_path):
    assert run("changes_pandas.py", shop) == ["no changes"]
    assert run("current_state_polars.py", shop) == ["no changes"]
    assert run("delta_merge.py", shop, tmp_path / "delta") == ["0 changes merged"]
    assert run("iceberg_append.py", shop, tmp_path / "not" / "there") == ["0 changes appended"]


def test_live_duckdb(server, written):
    with start("live_duckdb.py", written) as child:
        assert child.line() == "insert: 4 changes, total 15.00"
        server.sql("INSERT INTO orders VALUES (5, 100)", "shop")
        assert child.line() == "insert: 5 changes, total 115.00"
        server.sql("UPDATE orders SET total = 1 WHERE id = 5", "shop")
        assert child.line() == "insert: 5 changes, total 115.00; update_after: 1 changes, total 1.00"
        child.process.send_signal(signal.SIGINT)
        assert child.rest() == ["stopped"]


def test_current_state_in_polars(written):
    text = "\n".join(run("current_state_polars.py", written))
    assert "shape: (4, 2)" in text and "renamed" in text and "user 5" not in text and "user 2" not in text


def test_pandas(written):
    lines = [line.split() for line in run("changes_pandas.py", written)]
    assert ["insert", "5"] in lines and ["update_after", "1"] in lines and ["delete", "1"] in lines


def call(example, shop, capsys, *arguments):
    """As run, without a process of its own."""
    example.main(shop["host"], shop["database"], shop["user"], *arguments)
    return capsys.readouterr().out.splitlines()


def test_delta(server, written, tmp_path, capsys):
    path = str(tmp_path / "users")
    assert run("delta_merge.py", written, path) == ["7 changes merged"]
    assert call(delta_merge, written, capsys, path) == ["0 changes merged"]
    server.sql("UPDATE users SET name = 'again' WHERE id = 1; INSERT INTO users VALUES (6, 'six')", "shop")
    assert call(delta_merge, written, capsys, path) == ["2 changes merged"]
    found = sorted(pl.read_delta(path).rows())
    assert found == [(1, "again"), (2, "renamed"), (3, "user 3"), (4, "user 4"), (6, "six")]


def test_iceberg(server, written, tmp_path, capsys):
    assert run("iceberg_append.py", written, tmp_path) == ["7 changes appended"]
    assert call(iceberg_append, written, capsys, tmp_path) == ["0 changes appended"]
    server.sql("DELETE FROM users WHERE id = 1", "shop")
    assert call(iceberg_append, written, capsys, tmp_path) == ["1 changes appended"]
    catalog = SqlCatalog("changes", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    found = catalog.load_table("public.users").scan().to_arrow()
    found = found.sort_by([(name, "ascending") for name in iceberg_append.POSITION])
    assert list(zip(found["_op"].to_pylist(), found["id"].to_pylist())) == [
        *(("insert", i) for i in range(1, 6)), ("update_after", 2), ("delete", 5), ("delete", 1)]


# --- what they promise ---


class Documents:
    """Random transactions on a table with large values, which updates leave out of the WAL."""

    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        self.next_id = 1
        self.ids = set()
        server.sql("CREATE TABLE documents (id int PRIMARY KEY, name text, large text);"
                   "ALTER TABLE documents ALTER large SET STORAGE EXTERNAL", "shop")

    def _large(self):
        return "NULL" if self.random.random() < 0.1 else f"repeat('{self.random.randrange(10**6)} ', 700)"

    def _new(self):
        # A key that was there before may come again.
        free = [i for i in range(1, self.next_id + 2) if i not in self.ids]
        chosen = self.random.choice(free)
        self.next_id = max(self.next_id, chosen)
        self.ids.add(chosen)
        return chosen

    def _statement(self):
        kinds = ["insert", "name", "large", "key", "delete", "truncate"]
        kind = self.random.choices(kinds, [5, 6, 2, 3, 2, 0.1])[0]
        if kind == "truncate":
            self.ids.clear()
            return "TRUNCATE documents"
        if kind == "insert" or not self.ids:
            return f"INSERT INTO documents VALUES ({self._new()}, 'n', {self._large()})"
        chosen = self.random.choice(sorted(self.ids))
        if kind == "key":
            new = self._new()
            self.ids.remove(chosen)
            return f"UPDATE documents SET id = {new} WHERE id = {chosen}"
        if kind == "delete":
            self.ids.remove(chosen)
            return f"DELETE FROM documents WHERE id = {chosen}"
        value = f"name = 'n{self.random.randrange(100)}'" if kind == "name" else f"large = {self._large()}"
        return f"UPDATE documents SET {value} WHERE id = {chosen}"

    def write(self, transactions):
        script = []
        for _ in range(transactions):
            script += ["BEGIN", *(self._statement() for _ in range(self.random.randint(1, 4))), "COMMIT"]
        self.server.sql(";\n".join(script), "shop")

    def rows(self):
        table = self.server.sql("SELECT id, name, md5(large) FROM documents ORDER BY id", "shop")
        return [tuple(line.split("|")) for line in table.splitlines()]


def digests(frame):
    """As Documents.rows."""
    query = "SELECT id::VARCHAR, name, coalesce(md5(large), '') FROM frame ORDER BY id"
    return duckdb.sql(query).fetchall()


@pytest.fixture
def documents(server, shop):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    yield Documents(server, seed)
    server.sql("DROP TABLE documents", "shop")


def pieces(batch, chance):
    """The batch cut at random: a pair of update_before and update_after comes in two batches now and then."""
    start = 0
    for end in range(1, batch.num_rows + 1):
        if end == batch.num_rows or chance.random() < 0.3:
            yield batch.slice(start, end - start)
            start = end


def test_the_state_in_polars_is_the_table(shop, documents):
    with CONFIGURE(**{**shop, "tables": "public.documents"}) as readers:
        reader = readers["public.documents"]
        state, left_out = current_state_polars.CurrentState(), 0
        for transactions in (1, 30, 60, 120):
            documents.write(transactions)
            for batch in reader.batches(until="now"):
                left_out += batch.num_rows - batch["_unchanged"].null_count
                for piece in pieces(batch, documents.random):
                    state.add(piece, reader.key_columns)
            assert digests(state.rows) == documents.rows()
        assert left_out > 20


def test_the_state_in_polars_follows_the_columns(server, shop, documents):
    with CONFIGURE(**{**shop, "tables": "public.documents"}) as readers:
        reader = readers["public.documents"]
        state = current_state_polars.CurrentState()

        def read(sql):
            server.sql(sql, "shop")
            for batch in reader.batches(until="now"):
                state.add(batch, reader.key_columns)
            first = ("id", "name", "large")
            rows = state.rows.select(*first, pl.exclude(*first)).rows()
            return sorted(row[:2] + (len(row[2] or ""),) + row[3:] for row in rows)

        big = "repeat('x', 4000)"
        assert read(f"INSERT INTO documents VALUES (1, 'one', {big}), (2, 'two', {big})") == [
            (1, "one", 4000), (2, "two", 4000)]
        # The two columns change their names; an update of the key leaves the large value alone.
        assert read("ALTER TABLE documents RENAME name TO swap; ALTER TABLE documents RENAME large TO name;"
                    "ALTER TABLE documents RENAME swap TO large;"
                    "UPDATE documents SET id = 3, large = 'ab' WHERE id = 1;"
                    "ALTER TABLE documents ALTER id TYPE bigint, ADD added int;"
                    "UPDATE documents SET added = 7 WHERE id = 3") == [
                        (2, "x" * 4000, 3, None), (3, "x" * 4000, 2, 7)]
        assert state.rows.schema["id"] == pl.Int64
        assert read("ALTER TABLE documents DROP added;"
                    "UPDATE documents SET id = 5000000000 WHERE id = 2") == [
            (3, "x" * 4000, 2), (5000000000, "x" * 4000, 3)]


def test_current_state_from_files_in_polars(tmp_path):
    """As docs/sinks.md has it."""
    def change(place, op, key, text, unchanged=None):
        return {"id": key, "text": text, "_op": op, "_commit_lsn": 10, "_lsn": place // 10,
                "_ord": place % 10, "_xid": 1, "_commit_ts": None, "_unchanged": unchanged,
                "_unrepresentable": None}

    changes = [change(10, "insert", 1, "one"), change(20, "insert", 2, "two"),
               change(30, "update_before", 1, None), change(31, "update_after", 3, None, ["text"]),
               change(40, "delete", 2, None)]
    schema = {"_unchanged": pl.List(pl.String), "_unrepresentable": pl.List(pl.String),
              "_commit_ts": pl.Datetime}
    for number, part in enumerate((changes[:3], changes[3:])):
        pl.DataFrame(part, schema_overrides=schema).write_parquet(tmp_path / f"{number}.parquet")
    read = pl.scan_parquet(tmp_path / "*.parquet").sort("_commit_lsn", "_lsn", "_ord").collect()
    assert current_state_polars.apply(None, read, ["id"]).rows() == [(3, "one")]


def test_delta_is_the_table_and_holds_each_change_once(shop, documents, tmp_path):
    """After each merge the slot is told only sometimes, as if the program had crashed before it could."""
    path = str(tmp_path / "documents")
    merged = 0
    with CONFIGURE(**{**shop, "tables": "public.documents"}):
        pass
    for round_ in range(5):
        documents.write(25)
        with CONFIGURE(**{**shop, "tables": "public.documents"}, commit="by-hand") as readers:
            reader = readers["public.documents"]
            merged += delta_merge.merge(reader, path)
            if round_ % 2:
                reader.commit()
        assert digests(pl.read_delta(path)) == documents.rows()
    version = deltalake.DeltaTable(path).version()
    with CONFIGURE(**{**shop, "tables": "public.documents"}, commit="by-hand") as readers:
        reader = readers["public.documents"]
        assert delta_merge.merge(reader, path) == 0
        assert reader.stats()["rows"] > 0, "the last round was not committed, so that its changes came again"
    assert deltalake.DeltaTable(path).version() == version
    assert merged >= 125


def test_iceberg_holds_each_change_once(server, shop, documents, tmp_path):
    catalog = SqlCatalog("changes", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("public")
    appended = 0
    arguments = {**shop, "tables": "public.documents"}
    with CONFIGURE(**arguments):
        pass
    for round_ in range(4):
        documents.write(10)
        if round_ == 2:
            server.sql("ALTER TABLE documents ADD added int; UPDATE documents SET added = id", "shop")
        with CONFIGURE(**arguments, commit="by-hand") as readers:
            reader = readers["public.documents"]
            appended += iceberg_append.append(reader, catalog, "public.documents")
            if round_ == 1:
                reader.commit()
    with CONFIGURE(**arguments, commit="by-hand") as readers:
        assert iceberg_append.append(readers["public.documents"], catalog, "public.documents") == 0
        assert readers["public.documents"].stats()["rows"] > 0
    stored = catalog.load_table("public.documents").scan().to_arrow()
    positions = list(zip(*(stored[name].to_pylist() for name in iceberg_append.POSITION)))
    assert len(positions) == len(set(positions)) == appended
    # The log is whole: replayed, it is the table.
    stored = stored.sort_by([(name, "ascending") for name in iceberg_append.POSITION])
    state = current_state_polars.apply(None, pl.DataFrame(stored), ["id"])
    assert digests(state.select("id", "name", "large")) == documents.rows()
    assert isinstance(stored, pyarrow.Table) and "added" in stored.column_names
