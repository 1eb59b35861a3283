"""A private PostgreSQL for the tests: own directory, own socket, an unprivileged user; gone with the tests."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

import arrowcdc

_ROOT = pathlib.Path(__file__).resolve().parents[2]


class Server:
    def __init__(self):
        pg_config = os.environ.get("PG_CONFIG") or "pg_config"
        self.bin = pathlib.Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip())
        plugin = pathlib.Path(os.environ.get("ARROWCDC_PLUGIN") or _ROOT / "build" / "wal2arrow.so")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="arrowcdc-py-"))
        self.user = next(u for u in ("postgres", "nobody") if u in {p.pw_name for p in pwd.getpwall()}) if os.geteuid() == 0 else None
        (self.directory / "lib").mkdir()
        shutil.copy(plugin, self.directory / "lib")
        if self.user is not None:
            shutil.chown(self.directory, self.user)
        self.directory.chmod(0o755)
        self.run("initdb", "-D", self.directory / "data", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
        known = self.run("postgres", "--describe-config")
        settings = f"""
listen_addresses = ''
unix_socket_directories = '{self.directory}'
wal_level = logical
fsync = off
dynamic_library_path = '{self.directory}/lib:$libdir'
"""
        # Servers since August 2026 load only the plugins that are named here.
        if "\noutput_plugin_libraries" in known:
            settings += "output_plugin_libraries = 'pgoutput, test_decoding, wal2arrow'\n"
        with open(self.directory / "data" / "postgresql.conf", "a") as file:
            file.write(settings)
        self.run("pg_ctl", "start", "-D", self.directory / "data", "-l", self.directory / "data" / "server.log", "-w", "-s")

    def run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *arguments], user=self.user, cwd="/", text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout}"
        return done.stdout

    def sql(self, statements, database="postgres"):
        done = subprocess.run([self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", "postgres", "-d", database,
                               "-c", statements], text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self):
        self.run("pg_ctl", "stop", "-D", self.directory / "data", "-m", "immediate", "-s")
        shutil.rmtree(self.directory)


@pytest.fixture(scope="session")
def server():
    for variable in [name for name in os.environ if name.startswith("PG") and name != "PG_CONFIG"]:
        del os.environ[variable]
    started = Server()
    yield started
    started.stop()


@pytest.fixture
def shop(server):
    """Keyword arguments for auto_configure: a fresh database with two tables and nothing else."""
    server.sql("CREATE DATABASE shop")
    server.sql("CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2))", "shop")
    arguments = {"host": str(server.directory), "database": "shop", "user": "postgres", "tables": "public.*"}
    yield arguments
    arrowcdc.ArrowCDCReaderConfig(**arguments).teardown()
    server.sql("DROP DATABASE shop WITH (FORCE)")
