"""Uses the installed package, and nothing else of this tree than the private server of the tests."""

import importlib.metadata
import pathlib
import sys

import pyarrow

import arrowcdc
from arrowcdc import _core

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python" / "tests"))
from private_server import PrivateServer

assert pathlib.Path(arrowcdc.__file__).is_relative_to(sys.prefix), arrowcdc.__file__
files = {file.name for file in importlib.metadata.files("arrowcdc")}
assert {"py.typed", "_core.pyi"} <= files, files
assert not [name for name in files if "libarrow" in name], files
major = _core.arrow_major
requires = importlib.metadata.requires("arrowcdc")
assert requires == [f"pyarrow<{major + 1},>={major}"], requires
with open("/proc/self/maps") as maps:
    (library,) = {line.split()[-1] for line in maps if "/libarrow.so" in line}
assert pathlib.Path(library).is_relative_to(sys.prefix), library

server = PrivateServer()
try:
    server.sql("CREATE TABLE users (id int PRIMARY KEY, name text)")
    configuration = arrowcdc.ArrowCDCReaderConfig(
        host=str(server.directory), database="postgres", user="postgres", tables="public.users")
    with configuration.open() as readers:
        server.sql("INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 1000) g")
        users = readers["public.users"].read_all()
    assert users["id"].to_pylist() == list(range(1, 1001))
finally:
    server.stop()
print(f"wheel: arrowcdc {arrowcdc.__version__} read 1000 rows with pyarrow {pyarrow.__version__}")
