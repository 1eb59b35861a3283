"""Tests of tidy.py: a clean tree passes, and each fault put into it is found.

    python3 tools/tidy_test.py
"""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import tidy

LONG = "x" * 111
# A tree that keeps every rule, with what the rules exempt in it.
CLEAN = {
    "ARCHITECTURE.md": """# Architecture

| folder | what | may use |
|---|---|---|
| `elsewhere/` | a table that is not the one | `nothing` |

## Where things are

| folder | what | may include |
|---|---|---|
| `include/arrowcdc/` | the public API | Arrow C++ |
| `src/change/` | base | `include/arrowcdc`, Arrow C++ |
| `src/sink/` | files """ + "." * 120 + """ | `src/change`, Parquet |
| `plugin/` | in the server | PostgreSQL's server headers |
| `cli/` | the command | `include/arrowcdc` |
| `tests/` | tests of all | everything |
| tests beside their sources | | `tests`, GoogleTest |
| `tools/` | scripts | nothing |

## Later

| `src/later/` | not built yet | `src/sink` |
""",
    "CMakeLists.txt": "add_library(all position.cc files.cc factory.cc plugin.cc main.cc wait.cc)\n"
                      "foreach(name position end_to_end files_test)\n",
    "include/arrowcdc/position.h": "// Positions.\n#include <arrow/api.h>\n",
    "src/change/position.cc": '#include "arrowcdc/position.h"\n#include <vector>\n',
    "src/change/position_test.cc": '#include "arrowcdc/position.h"\n'
                                   '#include <gtest/gtest.h>\n#include "tests/testing/wait.h"\n',
    "src/sink/files.h": '// Files.\n#include <parquet/api.h>\n',
    "src/sink/files.cc": '#include "src/sink/files.h"\n'
                         f'auto* sql = R"sql({LONG}\n#include "cli/secret.h"\n{LONG})sql";\n'
                         f'auto* line = R"({LONG})";  // short\n',
    "src/sink/factory.cc": '#include "src/sink/files.h"\n',
    "src/sink/files_test.cc": '#include "src/sink/files.h"\n',
    "plugin/plugin.cc": '#include "postgres.h"\n#include "utils/rel.h"\n',
    "cli/main.cc": '#include <arrowcdc/position.h>\n',
    "tests/testing/wait.h": "// Waits.\n",
    "tests/testing/wait.cc": '#include "tests/testing/wait.h"\n#include <libpq-fe.h>\n'
                             'void Wait() { usleep(5); }\n',
    "tests/end_to_end_test.cc": '#include "src/sink/files.h"\n',
    "tools/run.sh": "true\n",
    "python/tests/test_it.py": "async def turn():\n    await asyncio.sleep(0)\n",
    "docs/notes.md": f"A line.\n\n```\n{LONG}\n```\n\n  | a | {LONG} |\n[1](https://example.org/{LONG})\n",
    "picture.png": LONG,
}


class TidyTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="arrowcdc-tidy-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        for name, text in CLEAN.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, name, text):
        self.write(name, CLEAN.get(name, "") + text)

    def faults(self):
        return tidy.Tidy(self.root, tidy.tracked(self.root)).run()

    def expect(self, *faults):
        self.assertEqual(self.faults(), list(faults))

    def test_a_clean_tree_passes(self):
        self.expect()

    def test_an_include_that_the_table_does_not_allow(self):
        self.add("cli/main.cc", '  #  include  "src/sink/files.h"\n')
        self.add("src/change/position.cc", '#include <src/sink/files.h>\n')
        self.expect(
            "cli/main.cc: includes src/sink/files.h, which ARCHITECTURE.md does not allow to cli/",
            "src/change/position.cc: includes src/sink/files.h, which ARCHITECTURE.md does not allow to"
            " src/change/")

    def test_a_public_header_that_the_table_does_not_allow(self):
        self.add("src/sink/files.cc", '#include "arrowcdc/position.h"\n')
        self.expect("src/sink/files.cc: includes arrowcdc/position.h, which ARCHITECTURE.md does not allow to"
                    " src/sink/")

    def test_a_library_that_the_table_does_not_allow(self):
        self.add("src/sink/files.cc", "#include <libpq-fe.h>\n")
        self.add("src/change/position.cc", "#include <gtest/gtest.h>\n")
        self.expect(
            "src/change/position.cc: includes gtest/gtest.h, but ARCHITECTURE.md does not allow GoogleTest to"
            " src/change/",
            "src/sink/files.cc: includes libpq-fe.h, but ARCHITECTURE.md does not allow libpq to src/sink/")

    def test_a_test_may_not_include_everything(self):
        self.add("src/change/position_test.cc", '#include "src/sink/files.h"\n')
        self.expect("src/change/position_test.cc: includes src/sink/files.h, which ARCHITECTURE.md does not"
                    " allow to src/change/")

    def test_a_product_that_includes_what_is_for_tests(self):
        self.add("src/sink/testing/fake_files.h", "// Not real.\n")
        self.add("src/sink/files.cc", '#include "src/sink/testing/fake_files.h"\n')
        self.expect("src/sink/files.cc: includes src/sink/testing/fake_files.h, which is for tests")

    def test_an_include_by_a_path_of_its_own(self):
        own = ("../change/position.h", "files.h", "arrowcdc/../../cli/secret.h")
        for path in own:
            self.add("src/sink/files.cc", f'#include "{path}"\n')
            self.expect(f"src/sink/files.cc: includes {path}, {tidy.FROM_ROOT}")
        self.add("src/sink/files.cc", "#include <arrowcdc/../../src/change/position.h>\n")
        self.expect(f"src/sink/files.cc: includes arrowcdc/../../src/change/position.h, {tidy.FROM_ROOT}")
        self.add("src/change/position.cc", "#include <./src/sink/files.h>\n")
        self.write("src/sink/files.cc", CLEAN["src/sink/files.cc"])
        self.expect("src/change/position.cc: includes ./src/sink/files.h, which ARCHITECTURE.md does not"
                    " allow to src/change/")

    def test_server_headers_outside_the_plugin(self):
        self.add("src/sink/files.cc", '#include "postgres.h"\n')
        self.expect(f"src/sink/files.cc: includes postgres.h, {tidy.FROM_ROOT}")

    def test_a_folder_without_a_row(self):
        self.add("src/patterns/patterns.cc", "")
        self.add("CMakeLists.txt", "add_library(config patterns.cc)\n")
        self.expect("src/patterns/patterns.cc: its folder is not in the table of ARCHITECTURE.md")

    def test_a_row_without_a_folder(self):
        row = "| `cli/` | the command | `include/arrowcdc` |\n"
        self.write("ARCHITECTURE.md",
                   CLEAN["ARCHITECTURE.md"].replace(row, row + "| `gone/` | left | `src/gone` |\n"))
        self.expect("ARCHITECTURE.md: there is no folder gone/",
                    "ARCHITECTURE.md: `src/gone` is no folder of the table")

    def test_no_table(self):
        self.write("ARCHITECTURE.md", "# Architecture\n")
        self.expect('ARCHITECTURE.md: no table of folders below "## Where things are"')

    def test_files_that_nobody_includes_or_builds(self):
        self.add("src/sink/old.h", "// Once.\n")
        self.add("src/sink/old.cc", '#include "src/sink/old.h"\n')
        self.add("src/sink/tried.h", "// By a test.\n")
        self.add("src/sink/files_test.cc", '#include "src/sink/tried.h"\n')
        self.add("CMakeLists.txt", "# old.cc\n")
        self.expect("src/sink/old.cc: no CMakeLists.txt builds it", "src/sink/old.h: nobody includes it",
                    "src/sink/tried.h: nobody but tests includes it")

    def test_long_lines(self):
        self.add("src/sink/files.cc", f"// {LONG}\n")
        self.add("docs/notes.md", f"\n{LONG} https://example.org/\n")
        self.add("Makefile", f"all:\n\t{LONG}\n")
        self.add("tools/run.sh", "x" * 110 + "\n")
        self.expect("Makefile:2: 112 columns (110)", "docs/notes.md:10: 112 columns (110)",
                    "src/sink/files.cc:6: 114 columns (110)")

    def test_a_long_line_beside_a_raw_string(self):
        self.add("src/sink/files.cc", f'auto* text = R"(short)";  // {LONG}\n')
        self.expect("src/sink/files.cc:6: 135 columns (110)")

    def test_a_fence_that_is_closed_exempts_no_longer(self):
        self.add("docs/notes.md", f"~~~\n```\n{LONG}\n~~~\n{LONG}\n")
        self.expect("docs/notes.md:13: 111 columns (110)")

    def test_a_long_file(self):
        self.add("tools/much.py", "1\n" * 801)
        self.expect("tools/much.py: 801 lines; a file is read in one sitting (800)")

    def test_a_header_without_a_beginning(self):
        self.write("src/sink/files.h", "#pragma once\n")
        self.expect("src/sink/files.h: does not begin with what it is for")

    def test_sleeping_tests(self):
        self.add("src/sink/files_test.cc", "std::this_thread::sleep_for(seconds(1));\n")
        self.add("tests/end_to_end_test.cc", "usleep(5);\n")
        self.add("python/tests/test_it.py", "time.sleep(1)\nasyncio.sleep(0.1)\n")
        self.add("src/sink/files.cc", "usleep(5);  // a product may\n")
        self.expect("python/tests/test_it.py:3: a test sleeps; wait for a condition",
                    "python/tests/test_it.py:4: a test sleeps; wait for a condition",
                    "src/sink/files_test.cc:2: a test sleeps; wait for a condition",
                    "tests/end_to_end_test.cc:2: a test sleeps; wait for a condition")

    def test_what_builds_leave_is_not_looked_at(self):
        for folder in ("build", "build-asan/deep", ".venv/lib", "tests/node_modules/x", "dist"):
            self.add(f"{folder}/made.cc", f"// {LONG}\n")
        self.expect()

    def test_in_a_repository_it_looks_at_what_git_would_take(self):
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.add(".gitignore", "/made\n")
        self.add("made/by_a_build.cc", f"// {LONG}\n")
        self.add("tools/new.sh", f"# {LONG}\n")
        self.expect("tools/new.sh:1: 113 columns (110)")

    def test_the_program_fails_with_a_fault_and_only_then(self):
        def main():
            with mock.patch.object(sys, "argv", ["tidy.py", str(self.root)]), \
                    contextlib.redirect_stdout(io.StringIO()) as out:
                return tidy.main(), out.getvalue()

        self.assertEqual(main(), (0, f"tidy: OK, {len(CLEAN)} files\n"))
        self.add("docs/notes.md", f"{LONG}\n")
        self.assertEqual(main(), (1, "docs/notes.md:9: 111 columns (110)\ntidy: 1 faults\n"))


if __name__ == "__main__":
    unittest.main()
