"""A private MySQL of what tools/mysql_files.sh has fetched: own directory, a port of 127.0.0.1."""

import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_FILES = _ROOT / "build-majors" / "servers" / "mysql"


def fetched():
    """Whether the programs are there, or could be fetched."""
    subprocess.run([_ROOT / "tools" / "mysql_files.sh"], check=False, stdout=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL)
    return (_FILES / "complete").exists()


class PrivateMysql:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="arrowcdc-test-py-"))
        shutil.copytree(_FILES / "data", self.directory / "data")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        usr = _FILES / "root" / "usr"
        loader = next(path for path in (usr / "lib64", _FILES / "root" / "lib64")
                      if (path / "ld-linux-x86-64.so.2").exists()) / "ld-linux-x86-64.so.2"
        self._run = [loader, "--library-path", usr / "lib/x86_64-linux-gnu"]
        self._usr = usr
        with open(self.directory / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                [*self._run, usr / "sbin/mysqld", "--no-defaults", "--user=root", f"--basedir={usr}",
                 f"--datadir={self.directory}/data", f"--socket={self.directory}/s",
                 f"--pid-file={self.directory}/pid", f"--lc-messages-dir={usr}/share/mysql",
                 f"--character-sets-dir={usr}/share/mysql/charsets", "--bind-address=127.0.0.1",
                 f"--port={self.port}", "--server-id=1", "--log-bin=binlog", "--gtid-mode=ON",
                 "--enforce-gtid-consistency=ON", "--binlog-row-metadata=FULL", "--mysqlx=OFF",
                 "--performance-schema=OFF", "--secure-file-priv=NULL", "--innodb-buffer-pool-size=64M"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory)

    @property
    def url(self):
        return f"mysql://root@127.0.0.1:{self.port}/"

    def accepts(self):
        assert self._process.poll() is None, (self.directory / "server.log").read_text()
        return self._client("SELECT 1").returncode == 0

    def sql(self, statements):
        done = self._client(statements)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _client(self, statements):
        return subprocess.run(
            [*self._run, self._usr / "bin/mysql", "--no-defaults", "--user=root",
             f"--socket={self.directory}/s", f"--character-sets-dir={self._usr}/share/mysql/charsets",
             "--batch", "--skip-column-names"],
            input=statements, capture_output=True, text=True, check=False)

    def stop(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
