"""What to read, and how: the options, which are rows of the library's option table, and what they open."""

import dataclasses
import inspect
import logging
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from . import _core
from ._errors import ConnectionFailedError, OptionError, ServerError, SlotError
from ._readers import Readers, find_lsn

_log = logging.getLogger("arrowcdc")
_FIRST_CONNECT_MAX = 60.0  # seconds, as the library has them
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 10.0

T = TypeVar("T")

_TABLE = {option.name: option for option in _core.option_table()}


def _option(name: str) -> Any:
    """The field of an option, with its default. What may hold a password is not shown."""
    option = _TABLE[name]
    return dataclasses.field(default=option.default, repr=not option.secret)


def _describe_options() -> str:
    lines = (f"{option.name}: {option.help}" for option in _TABLE.values())
    return "\n".join(textwrap.fill(line, 106, subsequent_indent=" " * 4) for line in lines)


def _may_hold_a_password(value: object) -> bool:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return isinstance(text, str) and _core.looks_like_conninfo(text)


def _listed(value: Any) -> Any:
    """What is no list goes on as it is: the options say what they expect."""
    return list(value) if isinstance(value, Iterable) else value


Plugin = Literal["auto", "wal2arrow", "pgoutput"]
Snapshot = Literal["auto", "initial", "never", "only"]
Compression = Literal["auto", "none", "lz4", "zstd"]
Origin = Literal["any", "none"]
Unrepresentable = Literal["null", "text", "error"]


class Options(TypedDict, total=False):
    """The arguments of ArrowCDCReaderConfig by name."""

    host: str | None
    port: int | None
    database: str | None
    user: str | None
    password: str | None
    tables: str | Sequence[str]
    plugin: Plugin
    slot: str
    snapshot: Snapshot
    source: str | None
    publications: Sequence[str]
    start: Literal["now", "earliest"]
    accept_cascades: bool
    messages: bool
    commit: Literal["on-next", "by-hand"]
    partitions: int
    insert_only: bool
    setup: bool
    accept_tables: bool
    snapshot_connections: int
    until: str | int | None
    reader_bytes_max: int
    buffer_bytes_max: int
    compression: Compression
    origin: Origin
    numeric: str
    unrepresentable: Unrepresentable
    latency: float | None
    streaming: Literal["off", "on"]
    spool_directory: str | None
    spool_bytes_max: int
    unread_limit: float
    slow_limit: float
    retry_max: float | None
    on_unpublished: Literal["go-on", "stop"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrowCDCReaderConfig:
    __doc__ = f"""Which changes to read, and how. `auto_configure` is the short way.

    host, port, database, user and password stand together, or `source` for all of them. Times are in seconds,
    sizes in bytes.

{textwrap.indent(_describe_options(), " " * 4)}
    """

    host: str | None = _option("host")
    port: int | None = _option("port")
    database: str | None = _option("database")
    user: str | None = _option("user")
    password: str | None = _option("password")
    tables: str | Sequence[str] = _option("tables")
    plugin: Plugin = _option("plugin")
    slot: str = _option("slot")
    snapshot: Snapshot = _option("snapshot")
    source: str | None = _option("source")
    publications: Sequence[str] = _option("publications")
    start: Literal["now", "earliest"] = _option("start")
    accept_cascades: bool = _option("accept_cascades")
    messages: bool = _option("messages")
    commit: Literal["on-next", "by-hand"] = _option("commit")
    partitions: int = _option("partitions")
    insert_only: bool = _option("insert_only")
    setup: bool = _option("setup")
    accept_tables: bool = _option("accept_tables")
    snapshot_connections: int = _option("snapshot_connections")
    until: str | int | None = _option("until")
    reader_bytes_max: int = _option("reader_bytes_max")
    buffer_bytes_max: int = _option("buffer_bytes_max")
    compression: Compression = _option("compression")
    origin: Origin = _option("origin")
    numeric: str = _option("numeric")
    unrepresentable: Unrepresentable = _option("unrepresentable")
    latency: float | None = _option("latency")
    streaming: Literal["off", "on"] = _option("streaming")
    spool_directory: str | None = _option("spool_directory")
    spool_bytes_max: int = _option("spool_bytes_max")
    unread_limit: float = _option("unread_limit")
    slow_limit: float = _option("slow_limit")
    retry_max: float | None = _option("retry_max")
    on_unpublished: Literal["go-on", "stop"] = _option("on_unpublished")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            given = getattr(self, field.name)
            single = isinstance(given, (str, bytes))
            values = [given] if single else list(given) if isinstance(given, (list, tuple)) else []
            if field.repr and any(_may_hold_a_password(value) for value in values):
                raise OptionError("a connection string, or a part of one, stands where it does not belong",
                                  kind="invalid_option", object=f"argument {field.name}",
                                  remedy="give it as `source`")
        self._options()  # checks them

    @classmethod
    def auto_configure(cls, **options: Unpack[Options]) -> Readers:
        """Makes publication and slot where they are missing and opens the readers.

        What it returns is a mapping: {'public.users': reader, ...}. The options are those of
        ArrowCDCReaderConfig; help() of it tells what they mean.
        """
        return cls(**options).open()

    def _options(self) -> _core.Options:
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given["tables"] = _listed(self.tables.split() if isinstance(self.tables, str) else self.tables)
        given["publications"] = _listed([self.publications] if isinstance(self.publications, str)
                                        else self.publications)
        return _core.Options(given)

    def open(self) -> Readers:
        """The readers. With `setup` it first does what `arrowcdc setup` does."""
        options = self._options()
        refused, until = self._connecting(lambda: (self._set_up(options), find_lsn(options, self.until)))
        try:
            opened = _core.open(options, until)
        except SlotError as error:
            if refused is None or error.kind != "publication_missing":
                raise
            raise refused from error
        if refused is not None:
            if all(reader.is_messages for reader in opened.readers()):
                opened.stop()
                raise refused
            _log.warning("setup changed nothing: %s", refused)
        return Readers(opened, options, self.commit == "on-next", self.partitions)

    def _connecting(self, work: Callable[[], T]) -> T:
        """Tries anew where the server is away, as the stream itself does before it was connected once."""
        deadline = time.monotonic() + (_FIRST_CONNECT_MAX if self.retry_max is None else self.retry_max)
        wait = _FIRST_WAIT
        while True:
            try:
                return work()
            except ConnectionFailedError as error:
                left = deadline - time.monotonic()
                if not error.retryable or left <= 0:
                    raise
                wait = min(wait * 2, _LONGEST_WAIT, left)
                _log.warning("connecting again in %.1f s: %s", wait, error)
                time.sleep(wait)

    def _set_up(self, options: _core.Options) -> ServerError | None:
        """Does what `arrowcdc setup` does, where that is wanted: why it was refused.

        A table that cannot be published ends the first start only: later ones go on with those that are.
        """
        if not self.setup:
            return None
        try:
            steps = _core.setup(options)
        except ServerError as error:
            if error.kind not in ("replica_identity", "permission") or not _core.has_slot(options):
                raise
            return error
        for step in steps:
            _log.info("setup: %s", step)
        return None

    def teardown(self) -> None:
        """Drops the slot and the publications that setup made."""
        _core.teardown(self._options())


def _sign(function: Callable[..., Any]) -> None:
    """Whoever asks for its signature gets the arguments by name."""
    own = inspect.signature(function)
    options = inspect.signature(ArrowCDCReaderConfig).parameters
    parameters = [own.parameters["cls"], *options.values()]
    function.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]


_sign(ArrowCDCReaderConfig.auto_configure.__func__)  # type: ignore[attr-defined]
