"""Readers as Python sees them: mappings, iterators, Arrow streams. The work is in the extension module."""

import asyncio
import dataclasses
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Literal, Self, TypedDict, TypeVar, Unpack

import pyarrow

from . import _core
from ._errors import ConnectionFailedError, OptionError, ServerError, SlotError, make

_log = logging.getLogger("arrowcdc")
_FOREVER_MS = 1 << 40
_LOG_INTERVAL_MS = 1000
_METADATA_COLUMNS = 8
_FIRST_CONNECT_MAX = 60.0  # seconds, as the library has them
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 10.0

T = TypeVar("T")


def _ms(seconds: float | None) -> int:
    """Milliseconds; None and what is beyond the clock's range: as good as for ever."""
    return _FOREVER_MS if seconds is None else round(max(min(seconds * 1000, _FOREVER_MS), -_FOREVER_MS))


def _check_process(opened_in: int, name: str) -> None:
    """A forked child has no stream: its connection is the parent's, and the thread that reads it stayed there."""
    if opened_in != os.getpid():
        raise OptionError("it was opened by another process, before a fork", kind="invalid_option", object=name,
                          remedy="open the readers in the process that reads them")


def _may_hold_a_password(value: object) -> bool:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return isinstance(text, str) and _core.looks_like_conninfo(text)


def _quote(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _conninfo(source: str | None, parts: Mapping[str, object]) -> str:
    """The keyword form of arguments; a connection string that is given stands for all of them."""
    given = {key: value for key, value in parts.items() if value is not None}
    if source is None:
        return " ".join(f"{'dbname' if key == 'database' else key}={_quote(value)}" for key, value in given.items())
    if given:
        raise OptionError(
            "a connection string and single parameters were given",
            kind="invalid_option",
            object=f"argument {min(given)}",
            remedy="put everything into `source`",
        )
    return source


Compression = Literal["auto", "none", "lz4", "zstd"]


class Options(TypedDict, total=False):
    """The arguments of ArrowCDCReaderConfig by name."""

    host: str | None
    port: int | None
    database: str | None
    user: str | None
    password: str | None
    tables: str | Sequence[str]
    plugin: Literal["wal2arrow"]
    slot: str
    snapshot: Literal["none"]
    source: str | None
    publications: Sequence[str]
    commit: Literal["on-next", "by-hand"]
    partitions: int
    insert_only: bool
    setup: bool
    accept_tables: bool
    until: str | int | None
    reader_bytes_max: int
    buffer_bytes_max: int
    compression: Compression
    unread_limit: float
    slow_limit: float
    retry_max: float | None
    on_unpublished: Literal["go-on", "stop"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrowCDCReaderConfig:
    """Which changes to read, and how. `auto_configure` is the short way.

    host, port, database, user, password: of the server; what is missing comes from libpq's variables (PGHOST, ...) and ~/.pgpass.
    source: a libpq connection string or URI instead of these.
    tables: patterns, SCHEMA.TABLE: one, several in one string, or a list; '!' in front leaves out.
    plugin: 'wal2arrow'.
    slot: name of the replication slot and of the publication. One program at a time, with the same tables each time.
    snapshot: 'none': rows that were there before the slot are not read.
    publications: names of others than that of the slot.
    commit: 'on-next': a batch is dealt with when the next one is asked for; 'by-hand': when commit() is called.
    partitions: readers for each table; rows go to them by the hash of their key.
    insert_only: publish only inserts and truncates of tables without a usable replica identity.
    setup: False changes nothing on the server and reads what is published.
    accept_tables: read a slot that was set up for other tables; otherwise that is an error, before anything is changed.
    until: the stream ends there: an LSN, or 'now', the end of the server's WAL when it is opened.
    reader_bytes_max: bytes that wait in one reader before the stream waits for it.
    buffer_bytes_max: bytes that wait between the socket and the readers.
    compression: of batches on their way: 'none', 'lz4', 'zstd', or 'auto': LZ4 unless the server is on this machine.
    unread_limit: seconds until a full reader that was never read is ended, while another waits for rows.
    slow_limit: the same for one that was read before; 0: never.
    retry_max: seconds to try for when there is no connection; 0: not at all, math.inf: for ever. None: before anything was read 60 s
        (10 s for a slot in use), later for ever.
    on_unpublished: 'go-on': tables that are not published any more are logged and counted; 'stop': they end the stream, once
        everything that the slot holds was read and committed.
    """

    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    tables: str | Sequence[str] = "*.*"
    plugin: Literal["wal2arrow"] = "wal2arrow"
    slot: str = "arrowcdc"
    snapshot: Literal["none"] = "none"
    source: str | None = dataclasses.field(default=None, repr=False)  # libpq connection string or URI instead
    publications: Sequence[str] = ()
    commit: Literal["on-next", "by-hand"] = "on-next"
    partitions: int = 1
    insert_only: bool = False
    setup: bool = True
    accept_tables: bool = False
    until: str | int | None = None
    reader_bytes_max: int = 32 << 20
    buffer_bytes_max: int = 64 << 20
    compression: Compression = "auto"  # of batches on their way
    unread_limit: float = 5.0
    slow_limit: float = 600.0
    retry_max: float | None = None
    on_unpublished: Literal["go-on", "stop"] = "go-on"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            given = getattr(self, field.name)
            values = [given] if isinstance(given, (str, bytes)) else list(given) if isinstance(given, (list, tuple)) else []
            if field.repr and any(_may_hold_a_password(value) for value in values):
                raise OptionError("a connection string, or a part of one, stands where it does not belong", kind="invalid_option",
                                  object=f"argument {field.name}", remedy="give it as `source`")
        for name, allowed in (("plugin", ("wal2arrow",)), ("snapshot", ("none",)), ("commit", ("on-next", "by-hand")),
                              ("on_unpublished", ("go-on", "stop"))):
            if getattr(self, name) not in allowed:
                raise OptionError(
                    "this value is not supported",
                    kind="invalid_option",
                    object=f"argument {name}",
                    remedy="use " + " or ".join(repr(value) for value in allowed),
                )

    @classmethod
    def auto_configure(cls, **options: Unpack[Options]) -> "Readers":
        """Makes publication and slot where they are missing and opens the readers: {'public.users': reader, ...}.

        The options are those of ArrowCDCReaderConfig; help() of it tells what they mean.
        """
        return cls(**options).open()

    def _source(self) -> _core.Source:
        parts = {"host": self.host, "port": self.port, "database": self.database, "user": self.user, "password": self.password}
        patterns = self.tables.split() if isinstance(self.tables, str) else list(self.tables)
        publications = [self.publications] if isinstance(self.publications, str) else list(self.publications)
        return _core.Source(
            _conninfo(self.source, parts), self.slot, publications, patterns, self.buffer_bytes_max, self.compression
        )

    def open(self) -> "Readers":
        """The readers. With `setup` it first does what `arrowcdc setup` does."""
        source = self._source()
        (tables, refused), until = self._connecting(lambda: (self._set_up(source), _lsn(source, self.until)))
        try:
            opened = self._open(source, tables, until)
        except SlotError as error:
            if refused is None or error.kind != "publication_missing":
                raise
            raise refused from error
        if refused is not None:
            if not opened.readers():
                opened.stop()
                raise refused
            _log.warning("setup changed nothing: %s", refused)
        _log_notices(opened)
        return Readers(opened, source, self.commit == "on-next", self.partitions)

    def _open(self, source: _core.Source, tables: list[tuple[str, str]], until: int | None) -> _core.ReaderSet:
        return _core.open(
            source,
            tables,
            self.reader_bytes_max,
            self.partitions,
            _ms(self.unread_limit),
            _ms(self.slow_limit),
            None if self.retry_max is None else _ms(self.retry_max),
            self.on_unpublished == "stop",
            until,
            self.accept_tables,
        )

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

    def _set_up(self, source: _core.Source) -> tuple[list[tuple[str, str]], ServerError | None]:
        """Does what `arrowcdc setup` does, where that is wanted: the tables that it covers, and why it was refused.

        A table that cannot be published ends the first start only: later ones go on with those that are.
        """
        if not self.setup:
            return [], None
        try:
            tables, steps = _core.setup(source, self.insert_only, self.accept_tables)
        except ServerError as error:
            if error.kind not in ("replica_identity", "permission") or not _core.has_slot(source):
                raise
            return [], error
        for step in steps:
            _log.info("setup: %s", step)
        return tables, None

    def teardown(self) -> None:
        """Drops the slot and the publications that setup made."""
        _core.teardown(self._source())


def _log_notices(opened: _core.ReaderSet) -> None:
    for is_error, message in opened.take_notices():
        _log.log(logging.ERROR if is_error else logging.WARNING, "%s", message)


def _lsn(source: _core.Source, until: str | int | None) -> int | None:
    """An LSN as a number; "now" is the end of the server's WAL."""
    if until is None or isinstance(until, int):
        return until
    if until != "now":
        return _core.parse_lsn(until)
    lsn, flushed = _core.current_end(source)
    if not flushed:
        _log.warning("transactions in progress have written WAL behind the end of what is flushed: 'now' is there")
    return lsn


def _joined(batches: list[pyarrow.RecordBatch]) -> pyarrow.Table:
    """One table: the columns in the order in which they came, then the metadata columns."""
    if all(batch.schema.equals(batches[0].schema) for batch in batches):
        return pyarrow.Table.from_batches(batches)
    own: dict[str, None] = {}  # the table's columns in order
    for batch in batches:
        own.update(dict.fromkeys(batch.schema.names[:-_METADATA_COLUMNS]))
    metadata = []
    for name in batches[0].schema.names[-_METADATA_COLUMNS:]:
        while name in own:  # a column of the table that came later
            name = "_" + name
        metadata.append(name)
    tables = []
    for batch in batches:
        columns = batch.schema.names[:-_METADATA_COLUMNS]
        tables.append(pyarrow.Table.from_batches([batch]).rename_columns([*columns, *metadata]))
    return pyarrow.concat_tables(tables, promote_options="default").select([*own, *metadata])


class Readers(dict[str, "Reader"]):
    """Readers by table name, 'public.users'; with partitions 'public.users/0', .... One stream, one slot for all.

    A table whose first change comes later appears at the next look at `events()`. As a context manager it stops the stream at
    the end; what was not committed comes again the next time.
    """

    def __init__(self, opened: _core.ReaderSet, source: _core.Source, commit_on_next: bool, partitions: int):
        super().__init__()
        self._set = opened
        self._source = source
        self._commit_on_next = commit_on_next
        self._partitions = partitions
        self._process = os.getpid()
        for reader in opened.readers():
            self._add(reader)

    def _name(self, reader: _core.Reader) -> str:
        return reader.name if self._partitions == 1 else f"{reader.name}/{reader.partition}"

    def _add(self, reader: _core.Reader) -> "Reader":
        name = self._name(reader)
        if name not in self:
            self[name] = Reader(reader, name, self._set, self._source, self._commit_on_next)
        return self[name]

    def events(self, timeout: float = 0.0) -> list[tuple[str, "Reader | None", str]]:
        """What happened since the last look: (kind, reader or None, message). Readers of new tables are added to the mapping.

        Kinds: reader_added, reader_ended (it was full and nobody read it; close() it or open again), reconnecting, notice (of
        tables and publications); all but the first are logged in any case. It does not wait once the stream has ended.
        """
        _check_process(self._process, "readers")
        found = []
        wait_ms = _ms(timeout)
        while (event := self._set.next_event(wait_ms)) is not None:
            kind, reader, message = event
            wait_ms = 0
            found.append((kind, None if reader is None else self._add(reader), message))
        _log_notices(self._set)
        if any(kind == "reader_added" for kind, _, _ in found):
            for reader in self._set.readers():  # where there were more events than are kept
                self._add(reader)
        return found

    def stats(self) -> dict[str, int]:
        """Positions and counts of the whole stream."""
        return self._set.stats()

    def unmatched_tables(self) -> dict[str, int]:
        """Rows by table that are published and that no pattern of `tables` matches: the slot passes over them."""
        return self._set.unmatched_tables()

    def commit(self) -> None:
        """Commits every reader."""
        for reader in self.values():
            reader.commit()

    def close(self) -> None:
        """Ends the stream; uncommitted changes stay in the slot. Idempotent."""
        self._set.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)


class Reader:
    """One table's changes, or those of one of its partitions. One consumer at a time."""

    def __init__(
        self, reader: _core.Reader, name: str, opened: _core.ReaderSet, source: _core.Source, commit_on_next: bool
    ):
        self._reader = reader
        self.name = name
        self.table = reader.table
        self.partition = reader.partition
        self.key_columns: list[str] | None = None  # of the replica identity, once a batch has come
        self._set = opened  # the stream goes on while somebody holds one of its readers
        self._source = source
        self._commit_on_next = commit_on_next
        # Received and not handed out: looked at for its schema, or a signal handler raised in between.
        self._kept: list[_core.Batch] = []
        self._handed_out = False  # something that is not committed
        self._awaited = False
        self._reading: dict[str, int] = {}  # the thread that does
        self._process = os.getpid()
        self._schema: pyarrow.Schema | None = None

    def __repr__(self) -> str:
        return f"<arrowcdc.Reader {self.name}>"

    # --- batches ---

    def _begin_reading(self) -> None:
        """What is _kept is one thread's. To be undone by `self._reading = {}`, which is no call."""
        thread = threading.get_ident()
        if self._reading.setdefault("thread", thread) != thread:
            raise OptionError("another thread reads it", kind="invalid_option", object=self.name,
                              remedy="let one thread read it, or use partitions")

    def _look(self, timeout_ms: int, until: int | None) -> tuple[str, pyarrow.RecordBatch | None]:
        """("batch", the batch that comes next), ("timeout", None) or ("end", None). Hands out and commits nothing."""
        _check_process(self._process, self.name)
        if not self._kept:
            while True:  # in turns: what is told of a table of which nothing comes any more is logged, too
                turn_ms = min(timeout_ms, _LOG_INTERVAL_MS)
                try:
                    state = self._reader.next(turn_ms, until, self._kept)
                finally:
                    _log_notices(self._set)
                timeout_ms -= turn_ms
                if self._kept:
                    break
                if state != "timeout" or timeout_ms <= 0:
                    return state, None
        raw = self._kept[0]
        self.key_columns = raw.key_columns
        batch = pyarrow.record_batch(raw)
        self._schema = batch.schema
        return "batch", batch

    def _commit_if_on_next(self) -> None:
        if self._commit_on_next and self._handed_out and not self._kept:
            try:
                self.commit()
            except ConnectionFailedError:
                pass  # the stream has ended: reading on gives what had arrived, and then says why

    def _read(self, timeout_ms: int, until: int | None) -> tuple[str, pyarrow.RecordBatch | None]:
        """As _look, and hands the batch out; what was handed out before is dealt with now."""
        self._begin_reading()
        try:
            self._commit_if_on_next()
            state, batch = self._look(timeout_ms, until)
            if batch is not None:
                # Python looks for signals when a call returns. No call from here on: the batch is either kept or handed out.
                self._handed_out = True
                del self._kept[0]
            return state, batch
        finally:
            self._reading = {}

    def read(self, timeout: float | None = None, until: str | int | None = None) -> pyarrow.RecordBatch | None:
        """The next batch, or None: nothing came in `timeout` seconds, or everything up to `until` (an LSN, or "now") was read."""
        return self._read(_ms(timeout), _lsn(self._source, until))[1]

    def batches(self, until: str | int | None = None) -> Iterator[pyarrow.RecordBatch]:
        """Batches as they come, for ever or up to `until`."""
        until = _lsn(self._source, until)
        while (batch := self._read(_FOREVER_MS, until)[1]) is not None:
            yield batch

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        return self.batches()

    def read_batches(self, until: str | int | None = None) -> AsyncIterator[pyarrow.RecordBatch]:
        """Batches as they come. Waiting takes no thread; a cancelled wait loses nothing, and the iterator goes on."""
        return _AsyncBatches(self, until)

    def __aiter__(self) -> AsyncIterator[pyarrow.RecordBatch]:
        return self.read_batches()

    async def _wait(self, until: int | None) -> None:
        """Until there may be something to read."""
        if self._awaited:
            raise OptionError("another task waits for its batches", kind="invalid_option", object=self.name,
                              remedy="let one task read it, or use partitions")
        loop = asyncio.get_running_loop()
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._awaited = True
        try:
            ready = asyncio.Event()
            loop.add_reader(fd, ready.set)
            self._reader.set_notify_fd(fd)
            # What came before the notification was asked for is there already.
            self._begin_reading()
            try:
                state = self._look(0, until)[0]
            finally:
                self._reading = {}
            if state == "timeout":
                await ready.wait()
        finally:
            self._reader.set_notify_fd(-1)
            loop.remove_reader(fd)
            os.close(fd)
            self._awaited = False

    # --- as a whole ---

    def _stream(self, until: str | int | None) -> pyarrow.RecordBatchReader:
        """What there is up to `until`. One schema: a change of it is an error, and nothing is lost."""
        until = _lsn(self._source, until)
        self._begin_reading()
        try:
            self._commit_if_on_next()
            self._look(_FOREVER_MS, until)
        finally:
            self._reading = {}
        schema = self._schema or pyarrow.schema([])

        def batches() -> Iterator[pyarrow.RecordBatch]:
            while True:
                self._begin_reading()
                try:
                    batch = self._look(_FOREVER_MS, until)[1]
                    if batch is None:
                        return
                    if not batch.schema.equals(schema):
                        raise make("unsupported", "the table's columns changed within the stream", self.name,
                                   "read what follows with another stream, or batch by batch", "", False)
                    self._handed_out = True
                    del self._kept[0]
                finally:
                    self._reading = {}
                yield batch

        return pyarrow.RecordBatchReader.from_batches(schema, batches())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """For DuckDB, Polars, pandas and whatever else speaks Arrow: the changes up to now. commit() when they are stored."""
        return self._stream("now").__arrow_c_stream__(requested_schema)

    def read_all(self, until: str | int = "now") -> pyarrow.Table:
        """The changes up to `until` as a pyarrow.Table; columns that came or went in between are null where they are missing."""
        up_to = _lsn(self._source, until)
        raw: list[_core.Batch] = []
        batches: list[pyarrow.RecordBatch] = []
        self._begin_reading()
        try:
            self._commit_if_on_next()
            while (batch := self._look(_FOREVER_MS, up_to)[1]) is not None:
                batches.append(batch)
                raw.append(self._kept[0])
                del self._kept[0]
            whole = _joined(batches) if batches else (self._schema or pyarrow.schema([])).empty_table()
        except BaseException:
            self._kept[:0] = [batch for batch in raw if batch not in self._kept]
            raise
        finally:
            self._reading = {}
        if raw:
            self._handed_out = True
        return whole

    # --- what is dealt with ---

    def commit(self) -> None:
        """Everything that was handed out is dealt with: the slot may move over it.

        It moves up to the first change of any table that is not: what lies behind that comes again the next time.
        """
        if self._kept:
            raise OptionError("a batch was looked at that nobody took", kind="invalid_option", object=self.name,
                              remedy="read on first")
        _check_process(self._process, self.name)
        self._reader.commit()
        self._handed_out = False

    def close(self) -> None:
        """Nobody wants these rows any more, nor those to come: they count as read. To stop, use abandon(). Idempotent."""
        self._kept.clear()
        if self._process == os.getpid():
            self._reader.close()

    def abandon(self) -> None:
        """Ends reading; what was not committed comes again the next time. Leaving a `with` block does this."""
        self._kept.clear()
        if self._process == os.getpid():
            self._reader.abandon()

    def stats(self) -> dict[str, int]:
        """Rows and batches handed out, bytes that wait, batches that are not committed."""
        return self._reader.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abandon()


class _AsyncBatches:
    """Not a generator: that one would end with the first wait that is cancelled."""

    def __init__(self, reader: Reader, until: str | int | None):
        self._reader = reader
        self._until = until
        self._again = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pyarrow.RecordBatch:
        reader = self._reader
        until = self._until
        if isinstance(until, str):
            self._until = until = await asyncio.to_thread(_lsn, reader._source, until)
        if self._again:
            await asyncio.sleep(0)  # one busy table leaves the others their turn
        self._again = True
        while True:
            state, batch = reader._read(0, until)
            if batch is not None:
                return batch
            if state == "end":
                raise StopAsyncIteration
            await reader._wait(until)
