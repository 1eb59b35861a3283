"""A private PostgreSQL: own directory, own socket, unprivileged user. Gone with who started it."""

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

_ROOT = pathlib.Path(__file__).resolve().parents[2]

# Ends the server when its standard input does: in the end, or with the process that holds the other end,
# however that dies.
_GUARD = """
trap '' INT TERM HUP
read -r _
"$0"/pg_ctl stop -D "$1/data" -m immediate -s
rm -rf "$1"
"""


class PrivateServer:
    def __init__(self):
        for variable in [name for name in os.environ if name.startswith("PG") and name != "PG_CONFIG"]:
            del os.environ[variable]
        pg_config = os.environ.get("PG_CONFIG") or "pg_config"
        self.bin = pathlib.Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip())
        plugin = pathlib.Path(os.environ.get("ARROWCDC_PLUGIN") or _ROOT / "build" / "wal2arrow.so")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="arrowcdc-test-py-"))
        self.directory.chmod(0o755)
        (self.directory / "lib").mkdir()
        shutil.copy(plugin, self.directory / "lib")
        self.user = None
        if os.geteuid() == 0:
            known = {entry.pw_name for entry in pwd.getpwall()}
            self.user = next(user for user in ("postgres", "nobody") if user in known)
            shutil.chown(self.directory, self.user)
            shutil.chown(self.directory / "lib", self.user)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, self.bin, self.directory], user=self.user, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        data = self.directory / "data"
        self._run("initdb", "-D", data, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                  "--locale=C")
        settings = f"""
listen_addresses = ''
unix_socket_directories = '{self.directory}'
wal_level = logical
fsync = off
dynamic_library_path = '{self.directory}/lib:$libdir'
"""
        # Servers since August 2026 load only the plugins that are named here.
        if "\noutput_plugin_libraries" in self._run("postgres", "--describe-config"):
            settings += "output_plugin_libraries = 'pgoutput, test_decoding, wal2arrow'\n"
        with open(data / "postgresql.conf", "a") as file:
            file.write(settings)
        self.pg_ctl("start")

    def pg_ctl(self, *arguments):
        data = self.directory / "data"
        self._run("pg_ctl", *arguments, "-D", data, "-l", data / "server.log", "-w", "-s")

    def _run(self, program, *arguments):
        done = subprocess.run(
            [self.bin / program, *arguments], user=self.user, cwd="/", text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL, stderr=subprocess.STDOUT,
            timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout}"
        return done.stdout

    def sql(self, statements, database="postgres"):
        """Each statement is a transaction, unless they say otherwise. Quiet."""
        done = subprocess.run(
            [self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", "postgres",
             "-d", database],
            input="SET client_min_messages = warning;" + statements, text=True, capture_output=True,
            timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def transaction(self, statement):
        """One that stays open, and has run the statement."""
        with subprocess.Popen([self.bin / "psql", "-XAtq", "-h", self.directory, "-U", "postgres"],
                              text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
            session.stdin.write(f"BEGIN; {statement};\n")
            session.stdin.flush()
            session.stdout.readline()
            yield
            session.stdin.close()

    def stop(self):
        self._guard.stdin.close()
        self._guard.wait(timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)
