"""The house rules that a program can check; prints every fault, and fails when there is one.

    tools/tidy.py [ROOT]

- Includes: the table "Where things are" of ARCHITECTURE.md says what the files of a folder may include
  besides their own: folders in backticks, libraries in words. Product files include no helper of a test.
- No dead files: each header is included by others than its own source, and not by tests alone; each source is
  built by a CMakeLists.txt.
- Lines: at most 110 columns. Exempt: tables, fenced blocks, raw strings, addresses.
- Files: at most 800 lines; a header begins with what it is for.
- Tests wait for conditions and do not sleep.
"""

import pathlib
import posixpath
import re
import subprocess
import sys

COLUMNS_MAX = 110
LINES_MAX = 800
CPP = (".cc", ".h", ".c")
PROSE = ".md"
TEXT = CPP + (".py", ".sh", ".md", ".sql", ".mjs", ".js", ".html", ".css", ".cmake", ".txt", ".toml", ".inc",
              "Makefile", ".ci/run")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
# How the table calls a library, and how its headers begin. "server headers" are PostgreSQL's: the only ones
# in quotes that are no files of the tree.
LIBRARIES = {
    "Arrow C++": ("arrow/",),
    "Parquet": ("parquet/",),
    "libpq": ("libpq-fe.h",),
    "liblz4": ("lz4",),
    "libzstd": ("zstd",),
    "libdeflate": ("libdeflate.h",),
    "zlib": ("zlib.h",),
    "RE2": ("re2/",),
    "CLI11": ("CLI/",),
    "spdlog": ("spdlog/", "fmt/"),
    "nanobind": ("nanobind/", "Python.h"),
    "nlohmann-json": ("nlohmann/",),
    "simdjson": ("simdjson",),
    "yaml-cpp": ("yaml-cpp/",),
    "libmicrohttpd": ("microhttpd.h",),
    "GoogleTest": ("gtest/", "gmock/"),
    "RapidCheck": ("rapidcheck",),
}
SERVER_HEADERS = "server headers"
FROM_ROOT = "which is not there; a path begins at the root of the tree"

# Tests and what serves them alone, by name; the row of the table for those that stand beside their sources.
TEST = re.compile(
    r"_(test|fuzz|benchmark)\.cc$|/testing/|^(tests|bench|fuzz)/")
TEST_ROW = "tests beside their sources"
SLEEP = {
    ".py": re.compile(r"\btime\.sleep\(|\basyncio\.sleep\((?!0\))"),
    ".cc": re.compile(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\("),
    ".h": re.compile(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\("),
}
# Where a test waits for a condition by looking again after a while, once for all tests of its language.
WAITS = ("tests/testing/wait.cc", "python/tests/helpers.py")

# Headers whose first user in a product is still to come; their tests are all that includes them.
AWAITED = {"src/mysql/decode/transaction_payload.h"}

RAW_STRING = re.compile(r'R"([^()\\\s"]{0,16})\(.*?\)\1"', re.DOTALL)
ADDRESS = re.compile(r"https?://[^\s)>\"']+")


def without_raw_strings(text: str) -> str:
    """The text with every raw string emptied, its line ends kept."""
    return RAW_STRING.sub(lambda found: 'R"()"' + "\n" * found[0].count("\n"), text)


class Module:
    """A row of the table: what the files of a folder may include besides their own."""

    def __init__(self, may_include: str):
        self.everything = may_include == "everything"
        self.folders = set(re.findall(r"`([a-z_/]+?)/?`", may_include))
        words = re.sub(r"`[^`]*`", "", may_include)
        self.libraries = {name for name in (*LIBRARIES, SERVER_HEADERS) if name in words}


class Tidy:
    def __init__(self, root: pathlib.Path, files: list[str]):
        self.files = set(files)
        self.text = {
            name: (root / name).read_text(encoding="utf-8")
            for name in files if name.endswith(TEXT)
        }
        self.cpp = {name: text for name, text in self.text.items() if name.endswith(CPP)}
        self.faults: list[str] = []
        self.modules: dict[str, Module] = {}
        self.beside = Module("")

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    # --- includes ------------------------------------------------------------------------------------------

    def read_table(self) -> None:
        """Rows | `folder/` | what | may include | below the heading "Where things are"."""
        table = re.search(r"^## Where things are\n(.*?)(?=^## |\Z)", self.text.get("ARCHITECTURE.md", ""),
                          re.MULTILINE | re.DOTALL)
        for line in table[1].splitlines() if table else ():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or len(cells) != 3:
                continue
            if cells[0] == TEST_ROW:
                self.beside = Module(cells[2])
            elif folder := re.fullmatch(r"`([a-z_/]+)/`", cells[0]):
                self.modules[folder[1]] = Module(cells[2])

    def check_table(self) -> None:
        self.read_table()
        if not self.modules:
            self.fault("ARCHITECTURE.md", 'no table of folders below "## Where things are"')
        for folder, module in self.modules.items():
            if not any(name.startswith(folder + "/") for name in self.files):
                self.fault("ARCHITECTURE.md", f"there is no folder {folder}/")
            for name in sorted((module.folders | self.beside.folders) - self.modules.keys()):
                self.fault("ARCHITECTURE.md", f"`{name}` is no folder of the table")

    def check_includes(self) -> None:
        for name, text in self.cpp.items():
            folder = self.folder_of(name)
            if folder is None:
                if self.modules:
                    self.fault(name, "its folder is not in the table of ARCHITECTURE.md")
                continue
            for quote, included in INCLUDE.findall(without_raw_strings(text)):
                if complaint := self.complaint(name, folder, quote, included):
                    self.fault(name, f"includes {included}, {complaint}")

    def complaint(self, name: str, folder: str, quote: str, included: str) -> str | None:
        """Why the file may not include this; None where it may."""
        may = [self.modules[folder]] + ([self.beside] if TEST.search(name) else [])
        path = self.path_of(included)
        if ".." in included.split("/"):
            return FROM_ROOT
        if path in self.files:
            other = self.folder_of(path)
            if TEST.search(path) and not TEST.search(name):
                return "which is for tests"
            if other != folder and not any(one.everything or other in one.folders for one in may):
                return f"which ARCHITECTURE.md does not allow to {folder}/"
            return None
        library = next((one for one, headers in LIBRARIES.items() if included.startswith(headers)), None)
        if library is None and quote == '"':
            if any(SERVER_HEADERS in one.libraries for one in may):
                return None
            return FROM_ROOT
        if library is not None and not any(one.everything or library in one.libraries for one in may):
            return f"but ARCHITECTURE.md does not allow {library} to {folder}/"
        return None

    def path_of(self, included: str) -> str:
        """The path from the root: public headers are included without the folder that they lie in."""
        path = posixpath.normpath(included)
        return "include/" + path if path.startswith("arrowcdc/") else path

    def folder_of(self, name: str) -> str | None:
        """The longest folder of the table that the file lies in."""
        folders = [folder for folder in self.modules if name.startswith(folder + "/")]
        return max(folders, key=len, default=None)

    def check_dead_files(self) -> None:
        users: dict[str, set[str]] = {}
        for name, text in self.cpp.items():
            for _, included in INCLUDE.findall(text):
                users.setdefault(self.path_of(included), set()).add(name)
        builds = "\n".join(text for name, text in self.text.items() if name.endswith("CMakeLists.txt"))
        words = set(re.findall(r"[A-Za-z0-9_]+", re.sub(r"#.*", "", builds)))
        for name in self.cpp:
            others = users.get(name, set()) - {name, name.removesuffix(".h") + ".cc"}
            if name.endswith(".h") and not others:
                self.fault(name, "nobody includes it")
            elif (name.endswith(".h") and not TEST.search(name) and name not in AWAITED and
                  all(map(TEST.search, others))):
                self.fault(name, "nobody but tests includes it")
            stem = pathlib.PurePath(name).stem
            if not name.endswith(".h") and not words & {stem, stem.removesuffix("_test")}:
                self.fault(name, "no CMakeLists.txt builds it")

    # --- text ----------------------------------------------------------------------------------------------

    def check_lines(self) -> None:
        for name, text in self.text.items():
            if name in self.cpp:
                text = without_raw_strings(text)
            fence = ""
            for number, line in enumerate(text.splitlines(), 1):
                if name.endswith(PROSE):
                    mark = re.match(r"\s*(```|~~~)", line)
                    if mark and fence in ("", mark[1]):
                        fence = "" if fence else mark[1]
                    if fence or mark or line.lstrip().startswith("|"):
                        continue
                columns = len(ADDRESS.sub("", line))
                if columns > COLUMNS_MAX:
                    self.fault(f"{name}:{number}", f"{columns} columns ({COLUMNS_MAX})")

    def check_files(self) -> None:
        for name, text in self.text.items():
            lines = len(text.splitlines())
            if lines > LINES_MAX:
                self.fault(name, f"{lines} lines; a file is read in one sitting ({LINES_MAX})")
            if name.endswith(".h") and not text.startswith("//"):
                self.fault(name, "does not begin with what it is for")

    def check_sleeps(self) -> None:
        for name, text in self.text.items():
            if not re.search(r"_test\.cc$|^tests/|^python/tests/", name) or name in WAITS:
                continue
            sleep = SLEEP.get(pathlib.PurePath(name).suffix)
            for number, line in enumerate(text.splitlines(), 1):
                if sleep is not None and sleep.search(line):
                    self.fault(f"{name}:{number}", "a test sleeps; wait for a condition")

    def run(self) -> list[str]:
        self.check_table()
        self.check_includes()
        self.check_dead_files()
        self.check_lines()
        self.check_files()
        self.check_sleeps()
        return self.faults


def tracked(root: pathlib.Path) -> list[str]:
    """What git has or would take; in a tree without git, all files outside the folders that builds make."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    try:
        listed = subprocess.run([*git, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True,
                                check=True).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        made = re.compile(r"(build[^/]*|dist|bench/results|\.(?!ci/)[^/]*)/|.*(node_modules|__pycache__)/")
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
        names = [name for name in names if not made.match(name)]
    return sorted(name for name in set(names) if (root / name).is_file())


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = tracked(root)
    faults = Tidy(root, files).run()
    for fault in faults:
        print(fault)
    print(f"tidy: {len(faults)} faults" if faults else f"tidy: OK, {len(files)} files")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
