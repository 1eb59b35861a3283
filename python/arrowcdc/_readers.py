"""Readers as Python sees them: mappings, iterators, Arrow streams. The work is in the extension module."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import NoReturn, Self

import pyarrow

from . import _core, _tables
from ._errors import ArrowCDCError, ConnectionFailedError, OptionError, make

_log = logging.getLogger("arrowcdc")
_FOREVER_MS = 1 << 40
_LOG_INTERVAL_MS = 1000
_MESSAGES = "_arrowcdc_messages"  # no table's: those have their schema in front


def _ms(seconds: float | None) -> int:
    """Milliseconds; None and what is beyond the clock's range: as good as for ever."""
    return _FOREVER_MS if seconds is None else round(max(min(seconds * 1000, _FOREVER_MS), -_FOREVER_MS))


def _check_process(opened_in: int, name: str) -> None:
    """A forked child has no stream: its connection is the parent's, and the reading thread stayed there."""
    if opened_in != os.getpid():
        raise OptionError("it was opened by another process, before a fork", kind="invalid_option",
                          object=name, remedy="open the readers in the process that reads them")


def find_lsn(options: _core.Options, until: str | int | None) -> int | None:
    """An LSN as a number; "now" is the end of the server's WAL."""
    if until is None or isinstance(until, int):
        return until
    if until != "now":
        return _core.parse_lsn(options, until)
    lsn, flushed = _core.current_end(options)
    if not flushed:
        _log.warning("transactions in progress have written WAL behind the end of what is flushed: "
                     "'now' is there")
    return lsn


class _Stream:
    """What the readers of a set have in common. It goes on while somebody holds one of them."""

    def __init__(self, opened: _core.ReaderSet, options: _core.Options, commit_on_next: bool):
        self.set = opened
        self.options = options
        self.commit_on_next = commit_on_next
        self._next_look = 0.0
        self._acknowledged = False
        self._asked: int | None = None  # of which connection it was asked whether commits wait for it
        self._warned_of_waits = False

    def log_news(self) -> None:
        """What is to be told and was not yet. It does not wait for the server."""
        for is_error, message in self.set.take_notices():
            _log.log(logging.ERROR if is_error else logging.WARNING, "%s", message)
        now = time.monotonic()
        if self._warned_of_waits or now < self._next_look:
            return
        self._next_look = now + _LOG_INTERVAL_MS / 1000
        stats = self.set.stats()
        # The server ranks a standby once it has heard of something durable: a look later it has.
        if self._acknowledged and self._asked != stats["reconnects"]:
            self._asked = stats["reconnects"]
            threading.Thread(target=self._warn_where_commits_wait, daemon=True).start()
        self._acknowledged = stats["acknowledged_lsn"] > 0

    def _warn_where_commits_wait(self) -> None:
        try:
            state = _core.sync_state(self.options)
        except ArrowCDCError:
            return
        if not state or self._warned_of_waits:
            return
        self._warned_of_waits = True
        _log.warning("the server takes this stream for a synchronous standby (sync_state %s): with "
                     "synchronous_commit on, commits wait until their changes are committed here; name the "
                     "standbys that are meant in synchronous_standby_names: '*' and this stream's "
                     "application_name count it among them", state)


class _NoReaderError(KeyError):
    """A KeyError shows its text in quotes, with line breaks and quotes of it escaped."""

    def __str__(self) -> str:
        return str(self.args[0])


class Readers(dict[str, "Reader"]):
    """Readers by table name, 'public.users'; with partitions 'public.users/0', .... One stream, one slot.

    A table whose first change comes later appears at the next look at `events()`. With `messages=True`
    logical messages have a reader of their own, '_arrowcdc_messages'. As a context manager it stops the
    stream at the end; what was not committed comes again the next time.
    """

    def __init__(self, opened: _core.ReaderSet, options: _core.Options, commit_on_next: bool,
                 partitions: int):
        super().__init__()
        self._set = opened
        self._stream = _Stream(opened, options, commit_on_next)
        self._partitions = partitions
        self._process = os.getpid()
        for reader in opened.readers():
            self._add(reader)
        self._stream.log_news()
        if tables := opened.stats()["snapshot_tables"]:
            _log.info("the rows that %d table(s) had before come first; snapshot='never' leaves them out",
                      tables)

    def __missing__(self, name: object) -> "Reader":
        most = 20
        names = ", ".join(map(repr, sorted(self)[:most])) or "none"
        more = f" and {len(self) - most} more" if len(self) > most else ""
        raise _NoReaderError(f"there is no reader {name!r}; there are: {names}{more}; events() adds those of "
                             "tables whose first change comes later")

    def _name(self, reader: _core.Reader) -> str:
        if reader.is_messages:
            return _MESSAGES
        return reader.name if self._partitions == 1 else f"{reader.name}/{reader.partition}"

    def _add(self, reader: _core.Reader) -> "Reader":
        name = self._name(reader)
        if name not in self:
            self[name] = Reader(reader, name, self._stream)
        return self[name]

    def events(self, timeout: float = 0.0) -> list[tuple[str, "Reader | None", str]]:
        """What happened since the last look: (kind, reader or None, message). It adds readers of new tables.

        Kinds: reader_added, reader_ended (it was full and nobody read it; close() it or open again),
        reconnecting, notice (of tables and publications); all but the first are logged in any case. It does
        not wait once the stream has ended.
        """
        _check_process(self._process, "readers")
        found = []
        wait_ms = _ms(timeout)
        while (event := self._set.next_event(wait_ms)) is not None:
            kind, reader, message = event
            wait_ms = 0
            found.append((kind, None if reader is None else self._add(reader), message))
        self._stream.log_news()
        if any(kind == "reader_added" for kind, _, _ in found):
            for reader in self._set.readers():  # where there were more events than are kept
                self._add(reader)
        return found

    def stats(self) -> dict[str, int]:
        """Positions and counts of the whole stream."""
        return self._set.stats()

    def unmatched_tables(self) -> dict[str, int]:
        """Rows by table that are published and that no pattern of `tables` matches: they are passed over."""
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

    def __init__(self, reader: _core.Reader, name: str, stream: _Stream):
        self._reader = reader
        self.name = name
        self.table = reader.table
        self.partition = reader.partition
        self.key_columns: list[str] | None = None  # of the replica identity, once a batch has come
        self._stream = stream
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
        """("batch", the next batch), ("timeout", None) or ("end", None). Hands out and commits nothing."""
        _check_process(self._process, self.name)
        if not self._kept:
            while True:  # in turns: what is told of a table of which nothing comes any more is logged, too
                turn_ms = min(timeout_ms, _LOG_INTERVAL_MS)
                try:
                    state = self._reader.next(turn_ms, until, self._kept)
                finally:
                    self._stream.log_news()
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
        if self._stream.commit_on_next and self._handed_out and not self._kept:
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
                # Python looks for signals when a call returns. No call from here on: the batch is either kept
                # or handed out.
                self._handed_out = True
                del self._kept[0]
            return state, batch
        finally:
            self._reading = {}

    def read(self, timeout: float | None = None,
             until: str | int | None = None) -> pyarrow.RecordBatch | None:
        """The next batch, or None: nothing came in `timeout` seconds, or all up to `until` was read.

        `until` is an LSN, or "now".
        """
        return self._read(_ms(timeout), find_lsn(self._stream.options, until))[1]

    def batches(self, until: str | int | None = None) -> Iterator[pyarrow.RecordBatch]:
        """Batches as they come, for ever or up to `until`."""
        until = find_lsn(self._stream.options, until)
        while (batch := self._read(_FOREVER_MS, until)[1]) is not None:
            yield batch

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        return self.batches()

    def read_batches(self, until: str | int | None = None) -> AsyncIterator[pyarrow.RecordBatch]:
        """Batches as they come. A wait takes no thread; where one is cancelled nothing is lost."""
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

    def _stream_up_to(self, until: str | int | None) -> pyarrow.RecordBatchReader:
        """What there is up to `until`. One schema: a change of it is an error, and nothing is lost."""
        until = find_lsn(self._stream.options, until)
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
        """For DuckDB, Polars, pandas and whatever else speaks Arrow: the changes up to now.

        commit() when they are stored.
        """
        return self._stream_up_to("now").__arrow_c_stream__(requested_schema)

    def read_all(self, until: str | int = "now") -> pyarrow.Table:
        """The changes up to `until` as a pyarrow.Table.

        Columns that came or went in between are null where they are missing.
        """
        up_to = find_lsn(self._stream.options, until)
        raw: list[_core.Batch] = []
        batches: list[pyarrow.RecordBatch] = []
        self._begin_reading()
        try:
            self._commit_if_on_next()
            while (batch := self._look(_FOREVER_MS, up_to)[1]) is not None:
                batches.append(batch)
                raw.append(self._kept[0])
                del self._kept[0]
            whole = _tables.join(batches) if batches else (self._schema or pyarrow.schema([])).empty_table()
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

        It moves up to the first change of any table that is not: what lies behind that comes again the next
        time.
        """
        if self._kept:
            raise OptionError("a batch was looked at that nobody took", kind="invalid_option",
                              object=self.name, remedy="read on first")
        _check_process(self._process, self.name)
        self._reader.commit()
        self._handed_out = False

    def close(self) -> None:
        """Nobody wants these rows any more, nor those to come: they count as read. Idempotent.

        To stop, use abandon().
        """
        self._kept.clear()
        if self._process == os.getpid():
            self._reader.close()

    def abandon(self) -> None:
        """Ends reading; what was not committed comes again the next time. Leaving a `with` block does so."""
        self._kept.clear()
        if self._process == os.getpid():
            self._reader.abandon()

    def stats(self) -> dict[str, int]:
        """What was handed out and what waits; whether the rows that were there before were all handed out."""
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

    def __iter__(self) -> NoReturn:
        raise TypeError("read_batches() is for 'async for'; with 'for' use batches()")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pyarrow.RecordBatch:
        reader = self._reader
        until = self._until
        if isinstance(until, str):
            self._until = until = await asyncio.to_thread(find_lsn, reader._stream.options, until)
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
