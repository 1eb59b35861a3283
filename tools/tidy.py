"""The house rules that a program can check. `make test` runs it; it prints every fault and fails when there is one.

    tools/tidy.py [ROOT]

- Includes: the table of modules in ARCHITECTURE.md says which folders a file may include with "..." besides its own.
- Headers: somebody includes each.
- Lines: at most 110 columns. Exempt: tables, fenced blocks, lines with a URL, raw strings.
- Files: at most 800 lines; a header begins with what it is for.
- Tests wait for conditions and do not sleep.
"""

import pathlib
import re
import subprocess
import sys

COLUMNS_MAX = 110
LINES_MAX = 800
CODE = (".cc", ".h", ".c")
OTHER = (".py", ".sh", ".md", ".sql", ".mjs", ".cmake", ".txt", ".yml")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
SLEEP = re.compile(r"\b(sleep|usleep|sleep_for|sleep_until|nanosleep)\(")
# Names of files that are tests, or serve them alone.
TEST = re.compile(r"(_test|_fuzz|_benchmark)\.(cc|h)$|/test_[^/]*$|/fake_[^/]*$|/testing/|^tests/|^bench/|^fuzz/")
# Where code waits for a condition by looking again after a while, once for all tests.
WAITS = ("tests/support/wait.cc",)
# What is written by other programs, or quoted from them.
FOREIGN = ("tests/apache_arrow_js/package-lock.json", "plugin/imports.txt", "LICENSE")


class Tidy:
    def __init__(self, root: pathlib.Path, files: list[str]):
        self.root = root
        self.files = files
        self.faults: list[str] = []
        self.text = {name: (root / name).read_text(encoding="utf-8") for name in files if self.is_text(name)}

    @staticmethod
    def is_text(name: str) -> bool:
        return name.endswith(CODE + OTHER) and name not in FOREIGN

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    # --- includes --------------------------------------------------------------------------------------------

    def modules(self) -> dict[str, set[str]]:
        """Folder -> folders that it may include, of the rows | `folder/` | what | `folder` ... | of ARCHITECTURE.md."""
        modules: dict[str, set[str]] = {}
        for line in self.text["ARCHITECTURE.md"].splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            folder = re.fullmatch(r"`([a-z_/]+)/`", cells[0])
            if not line.startswith("| `") or folder is None or len(cells) < 3:
                continue
            modules[folder[1]] = {name.rstrip("/") for name in re.findall(r"`([a-z_/]+)`", cells[2])}
        return modules

    def check_includes(self) -> None:
        modules = self.modules()
        if len(modules) < 10:
            self.fault("ARCHITECTURE.md", "its table of modules cannot be read")
            return
        for folder, allowed in modules.items():
            if not any(name.startswith(folder + "/") for name in self.files):
                self.fault("ARCHITECTURE.md", f"there is no folder {folder}/")
            for name in sorted(allowed - modules.keys()):
                self.fault("ARCHITECTURE.md", f"{folder}/ may use `{name}`, which is no folder of the table")
        for name, text in self.text.items():
            if name.endswith(CODE):
                self.check_includes_of(name, text, modules)

    def check_includes_of(self, name: str, text: str, modules: dict[str, set[str]]) -> None:
        own = self.module_of(name, modules)
        if own is None:
            self.fault(name, "its folder is not in the table of ARCHITECTURE.md")
            return
        allowed = {own} | modules[own]
        if TEST.search(name):
            allowed |= {"tests"} | modules["tests"]
        for included in INCLUDE.findall(text):
            other = self.module_of(self.path_of(included), modules)
            if other is not None and other not in allowed:
                self.fault(name, f'includes "{included}", which ARCHITECTURE.md does not allow to {own}/')

    @staticmethod
    def path_of(included: str) -> str:
        """Public headers are included without the folder that they lie in."""
        return "include/" + included if included.startswith("arrowcdc/") else included

    @staticmethod
    def module_of(name: str, modules: dict[str, set[str]]) -> str | None:
        """The longest folder of the table that the file lies in."""
        found = [folder for folder in modules if name.startswith(folder + "/")]
        return max(found, key=len) if found else None

    def check_headers(self) -> None:
        included = {self.path_of(one) for text in self.text.values() for one in INCLUDE.findall(text)}
        for name in self.files:
            if name.endswith(".h") and name not in included:
                self.fault(name, "nobody includes it")

    # --- text ------------------------------------------------------------------------------------------------

    def check_lines(self) -> None:
        for name, text in self.text.items():
            raw = fence = False
            for number, line in enumerate(text.splitlines(), 1):
                if name.endswith(".md") and line.lstrip().startswith("```"):
                    fence = not fence
                exempt = raw or fence or (name.endswith(".md") and line.startswith("|"))
                raw = self.in_raw_string(line, raw) if name.endswith(CODE) else False
                if len(line) > COLUMNS_MAX and not exempt and not raw and not re.search(r"https?://", line):
                    self.fault(f"{name}:{number}", f"{len(line)} columns")

    @staticmethod
    def in_raw_string(line: str, inside: bool) -> bool:
        if not inside:
            begin = re.search(r'R"([a-z]*)\(', line)
            return begin is not None and f"){begin[1]}\"" not in line[begin.end():]
        return re.search(r'\)[a-z]*"', line) is None

    def check_files(self) -> None:
        for name, text in self.text.items():
            if not name.endswith(CODE):
                continue
            lines = text.count("\n")
            if lines > LINES_MAX:
                self.fault(name, f"{lines} lines; a file is read in one sitting ({LINES_MAX})")
            if name.endswith(".h") and not text.startswith("//"):
                self.fault(name, "does not begin with what it is for")

    def check_sleeps(self) -> None:
        for name, text in self.text.items():
            if not (name.endswith("_test.cc") or name.startswith("tests/")) or name in WAITS:
                continue
            for number, line in enumerate(text.splitlines(), 1):
                if name.endswith(CODE) and SLEEP.search(line):
                    self.fault(f"{name}:{number}", "a test sleeps; wait for a condition (tests/support/wait.h)")

    def run(self) -> list[str]:
        self.check_includes()
        self.check_headers()
        self.check_lines()
        self.check_files()
        self.check_sleeps()
        return self.faults


def tracked(root: pathlib.Path) -> list[str]:
    """What git has or would take; a tree without git: all files outside build folders."""
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        names = [name for name in names if not re.match(r"(build|\.|dist/|bench/results/)|.*node_modules/", name)]
    return sorted(name for name in set(names) if (root / name).is_file())


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    faults = Tidy(root, tracked(root)).run()
    for fault in faults:
        print(fault)
    print(f"tidy: {len(faults)} faults" if faults else "tidy: OK")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
