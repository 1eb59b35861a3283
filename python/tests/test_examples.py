"""The examples run as they are."""

import os
import pathlib
import subprocess
import sys

import pytest

import arrowcdc

_EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"


def run(example, shop, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(arrowcdc.__file__).parents[1])}
    done = subprocess.run([sys.executable, _EXAMPLES / example, shop["host"], shop["database"], shop["user"], *arguments],
                          text=True, capture_output=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def written(server, shop):
    """Slot and publication are there, then rows are written."""
    arrowcdc.ArrowCDCReaderConfig(**shop).open().close()
    server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 5) g", "shop")
    server.sql("UPDATE users SET name = 'renamed' WHERE id = 2; DELETE FROM users WHERE id = 5", "shop")
    server.sql("INSERT INTO orders SELECT g, g * 1.5 FROM generate_series(1, 4) g", "shop")
    return shop


def test_several_tables(written):
    assert run("several_tables.py", written, "3") == ["public.orders: 4 changes", "public.users: 7 changes"]


def test_live_duckdb(written):
    assert run("live_duckdb.py", written) == ["insert: 4 changes, total 15.00"]


def test_current_state_in_polars(written):
    text = "\n".join(run("current_state_polars.py", written))
    assert "shape: (4, 2)" in text and "renamed" in text and "user 5" not in text and "user 2" not in text


def test_pandas(written):
    lines = [line.split() for line in run("changes_pandas.py", written)]
    assert ["insert", "5"] in lines and ["update_after", "1"] in lines and ["delete", "1"] in lines
