"""Installs the Debian packages of dist/ into an empty Debian 12, and streams there from a real PostgreSQL
with the packaged plugin into Parquet; then boots that Debian in namespaces and runs the service under its
systemd. Exits with 77, "skipped", where there is no such Debian to be had.

    .venv/bin/python tests/installation/package_test.py
"""

import contextlib
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile

import duckdb
import pyarrow

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build-majors" / "debian12"


def run(*command, environment=None, directory=None, timeout=300):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, cwd=directory,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout,
                          env={**os.environ, **(environment or {})})
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def skip(why):
    print(f"package: skipped, {why}")
    sys.exit(77)


def package(name):
    found = list((ROOT / "dist").glob(f"{name}_*.deb"))
    if len(found) != 1:
        skip(f"there is no dist/{name}_*.deb: make package")
    return found[0]


# --- a Debian that has nothing ----------------------------------------------------------------------------

def base():
    """An archive of it, made once."""
    archive = CACHE / "root.tar"
    if archive.exists():
        return archive
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        skip("an empty Debian needs root and mmdebstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    sources = [file for file in pathlib.Path("/etc/apt").rglob("*")
               if file.name == "sources.list" or file.suffix in (".list", ".sources")]
    sources = [file for file in sources if "bookworm" in file.read_text() and "debian" in file.read_text()]
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", CACHE / "new.tar", *sources], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        print(made.stdout)
        skip("an empty Debian could not be fetched")
    (CACHE / "new.tar").rename(archive)
    return archive


class Debian:
    """A folder with it. Everything that runs there is dead when what started it ends."""

    def __init__(self, directory):
        self.root = directory / "debian"
        self.root.mkdir()
        run("tar", "-xf", base(), "-C", self.root)
        # No service starts when its package is installed.
        (self.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (self.root / "usr/sbin/policy-rc.d").chmod(0o755)
        self.archives = self.root / "var/cache/apt/archives"
        (CACHE / "archives").mkdir(exist_ok=True)
        for file in (CACHE / "archives").glob("*.deb"):
            shutil.copy(file, self.archives)
        run("cp", "/etc/resolv.conf", self.root / "etc/resolv.conf")
        self.update()

    def update(self):
        apt = ("apt-get", "-qq", "-o", "Acquire::Languages=none")
        try:
            self.run(*apt, "update")
        except AssertionError as error:
            print(error)
            skip("Debian's mirrors are not reached")

    def command(self, *command):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root / 'proc'}",
                "chroot", str(self.root), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *(str(part) for part in command)]

    # apt installs a server there, on a machine that may be busy.
    def run(self, *command):
        return run(*self.command(*command), timeout=1800)

    def install(self, file):
        shutil.copy(file, self.root / "srv")
        said = self.run("apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0",
                        "-o", "APT::Keep-Downloaded-Packages=true", "install", f"/srv/{file.name}")
        for archive in self.archives.glob("*.deb"):
            if not (CACHE / "archives" / archive.name).exists():
                shutil.copy(archive, CACHE / "archives")
        return said


# --- what a package has to be -----------------------------------------------------------------------------

def check_lintian(file):
    """Of its errors none but what is meant: Arrow is a library of its own beside Debian's."""
    if not shutil.which("lintian"):
        print("package: lintian is not here: not asked")
        return
    done = subprocess.run(["lintian", "--fail-on", "none", "--tag-display-limit", "0", "--allow-root", file],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    # Arrow C++ contains what it is linked with.
    meant = ("embedded-library",)
    errors = [line for line in done.stdout.splitlines() if line.startswith("E: ")]
    errors = [line for line in errors if line.split()[2] not in meant]
    assert not errors, "\n".join(errors)


def check_manual(root):
    pages = sorted((root / "usr/share/man/man1").glob("arrowcdc*.1.gz"))
    assert len(pages) > 5, pages
    for page in pages:
        text = run("man", "--warnings", "-l", page, environment={"LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
        assert ": warning: " not in text and "EXIT STATUS" in text, f"{page}: {text}"


def check_completions(root):
    share = root / "usr/share"
    bash = share / "bash-completion/completions/arrowcdc"
    run("bash", "-n", bash)
    for shell, file in (("zsh", share / "zsh/vendor-completions/_arrowcdc"),
                        ("fish", share / "fish/vendor_completions.d/arrowcdc.fish")):
        if shutil.which(shell):
            run(shell, "-n", file)
        else:
            print(f"package: {shell} is not here: its completion was not read")

    def complete(*words):
        """What bash offers for the last of the words, which are those that readline makes."""
        listed = " ".join(f"'{word}'" for word in words)
        return run("bash", "-c", f"source '{bash}'; compopt() {{ :; }}; COMP_WORDS=(arrowcdc {listed}); "
                   f"COMP_CWORD={len(words)}; _arrowcdc; echo \"${{COMPREPLY[*]}}\"", directory=root).split()

    if shutil.which("fish"):
        def fish(line):
            file = share / "fish/vendor_completions.d/arrowcdc.fish"
            said = run("fish", "--no-config", "-c", f"source {file}; complete -C '{line}'", directory=root,
                       environment={"HOME": str(root)})
            return [offer.split("\t")[0] for offer in said.splitlines()]

        assert sorted(fish("arrowcdc st")) == ["status", "stream"]
        assert fish("arrowcdc stream --plugin p") == ["pgoutput"]
        assert fish("arrowcdc stream --sink parquet:us") == ["parquet:usr/"]
        assert fish("arrowcdc stream --slot s") == []

    assert complete("st") == ["stream", "status"]
    assert complete("stream", "--snapshot-") == ["--snapshot-connections"]
    assert complete("stream", "--plugin", "p") == ["pgoutput"]
    assert complete("stream", "--plugin", "=", "wal") == ["wal2arrow"]
    assert complete("stream", "--sink", "par") == ["parquet:"]
    assert complete("stream", "--sink", "parquet", ":", "us") == ["usr"]
    assert complete("sql", "us") == ["usr"]
    assert complete("config", "ch") == ["check"]
    assert complete("stream", "--config", "us") == ["usr"]
    assert complete("stream", "--slot", "s") == []


def check_unit(root):
    unit = root / "lib/systemd/system/arrowcdc@.service"
    text = unit.read_text()
    for setting in ("ExecStart=/usr/bin/arrowcdc stream", "NoNewPrivileges=yes", "ProtectSystem=strict",
                    "StateDirectory=arrowcdc"):
        assert setting in text, setting
    assert "ExecReload" not in text
    if shutil.which("systemd-analyze"):
        # The units that it waits for are not there: of interest is what is said of a line.
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={root}",
                               "arrowcdc@shop.service"],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not re.search(r"\.service:\d+: ", done.stdout), done.stdout
    else:
        print("package: systemd-analyze is not here: the unit was not read")


# --- streaming --------------------------------------------------------------------------------------------

STREAM = r"""
set -e
cat >>/etc/postgresql/15/main/postgresql.conf <<C
wal_level = logical
listen_addresses = ''
fsync = off
C
# Only servers since August 2026 know it.
if runuser -u postgres -- /usr/lib/postgresql/15/bin/postgres --describe-config |
    grep -q ^output_plugin_libraries; then
  echo "output_plugin_libraries = 'pgoutput, wal2arrow'" >>/etc/postgresql/15/main/postgresql.conf
fi
# As the service reads its file.
echo 'source: {slot: shop, tables: [public.*], password: "${SECRET}"}' >/etc/arrowcdc/shop.yaml
chmod 640 /etc/arrowcdc/shop.yaml
chgrp arrowcdc /etc/arrowcdc/shop.yaml
runuser -u arrowcdc -- env SECRET=s arrowcdc config check /etc/arrowcdc/shop.yaml
pg_ctlcluster 15 main start
sql() { runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
sql "CREATE TABLE users (id int PRIMARY KEY, name text, owes numeric(12,2))"
sql "INSERT INTO users VALUES (1, 'Ann', 12.5)"
changes() {
  runuser -u postgres -- arrowcdc "$@" --source "dbname=postgres user=postgres" --slot shop \
    --tables public.users
}
changes setup --plugin wal2arrow --yes
sql "INSERT INTO users VALUES (2, NULL, 0)"
sql "UPDATE users SET name = 'Eve' WHERE id = 2"
sql "DELETE FROM users WHERE id = 1"
changes stream --sink parquet:/var/lib/postgresql/changes --until now --snapshot never
[ ! -d /opt/site ] || runuser -u postgres -- env PYTHONPATH=/opt/site python3 /opt/read.py
# What stands in the way of nobody, and is said.
apt-get -q -y remove postgresql-15-wal2arrow 2>&1 | sed 's/^/remove: /'
sql "SELECT 'plugin of the slot: ' || plugin FROM pg_replication_slots"
pg_ctlcluster 15 main stop -m fast
"""

# By the socket where Debian's servers have it.
READ = """
import arrowcdc
configuration = arrowcdc.ArrowCDCReaderConfig(
    database="postgres", user="postgres", tables="public.users", slot="wheel")
with configuration.open() as readers:
    print("wheel read", readers["public.users"].read_all()["name"].to_pylist())
"""


def install_wheel(debian):
    """The wheel, with nothing of what it needs but pyarrow, which is that of .venv."""
    wheels = list((ROOT / "dist").glob("arrowcdc-*-cp311-*manylinux*.whl"))
    if not wheels:
        print("package: no wheel for Debian's Python in dist/: not tried")
        return False
    debian.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", "python3")
    site = debian.root / "opt/site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheels[0])
    shutil.copytree(pathlib.Path(pyarrow.__file__).parent, site / "pyarrow")
    (debian.root / "opt/read.py").write_text(READ)
    return True


# --- the service under systemd ----------------------------------------------------------------------------

# As a container's manager would: arguments are the folder, and a cgroup below which it may do as it likes.
BOOT = r"""
set -e
root=$1
mount --make-rprivate /
mount --rbind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/run"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
mkdir -p mnt/before
pivot_root . mnt/before
umount -l /mnt/before
exec env -i container=test NOTIFY_SOCKET=/notify PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
  /lib/systemd/systemd --system --unit=basic.target
"""

SERVICE = r"""
set -e
trap '[ $? = 0 ] || journalctl --no-pager -o cat -n 40' EXIT
systemctl start postgresql@15-main
sql() { runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
sql "CREATE ROLE arrowcdc LOGIN SUPERUSER"
configure() {
  echo "source: {database: postgres, user: arrowcdc, slot: $2, tables: [public.users], plugin: pgoutput}
sink: parquet:$1
snapshot: initial" >"/etc/arrowcdc/$1.yaml"
}
state() {
  show() { systemctl show -P "$1" "arrowcdc@$2"; }
  echo "service: $1 $(show ActiveState "$1") $(show SubState "$1") $(show ExecMainStatus "$1")"
}
runuser -u postgres -- arrowcdc setup --yes --source "dbname=postgres user=postgres" --slot live \
  --tables public.users --plugin pgoutput >/dev/null
configure live live
configure rival live
configure lost none_such
echo "sourze: {}" >/etc/arrowcdc/wrong.yaml
systemctl start arrowcdc@live
state live
main=$(systemctl show -P MainPID arrowcdc@live)
spool=$(tr '\0' '\n' <"/proc/$main/environ" | sed -n s/^TMPDIR=//p)
as_service() { nsenter -t "$main" -m setpriv --reuid arrowcdc --regid arrowcdc --clear-groups "$@"; }
as_service touch "$spool/x" && echo "service: the spool can be written"
# By root, too: where nothing is to be written nothing can be.
nsenter -t "$main" -m touch /usr/x /etc/arrowcdc/x 2>/dev/null || echo "service: nothing else can be"
# The slot is in use: that passes by itself. What needs somebody is not tried again.
for name in rival wrong lost; do
  systemctl start "arrowcdc@$name" 2>/dev/null || state "$name"
done
systemctl stop arrowcdc@live
state live
systemctl start arrowcdc@rival
state rival
systemctl stop arrowcdc@rival postgresql@15-main
ls /var/lib/arrowcdc/live/public.users/*.parquet >/dev/null && echo "service: its rows are there"
"""


def end_group(group):
    """Ends what is in it, and removes it."""
    (group / "cgroup.kill").write_text("1")
    with (group / "cgroup.events").open() as events:
        poller = select.poll()
        poller.register(events, select.POLLPRI | select.POLLERR)
        while "populated 1" in events.read():
            assert poller.poll(60_000), f"{group} is not empty"
            events.seek(0)
    run("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";")


def check_service(debian, directory):
    debian.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", "systemd")
    groups = directory / "cgroup"
    groups.mkdir()
    mounted = subprocess.run(["mount", "-t", "cgroup2", "cgroup2", groups], capture_output=True, text=True)
    if mounted.returncode != 0:
        print(f"package: no cgroup2 can be mounted here ({mounted.stderr.strip()}): the service was not run")
        return
    own = groups / directory.name
    manager = None
    try:
        own.mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(debian.root / "notify"))
            notify.settimeout(120)
            join = f"echo $$ >'{own}/cgroup.procs'"
            namespaces = "--mount --pid --cgroup --uts --ipc --net"
            with (directory / "boot.log").open("wb") as log:
                manager = subprocess.Popen(
                    ["sh", "-c", f'{join} && exec unshare {namespaces} --fork --kill-child bash -c "$@"',
                     "sh", BOOT, "boot", str(debian.root)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            told = b""
            try:
                while b"READY=1" not in told:
                    told = notify.recv(4096)
            except TimeoutError:
                raise AssertionError((directory / "boot.log").read_text()) from None
        process = pathlib.Path(f"/proc/{manager.pid}/task/{manager.pid}/children").read_text().split()[0]
        said = run("nsenter", "-t", process, "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net", "env",
                   "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "bash", "-c", SERVICE,
                   timeout=300)
    finally:
        if manager is not None:
            manager.kill()
            manager.wait()
        end_group(own)
        run("umount", groups)
    lines = re.findall(r"^service: (.*)$", said, re.M)
    assert lines == ["live active running 0", "the spool can be written", "nothing else can be",
                     "rival activating auto-restart 75", "wrong failed failed 2", "lost failed failed 5",
                     "live inactive dead 0", "rival active running 0", "its rows are there"], said
    print("package: the service was run by systemd")


def check(directory):
    command, plugin = package("arrowcdc"), package("postgresql-15-wal2arrow")
    check_lintian(command)
    check_lintian(plugin)
    debian = Debian(directory)
    debian.install(command)
    assert re.fullmatch(r"arrowcdc [0-9.]+\n", debian.run("arrowcdc", "--version"))
    assert "not found" not in debian.run("ldd", "/usr/bin/arrowcdc")
    arrow = re.findall(r"lib(?:arrow|parquet)\.so\S* => (\S+)/lib", debian.run("ldd", "/usr/bin/arrowcdc"))
    assert set(arrow) == {"/usr/lib/arrowcdc"}, arrow
    assert debian.run("stat", "-c", "%U:%G %a", "/etc/arrowcdc") == "root:arrowcdc 750\n"
    check_unit(debian.root)
    run("dpkg-deb", "-x", command, directory / "files")  # the empty Debian leaves out what is documentation
    check_manual(directory / "files")
    check_completions(directory / "files")
    print("package: the command is installed, its manual pages and completions read")

    debian.install(plugin)
    wheel = install_wheel(debian)
    said = debian.run("bash", "-c", STREAM)
    warned = re.search(r"^remove: wal2arrow: the cluster 15/main .* need the plugin: (.*)$", said, re.M)
    assert warned and warned[1] == ("shop, wheel" if wheel else "shop"), said
    assert not wheel or "wheel read ['Eve']\n" in said, said
    assert "plugin of the slot: wal2arrow" in said, said
    files = debian.root / "var/lib/postgresql/changes/public.users/*.parquet"
    rows = duckdb.sql(f"SELECT _op, id, name, owes::text FROM read_parquet('{files}') "
                      "ORDER BY _commit_lsn, _lsn, _ord").fetchall()
    assert rows == [("insert", 2, None, "0.00"), ("update_after", 2, "Eve", "0.00"),
                    ("delete", 1, None, None)], rows
    check_service(debian, directory)
    debian.run("dpkg", "--purge", "arrowcdc")
    assert (debian.root / "etc/arrowcdc/shop.yaml").exists(), "a file of the administrator's"
    left = [path for path in ("usr/bin/arrowcdc", "usr/lib/arrowcdc",
                              "lib/systemd/system/arrowcdc@.service") if (debian.root / path).exists()]
    assert not left, left


with contextlib.ExitStack() as stack:
    check(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arrowcdc-package-"))))
print("package: installed into an empty Debian, streamed there, removed")
