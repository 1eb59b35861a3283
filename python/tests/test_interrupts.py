"""Ctrl-C and threads: blocking work lets others run, ends when asked to, and loses nothing."""

import asyncio
import math
import signal
import socket
import threading
import time

import pyarrow
import pytest
from helpers import CONFIGURE, Child, ids, wait_for, wait_until_inside

import arrowcdc
import arrowcdc._readers


def test_a_blocking_read_lets_other_threads_run(server, shop):
    with CONFIGURE(**shop) as readers:
        found = []
        thread = threading.Thread(target=lambda: found.append(readers["public.users"].read(timeout=30)))
        thread.start()
        wait_until_inside(thread, "_look")
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")  # by this thread, for the one that waits
        thread.join(30)
        assert ids(found) == [1]


@pytest.fixture
def silent_server():
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def test_connecting_lets_other_threads_run(silent_server):
    def answer():
        connection, _ = silent_server.accept()
        with connection:
            connection.recv(8)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(arrowcdc.ConnectionFailedError):
        CONFIGURE(host="127.0.0.1", port=silent_server.getsockname()[1], database="shop", user="postgres",
                  retry_max=0)
    thread.join()


def test_ctrl_c_ends_connecting(silent_server):
    port = silent_server.getsockname()[1]
    conninfo = f"host=127.0.0.1 port={port} dbname=shop user=postgres connect_timeout=600"
    program = f"""
import arrowcdc
try:
    arrowcdc.ArrowCDCReaderConfig.auto_configure(source="{conninfo}")
except KeyboardInterrupt:
    print("interrupted")
"""
    with Child(["-c", program]) as child:
        connection, _ = silent_server.accept()
        with connection:
            assert connection.recv(8)
            child.process.send_signal(signal.SIGINT)
            since = time.monotonic()
            assert child.rest() == ["interrupted"]
            assert time.monotonic() - since < 5  # a second, and the interpreter's end on a busy machine


def test_ctrl_c_ends_setup_and_leaves_no_slot(server, shop):
    program = f"""
import helpers
try:
    helpers.CONFIGURE(**{shop!r})
except KeyboardInterrupt:
    print("interrupted")
"""
    with server.transaction("SELECT pg_current_xact_id()"):  # a new slot waits for its end
        with Child(["-c", program]) as child:
            wait_for(lambda: server.sql("SELECT count(*) FROM pg_replication_slots WHERE active") == "1")
            child.process.send_signal(signal.SIGINT)
            assert child.rest() == ["interrupted"]
        assert server.sql("SELECT count(*) FROM pg_replication_slots") == "0"


def test_close_ends_an_attempt_to_connect_again(server, shop):
    with CONFIGURE(**shop) as readers:
        server.pg_ctl("stop", "-m", "fast")
        try:
            wait_for(readers.events)
            since = time.monotonic()
            readers.close()
            assert time.monotonic() - since < 5
        finally:
            server.pg_ctl("start")


def test_a_first_connection_is_tried_again(server, shop, caplog):
    server.pg_ctl("stop", "-m", "fast")
    started = threading.Thread(
        target=lambda: (wait_for(lambda: "connecting again" in caplog.text), server.pg_ctl("start")))
    started.start()
    with CONFIGURE(**shop) as readers:
        assert set(readers) == {"public.users", "public.orders"}
    started.join()


@pytest.mark.parametrize("setup", [True, False])
def test_without_retries_the_first_failure_is_the_last(server, shop, caplog, setup):
    with pytest.raises(arrowcdc.ConnectionFailedError):
        CONFIGURE(**{**shop, "host": "/nowhere"}, retry_max=0, setup=setup)
    assert caplog.text == ""


def test_without_retries_a_lost_connection_ends_the_stream(server, shop):
    with CONFIGURE(**shop, retry_max=0) as readers:
        server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
        with pytest.raises(arrowcdc.ConnectionFailedError):
            readers["public.users"].read(timeout=30)


def test_for_ever_is_infinity(server, shop):
    with CONFIGURE(**shop, retry_max=math.inf) as readers:
        server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids([readers["public.users"].read(timeout=30)]) == [1]


def test_until_now_holds_asynchronous_commits(server, shop):
    with CONFIGURE(**shop) as readers:
        for i in range(5):
            server.sql(f"SET synchronous_commit = off; INSERT INTO users VALUES ({i}, 'a')", "shop")
            assert ids(readers["public.users"].batches(until="now")) == [i]


def test_until_now_ends_after_a_segment_switch(server, shop):
    with CONFIGURE(**shop) as readers:
        server.sql("INSERT INTO users VALUES (1, 'a'); SELECT pg_switch_wal()", "shop")
        since = time.monotonic()
        assert ids(readers["public.users"].batches(until="now")) == [1]
        assert time.monotonic() - since < 5


@pytest.mark.parametrize(
    "wait, function",
    [("readers['public.users'].read()", "_look"), ("list(readers['public.users'])", "_look"),
     ("readers.events(timeout=600)", "events")],
)
def test_ctrl_c_ends_a_blocking_wait(server, shop, wait, function):
    program = f"""
import signal, threading, helpers
readers = helpers.CONFIGURE(**{shop!r})
def interrupt():
    helpers.wait_until_inside(threading.main_thread(), {function!r})
    signal.raise_signal(signal.SIGINT)
try:
    threading.Thread(target=interrupt).start()
    {wait}
except KeyboardInterrupt:
    print("interrupted")
print(helpers.ids([readers["public.users"].read(timeout=30)]))
"""
    with Child(["-c", program]) as child:
        assert child.line() == "interrupted"
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert child.rest() == ["[1]"]


def test_ctrl_c_ends_asyncio(server, shop):
    program = f"""
import asyncio, helpers
readers = helpers.CONFIGURE(**{shop!r})
async def follow():
    async for batch in readers["public.users"].read_batches():
        print(helpers.ids([batch]))
try:
    print("reading")
    asyncio.run(follow())
except KeyboardInterrupt:
    print("interrupted")
print(helpers.ids([readers["public.users"].read(timeout=30)]))
"""
    with Child(["-c", program]) as child:
        assert child.line() == "reading"
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert child.line() == "[1]"
        child.process.send_signal(signal.SIGINT)
        assert child.line() == "interrupted"
        server.sql("INSERT INTO users VALUES (2, 'b')", "shop")
        assert child.rest() == ["[2]"]


class _Interrupt(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


class _Interrupting:
    """Python looks for signals when a call returns: this is such a call, and the handler raises."""

    def __init__(self, call):
        self.call = call
        self.armed = True

    def __call__(self, *arguments):
        result = self.call(*arguments)
        if self.armed:
            self.armed = False
            raise _Interrupt
        return result


def _read(reader):
    return reader.read(timeout=30)


def _read_all(reader):
    return reader.read_all()


def _read_async(reader):
    async def first():
        return await anext(reader.read_batches())

    return asyncio.run(asyncio.wait_for(first(), 30))


def _stream(reader):
    return pyarrow.RecordBatchReader.from_stream(reader).read_all()


@pytest.mark.parametrize("read", [_read, _read_all, _read_async, _stream])
@pytest.mark.parametrize("at", ["received", "converted"])
def test_an_interrupt_on_the_way_loses_no_row(server, shop, monkeypatch, read, at):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        if at == "received":
            class Received:
                next = staticmethod(_Interrupting(users._reader.next))

                def __getattr__(self, name, real=users._reader):
                    return getattr(real, name)

            monkeypatch.setattr(users, "_reader", Received())
        else:
            class Converting:
                record_batch = staticmethod(_Interrupting(pyarrow.record_batch))

                def __getattr__(self, name):
                    return getattr(pyarrow, name)

            monkeypatch.setattr(arrowcdc._readers, "pyarrow", Converting())
        with pytest.raises(_Interrupt):
            read(users)
        server.sql("INSERT INTO users VALUES (2, 'b')", "shop")
        assert ids(users.batches(until="now")) == [1, 2]


def test_read_all_is_all_or_nothing(server, shop):
    with CONFIGURE(**shop) as readers:
        users = readers["public.users"]
        server.sql("INSERT INTO users VALUES (1, 'a');"
                   "ALTER TABLE users ALTER name TYPE bytea USING name::bytea", "shop")
        server.sql("INSERT INTO users VALUES (2, 'b')", "shop")
        with pytest.raises(pyarrow.ArrowTypeError):
            users.read_all()
        assert ids(users.batches(until="now")) == [1, 2]


@pytest.mark.parametrize(
    "wait, function",
    [("readers['public.users'].read", "_look"), ("functools.partial(readers.events, 600)", "events")])
def test_the_interpreter_ends_while_a_daemon_thread_waits(server, shop, wait, function):
    program = f"""
import functools, threading, time, helpers
class Slow:  # the interpreter's end takes longer than the waiting thread's turn
    def __del__(self, sleep=time.sleep):
        sleep(0.5)
slow = Slow()
readers = helpers.CONFIGURE(**{shop!r})
thread = threading.Thread(target={wait}, daemon=True)
thread.start()
helpers.wait_until_inside(thread, {function!r})
print("the end")
"""
    with Child(["-c", program]) as child:
        assert child.rest() == ["the end"]
        assert child.errors == ""


def test_a_forked_child_leaves_the_stream_alone(server, shop):
    program = f"""
import os, signal, sys, helpers
readers = helpers.CONFIGURE(**{shop!r})
users = readers["public.users"]
child = os.fork()
if child == 0:
    signal.alarm(30)
    for call in (users.read, users.commit, readers.events):
        try:
            call()
        except helpers.arrowcdc.OptionError as error:
            assert "another process" in str(error)
        else:
            os._exit(1)
    users.close()
    readers.close()
    del users
    sys.exit(0)
print(os.waitpid(child, 0)[1])
print(helpers.ids([users.read(timeout=30)]), readers.stats()["reconnects"])
"""
    with Child(["-c", program]) as child:
        assert child.line() == "0"
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert child.rest() == ["[1] 0"]
