"""Installs the release build into a temporary directory, builds examples/cpp against it as a user would, and
runs that, the installed command and the installed plugin with a private server.

    .venv/bin/python tests/installation/installation_test.py
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "python" / "tests"))
from private_server import PrivateServer


def run(*command):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=300)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def check(directory):
    prefix, project = directory / "prefix", directory / "project"
    run("cmake", "--install", ROOT / "build", "--prefix", prefix)
    public = {file.name for file in (ROOT / "include" / "arrowcdc").iterdir()}
    assert {file.name for file in (prefix / "include" / "arrowcdc").iterdir()} == public

    # A copy, so that nothing of this tree can be reached by a relative path.
    shutil.copytree(ROOT / "examples" / "cpp", project)
    run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", project / "build")

    (plugin,) = prefix.glob("lib*/**/postgresql/wal2arrow.so")
    os.environ["ARROWCDC_PLUGIN"] = str(plugin)
    server = PrivateServer()
    try:
        server.sql("CREATE TABLE users (id int PRIMARY KEY, name text, owes numeric(12,2))")
        source = f"host={server.directory} dbname=postgres user=postgres"

        def read():
            return run(project / "build" / "read_table", source, "public.users", "now").splitlines()

        assert read() == [], "streaming starts with what comes after the setup"
        server.sql("INSERT INTO users VALUES (1, 'Ann', 12.5), (2, NULL, 0)")
        server.sql("UPDATE users SET name = 'Eve' WHERE id = 2; DELETE FROM users WHERE id = 1")
        lines = read()
        assert lines == ["insert id=1 name=Ann owes=12.50", "insert id=2 name=null owes=0.00",
                         "update_after id=2 name=Eve owes=0.00", "delete id=1 name=null owes=null"], lines
        assert read() == [], "what was committed does not come again"

        for document in ("man/man1/arrowcdc-stream.1", "bash-completion/completions/arrowcdc",
                         "zsh/site-functions/_arrowcdc", "fish/vendor_completions.d/arrowcdc.fish"):
            assert (prefix / "share" / document).is_file(), document
        command = prefix / "bin" / "arrowcdc"
        assert "public.users" in run(command, "tables", "--source", source, "--tables", "public.*")
        run(command, "teardown", "--source", source, "--slot", "read_table", "--yes")
        assert server.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    finally:
        server.stop()


with tempfile.TemporaryDirectory(prefix="arrowcdc-installation-") as name:
    check(pathlib.Path(name))
print("installation: the example read what it should")
