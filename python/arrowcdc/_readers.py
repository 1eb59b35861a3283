"""Readers as Python sees them: mappings, iterators, Arrow streams. The work is in the extension module."""

import asyncio
import dataclasses
import logging
import os

import pyarrow

from . import _core
from ._errors import ArrowCDCError, OptionError, make

_log = logging.getLogger("arrowcdc")
_FOREVER_MS = 1 << 40


def _quote(value):
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _conninfo(source, parts):
    """The keyword form; a connection string that is given stands for all keywords."""
    given = {key: value for key, value in parts.items() if value is not None}
    if source is None:
        return " ".join(f"{key}={_quote(value)}" for key, value in given.items())
    if given:
        raise OptionError(
            "a connection string and single parameters were given",
            kind="invalid_option",
            object=f"argument {min(given)}",
            remedy="put everything into `source`",
        )
    return source


def _patterns(tables):
    return tables.split() if isinstance(tables, str) else list(tables)


@dataclasses.dataclass(frozen=True)
class ArrowCDCReaderConfig:
    """Which changes to read, and how. `auto_configure` is the short way."""

    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    source: str | None = dataclasses.field(default=None, repr=False)  # libpq connection string or URI instead
    tables: str | list[str] = "*.*"
    plugin: str = "wal2arrow"
    slot: str = "arrowcdc"
    publications: tuple[str, ...] = ()
    snapshot: str = "none"
    commit: str = "on-next"
    partitions: int = 1
    insert_only: bool = False
    setup: bool = True
    until: str | int | None = None
    reader_bytes_max: int = 32 << 20
    buffer_bytes_max: int = 64 << 20
    compression: str = "auto"  # of batches on their way
    unread_limit: float = 5.0
    slow_limit: float = 0.0
    retry_max: float = 0.0

    def __post_init__(self):
        for name, allowed in (("plugin", ("wal2arrow",)), ("snapshot", ("none",)), ("commit", ("on-next", "by-hand"))):
            if getattr(self, name) not in allowed:
                raise OptionError(
                    f"{getattr(self, name)!r} is not supported",
                    kind="invalid_option",
                    object=f"argument {name}",
                    remedy="use " + " or ".join(repr(value) for value in allowed),
                )

    @classmethod
    def auto_configure(cls, **arguments):
        """Makes publication and slot where they are missing and opens the readers: {'public.users': reader, ...}."""
        return cls(**arguments).open()

    def _source(self):
        parts = {"host": self.host, "port": self.port, "dbname": self.database, "user": self.user, "password": self.password}
        return _core.Source(
            _conninfo(self.source, parts),
            self.slot,
            list(self.publications),
            _patterns(self.tables),
            self.buffer_bytes_max,
            self.compression,
        )

    def open(self):
        """The readers. With `setup` it first does what `arrowcdc setup` does."""
        source = self._source()
        tables, _ = _core.setup(source, self.insert_only, self.setup)
        until_now = self.until == "now"
        opened = _core.open(
            source,
            tables,
            self.reader_bytes_max,
            self.partitions,
            round(self.unread_limit * 1000),
            round(self.slow_limit * 1000),
            round(self.retry_max * 1000),
            None if until_now or self.until is None else _lsn(source, self.until),
            until_now,
        )
        return Readers(opened, source, self.commit == "on-next", self.partitions)

    def teardown(self):
        """Drops the slot and the publications that setup made."""
        _core.teardown(self._source())


def _lsn(source, until):
    """An LSN as a number; "now" is the end of the server's WAL."""
    if until is None or isinstance(until, int):
        return until
    return _core.current_lsn(source) if until == "now" else _core.parse_lsn(until)


class Readers(dict):
    """Readers by table name, 'public.users'; with partitions 'public.users/0', .... One stream, one slot for all.

    A table whose first change comes later appears at the next look at `events()`. As a context manager it stops the stream at
    the end; what was not committed comes again the next time.
    """

    def __init__(self, opened, source, commit_on_next, partitions):
        super().__init__()
        self._set = opened
        self._source = source
        self._commit_on_next = commit_on_next
        self._partitions = partitions
        for reader in opened.readers():
            self._add(reader)

    def _name(self, reader):
        return reader.name if self._partitions == 1 else f"{reader.name}/{reader.partition}"

    def _add(self, reader):
        name = self._name(reader)
        if name not in self:
            self[name] = Reader(reader, name, self._source, self._commit_on_next)
        return self[name]

    def events(self, timeout=0.0):
        """What happened since the last look: (kind, reader or None, message). Readers of new tables are added to the mapping.

        Kinds: reader_added, reader_ended (it was full and nobody read it; close() it or open again), reconnecting.
        """
        found = []
        wait_ms = round(timeout * 1000)
        while (event := self._set.next_event(wait_ms)) is not None:
            kind, reader, message = event
            wait_ms = 0
            if kind != "reader_added":
                _log.warning("%s: %s", self._name(reader) if reader is not None else kind, message)
            found.append((kind, None if reader is None else self._add(reader), message))
        return found

    def stats(self):
        """Positions and counts of the whole stream."""
        return self._set.stats()

    def commit(self):
        """Commits every reader."""
        for reader in self.values():
            reader.commit()

    def close(self):
        """Ends the stream; uncommitted changes stay in the slot. Idempotent."""
        self._set.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self.close)


class Reader:
    """One table's changes, or those of one of its partitions. One consumer at a time."""

    def __init__(self, reader, name, source, commit_on_next):
        self._reader = reader
        self.name = name
        self.table = reader.table
        self.partition = reader.partition
        self.key_columns = None  # of the replica identity, once a batch has come
        self._source = source
        self._commit_on_next = commit_on_next
        self._kept = None  # a batch that was looked at, and not handed out
        self._handed_out = False
        self._schema = None

    def __repr__(self):
        return f"<arrowcdc.Reader {self.name}>"

    # --- batches ---

    def _take(self, timeout_ms, until):
        """("batch", RecordBatch), ("timeout", None) or ("end", None). Commits nothing."""
        if self._kept is not None:
            batch, self._kept = self._kept, None
            return "batch", batch
        state, raw = self._reader.next(timeout_ms, until)
        if raw is None:
            return state, None
        self.key_columns = raw.key_columns
        batch = pyarrow.record_batch(raw)
        self._schema = batch.schema
        return state, batch

    def _read(self, timeout_ms, until):
        """As _take; what was handed out before is dealt with now."""
        if self._commit_on_next and self._handed_out and self._kept is None:
            self.commit()
        state, batch = self._take(timeout_ms, until)
        self._handed_out = self._handed_out or batch is not None
        return state, batch

    def read(self, timeout=None, until=None):
        """The next batch, or None: nothing came in `timeout` seconds, or everything up to `until` (an LSN, or "now") was read."""
        timeout_ms = _FOREVER_MS if timeout is None else round(timeout * 1000)
        return self._read(timeout_ms, _lsn(self._source, until))[1]

    def batches(self, until=None):
        """Batches as they come, for ever or up to `until`."""
        until = _lsn(self._source, until)
        while (batch := self._read(_FOREVER_MS, until)[1]) is not None:
            yield batch

    def __iter__(self):
        return self.batches()

    async def read_batches(self, until=None):
        """Batches as they come. Waiting takes no thread; a cancelled wait loses nothing."""
        if until is not None:
            until = await asyncio.to_thread(_lsn, self._source, until)
        loop = asyncio.get_running_loop()
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        ready = asyncio.Event()

        def on_ready():
            try:
                os.eventfd_read(fd)
            except BlockingIOError:
                pass
            ready.set()

        loop.add_reader(fd, on_ready)
        self._reader.set_notify_fd(fd)
        try:
            while True:
                ready.clear()
                state, batch = self._read(0, until)
                if state == "end":
                    return
                if batch is None:
                    await ready.wait()
                    continue
                yield batch
                await asyncio.sleep(0)  # one busy table leaves the others their turn
        finally:
            self._reader.set_notify_fd(-1)
            loop.remove_reader(fd)
            os.close(fd)

    def __aiter__(self):
        return self.read_batches()

    # --- as a whole ---

    def _stream(self, until):
        """A pyarrow.RecordBatchReader of what there is up to `until`. One schema: a change of it is an error, and nothing is lost."""
        until = _lsn(self._source, until)
        if self._commit_on_next and self._handed_out and self._kept is None:
            self.commit()
        if self._kept is None:
            self._kept = self._take(_FOREVER_MS, until)[1]
        schema = self._kept.schema if self._kept is not None else self._schema or pyarrow.schema([])

        def batches():
            while (batch := self._take(_FOREVER_MS, until)[1]) is not None:
                if not batch.schema.equals(schema):
                    self._kept = batch
                    raise make("unsupported", "the table's columns changed within the stream", self.name,
                               "read what follows with another stream, or batch by batch", "", False)
                self._handed_out = True
                yield batch

        return pyarrow.RecordBatchReader.from_batches(schema, batches())

    def __arrow_c_stream__(self, requested_schema=None):
        """For DuckDB, Polars, pandas and whatever else speaks Arrow: the changes up to now. commit() when they are stored."""
        return self._stream("now").__arrow_c_stream__(requested_schema)

    def read_all(self, until="now"):
        """The changes up to `until` as a pyarrow.Table; columns that came or went in between are null where they are missing."""
        until = _lsn(self._source, until)
        if self._commit_on_next and self._handed_out and self._kept is None:
            self.commit()
        found = []
        while (batch := self._take(_FOREVER_MS, until)[1]) is not None:
            found.append(batch)
        self._handed_out = True
        if not found:
            return (self._schema or pyarrow.schema([])).empty_table()
        tables = [pyarrow.Table.from_batches([batch]) for batch in found]
        return pyarrow.concat_tables(tables, promote_options="default")

    # --- what is dealt with ---

    def commit(self):
        """Everything that was handed out is dealt with: it does not come again and the slot may move over it."""
        if self._kept is not None:
            raise OptionError("a batch was looked at that nobody took", kind="invalid_option", object=self.name,
                              remedy="read on first")
        self._reader.commit()
        self._handed_out = False

    def close(self):
        """Nobody wants these rows any more: they no longer hold the slot back. Idempotent."""
        self._reader.close()

    def abandon(self):
        """Ends reading; what was not committed comes again the next time. Leaving a `with` block does this."""
        self._reader.abandon()

    def stats(self):
        """Rows and batches handed out, bytes that wait, batches that are not committed."""
        return self._reader.stats()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abandon()


__all__ = ["ArrowCDCError", "ArrowCDCReaderConfig", "Reader", "Readers"]
