"""What the tests of more than one file use."""

import os
import pathlib
import subprocess
import sys
import threading
import time

import arrowcdc

CONFIGURE = arrowcdc.ArrowCDCReaderConfig.auto_configure


def ids(batches):
    return [value for batch in batches for value in batch.column("id").to_pylist()]


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def wait_until_inside(thread, function):
    """The thread stands in this function's call of the extension module: found there again and again."""
    seen = []

    def inside():
        frame = sys._current_frames().get(thread.ident)
        seen.append(frame is not None and frame.f_code.co_name == function)
        return all(seen[-5:]) and len(seen) >= 5

    wait_for(inside)


def end_of_wal(server):
    return server.sql("SELECT pg_current_wal_flush_lsn()")


def slot_passed(server, lsn):
    """Everything before this LSN was acknowledged."""
    return server.sql(f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots"
                      " WHERE slot_name = 'arrowcdc'") == "t"


class Child:
    """A Python program of its own, which can import the package and this file."""

    def __init__(self, arguments):
        here = pathlib.Path(__file__).parent
        path = os.pathsep.join([str(pathlib.Path(arrowcdc.__file__).parents[1]), str(here)])
        self.process = subprocess.Popen(
            [sys.executable, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})
        self._limit = threading.Timer(60, self.process.kill)
        self._limit.start()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def rest(self):
        """What it prints until it ends, which must be in order."""
        out, self.errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.errors
        return out.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._limit.cancel()
        self.process.kill()
        self.process.communicate()
