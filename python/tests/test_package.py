"""Errors, types, and what the package needs."""

import inspect
import os
import pathlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from typing import Literal, get_type_hints

import pytest
from helpers import CONFIGURE

import arrowcdc
from arrowcdc import ArrowCDCReaderConfig, _config, _core, _errors

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PACKAGE = pathlib.Path(arrowcdc.__file__).parent


def test_errors_are_a_tree_and_show_no_password(server, shop):
    with pytest.raises(arrowcdc.ConnectionFailedError) as caught:
        CONFIGURE(**{**shop, "host": "/nowhere", "password": "hunter2"}, retry_max=0)
    assert caught.value.kind == "connection" and "hunter2" not in str(caught.value)
    assert issubclass(arrowcdc.ConnectionFailedError, ConnectionError)
    with pytest.raises(arrowcdc.ArrowCDCError) as caught:
        CONFIGURE(**{**shop, "database": "no such"})
    assert caught.value.sqlstate == "3D000"
    assert "hunter2" not in repr(ArrowCDCReaderConfig(password="hunter2"))
    with pytest.raises(arrowcdc.OptionError, match="snapshot"):
        CONFIGURE(**{**shop, "snapshot": "sometimes"})
    with CONFIGURE(**shop) as readers, pytest.raises(arrowcdc.SlotError) as caught:
        CONFIGURE(**shop, retry_max=0)
    assert caught.value.kind == "slot_active" and caught.value.retryable
    with pytest.raises(arrowcdc.OptionError):
        readers["public.users"].read(timeout=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"source": "postgresql://ann:p@hunter2@h/db"},
        {"source": "postgresql://ann:12/hunter2@h/db"},
        {"source": "ann:hunter2@h/db"},
        {"source": "host=h password=a hunter2"},
        {"tables": "postgresql://ann:hunter2@h/db"},
        {"tables": ["public.*", "password=hunter2"]},
        {"tables": "hunter2@h"},
        {"publications": ["ann:hunter2@h/db"]},
        {"slot": "postgresql://ann:hunter2@h/db"},
        {"slot": "hunter2@h"},
        {"compression": "password=hunter2"},
        {"until": "ann:hunter2@h"},
        {"plugin": "password=hunter2"},
        {"commit": "postgresql://ann:hunter2@h"},
        {"source": None, "host": "ann:hunter2@h"},
        {"source": None, "user": "ann:hunter2@h"},
        {"source": None, "database": "ann:hunter2@h/db"},
        {"source": "host=h user=ann:hunter2@h"},
        {"tables": [b"password=hunter2"]},
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated(server, caplog, arguments):
    given = {"source": f"host={server.directory} dbname=shop user=postgres", "retry_max": 0, "setup": False}
    with pytest.raises(arrowcdc.OptionError) as caught:
        CONFIGURE(**{**given, **arguments})
    assert "hunter2" not in str(caught.value) + repr(caught.value) + caplog.text


@pytest.mark.parametrize(
    "name", ["host", "port", "database", "user", "tables", "slot", "until", "publications", "partitions"])
def test_a_configuration_that_shows_a_password_cannot_be(name):
    for value in ("postgresql://ann:hunter2@h/db", "host=h password = hunter2", "ann:hunter2@h"):
        for given in (value, [value], value.encode()):
            with pytest.raises(arrowcdc.OptionError) as caught:
                arrowcdc.ArrowCDCReaderConfig(**{name: given})
            assert caught.value.object == f"argument {name}" and "hunter2" not in str(caught.value)
    config = arrowcdc.ArrowCDCReaderConfig(source="postgresql://ann:hunter2@h/db", password="hunter2")
    assert "hunter2" not in repr(config)


def test_every_kind_of_error_has_its_exception():
    header = (_ROOT / "include" / "arrowcdc" / "error.h").read_text()
    names = re.findall(r"^  k(\w+),", header, re.MULTILINE)
    kinds = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in names}
    assert len(kinds) > 20
    assert kinds - set(_errors._KINDS) == {"protocol", "sink", "internal", "interrupted"}
    assert set(_errors._KINDS) <= kinds


def test_one_libarrow_in_the_process():
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "/libarrow.so" in line}
    assert len(paths) == 1 and "pyarrow" in paths.pop()


def test_the_pyarrow_that_is_required_is_the_one_that_is_linked():
    major = _core.arrow_major
    assert arrowcdc._REQUIRED_MAJOR == major
    project = tomllib.loads((_ROOT / "python" / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == [f"pyarrow>={major},<{major + 1}"]
    assert f"pyarrow=={major}.*" in project["build-system"]["requires"]


@pytest.mark.parametrize("found", ["none", "another"])
def test_without_its_pyarrow_the_import_says_what_to_install(tmp_path, found):
    (tmp_path / "pyarrow.py").write_text(
        "raise ImportError('no pyarrow')" if found == "none" else "__version__ = '25.0.0'")
    path = os.pathsep.join([str(tmp_path), str(_PACKAGE.parent)])
    done = subprocess.run([sys.executable, "-c", "import arrowcdc"], text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": path})
    assert done.returncode != 0
    assert "ImportError: arrowcdc " in done.stderr and "pip install 'pyarrow>=26,<27'" in done.stderr


_TYPES = {"text": str, "flag": bool, "count": int, "size": int, "duration": float, "position": str | int}


def test_the_arguments_are_those_of_the_option_table():
    options = {option.name: option for option in _core.option_table()}
    fields = get_type_hints(ArrowCDCReaderConfig)
    assert set(fields) == set(options)
    for name, option in options.items():
        if option.type == "list":
            expected = Sequence[str] if option.default == () else str | Sequence[str]
        elif option.type == "choice":
            expected = Literal[tuple(option.words)]
        else:
            expected = _TYPES[option.type]
        assert fields[name] == (expected | None if option.default is None else expected), name
    assert get_type_hints(_config.Options) == fields
    assert list(fields)[:9] == ["host", "port", "database", "user", "password", "tables", "plugin", "slot",
                                "snapshot"]


@pytest.mark.parametrize("function", [ArrowCDCReaderConfig, CONFIGURE])
def test_the_signature_has_each_argument_with_its_default(function):
    parameters = inspect.signature(function).parameters.values()
    assert all(parameter.kind == inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    defaults = {parameter.name: parameter.default for parameter in parameters}
    assert defaults == {option.name: option.default for option in _core.option_table()}
    assert {name: defaults[name] for name in ("slot", "tables", "commit", "partitions", "setup", "until",
                                              "unread_limit", "reader_bytes_max", "publications")} == {
        "slot": "arrowcdc", "tables": "*.*", "commit": "on-next", "partitions": 1, "setup": True,
        "until": None, "unread_limit": 5.0, "reader_bytes_max": 33_554_432, "publications": ()}


def test_every_option_is_explained():
    explained = " ".join(ArrowCDCReaderConfig.__doc__.split())
    for option in _core.option_table():
        assert option.help and f" {option.name}: {option.help}" in explained


@pytest.mark.parametrize(
    "name, value",
    [("host", 5), ("tables", [1]), ("tables", None), ("tables", 5), ("publications", [b"p"]),
     ("publications", None), ("slot", None), ("setup", "no"), ("partitions", "two"), ("partitions", 1.5),
     ("reader_bytes_max", "32MiB"), ("unread_limit", None), ("slow_limit", "5s"),
     ("retry_max", float("nan")), ("compression", None), ("until", 1.5)])
def test_an_argument_of_another_type_is_refused_by_name(name, value):
    with pytest.raises(TypeError, match=f"argument {name}: "):
        ArrowCDCReaderConfig(**{name: value})


@pytest.mark.parametrize(
    "name, value, message",
    [("partitions", 0, "must be between 1 and 65536"), ("partitions", 65_537, "must be between 1 and 65536"),
     ("reader_bytes_max", 0, "must be positive"), ("buffer_bytes_max", 0, "must be positive"),
     ("commit", "never", "not supported"), ("on_unpublished", "Stop", "not supported"),
     ("compression", "LZ4", "is no compression"), ("until", "soon", "not an LSN")])
def test_an_argument_out_of_its_range_is_refused(name, value, message):
    with pytest.raises(arrowcdc.OptionError, match=message) as caught:
        ArrowCDCReaderConfig(**{name: value})
    assert name in caught.value.object and caught.value.remedy


def test_options_are_explained_in_pythons_words():
    explained = {option.name: option.help for option in _core.option_table()}
    assert "SlotError" in explained["on_unpublished"] and "an int" in explained["until"]
    assert not [name for name, text in explained.items() if "exit code" in text or "0s" in text]


def test_values_at_the_edge_of_their_range():
    ArrowCDCReaderConfig(partitions=65_536, reader_bytes_max=1, unread_limit=0, slow_limit=0.0, retry_max=0,
                         until=2**64 - 1, port="5432")
    ArrowCDCReaderConfig(retry_max=float("inf"), until="now", port=5432, tables=["a.b", "c.d"],
                         publications="one", host=None, source=None)


def test_source_or_single_parameters():
    with pytest.raises(arrowcdc.OptionError, match="argument database: ") as caught:
        CONFIGURE(source="dbname=shop", database="shop", user="postgres")
    assert caught.value.object == "argument database"


@pytest.mark.parametrize("limit", ["unread_limit", "slow_limit", "retry_max"])
def test_a_limit_is_not_negative(shop, limit):
    with pytest.raises(arrowcdc.OptionError, match=f"option {limit}: "):
        CONFIGURE(**shop, **{limit: -1})


def test_types(tmp_path):
    """The package by its own types, and the examples by those of the package."""
    used_wrongly = tmp_path / "used_wrongly.py"
    used_wrongly.write_text(
        "import arrowcdc\n"
        "readers = arrowcdc.ArrowCDCReaderConfig.auto_configure(port='5432', plugin='other')\n"
        "readers['public.users'].read(timeout='1')\n"
        "reveal_type(readers['public.users'])\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--config-file", _ROOT / "python" / "pyproject.toml",
            "--cache-dir", _ROOT / "build" / "mypy"]
    environment = {**os.environ, "MYPYPATH": str(_PACKAGE.parent)}
    examples = sorted((_ROOT / "examples" / "python").glob("*.py"))
    done = subprocess.run([*mypy, "-p", "arrowcdc"], text=True, capture_output=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*mypy, *examples], text=True, capture_output=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*mypy, used_wrongly], text=True, capture_output=True, env=environment)
    lines = [line for line in done.stdout.splitlines() if "used_wrongly" in line]
    assert [re.search(r":(\d+): (error|note)", line).group(1, 2) for line in lines] == [
        ("2", "error"), ("2", "error"), ("3", "error"), ("4", "note")], done.stdout
    assert 'Revealed type is "arrowcdc._readers.Reader"' in lines[-1]


def test_the_extension_module_has_types():
    stub = (_PACKAGE / "_core.pyi").read_text()
    public = [name for name in dir(_core) if not name.startswith("_") and name != "version"]
    for name in public:
        assert re.search(rf"^(def|class) {name}\b|^{name}: ", stub, re.MULTILINE), name
    assert (_PACKAGE / "py.typed").exists()
