"""docs/cases.md has every case once, and each of its rows names tests that exist or says why there is none.

    tests/cases_test.py [ROOT]
"""

import pathlib
import re
import subprocess
import sys

CASES = range(1, 160)
REASON = re.compile(r"(?:not yet|refused): \w.+")
GTEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\(\s*(\w+),\s*(\w+)",
                   re.MULTILINE)
PYTEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
CTEST = re.compile(r"\badd_test\(\s*NAME (\w+)")


def names_of_tests(root: pathlib.Path) -> set[str]:
    """Of GoogleTest, pytest and ctest, as the sources have them."""
    files = subprocess.run(["git", "-C", str(root), "ls-files"], check=True, capture_output=True, text=True)
    names: set[str] = set()
    for name in files.stdout.splitlines():
        path = root / name
        if not path.is_file():
            continue
        if name.endswith("_test.cc"):
            names |= {f"{suite}.{test}" for suite, test in GTEST.findall(path.read_text(encoding="utf-8"))}
        elif name.endswith(".py"):
            names |= set(PYTEST.findall(path.read_text(encoding="utf-8")))
        elif name.endswith("CMakeLists.txt"):
            names |= set(CTEST.findall(path.read_text(encoding="utf-8")))
    return names


def faults_of(document: str, tests: set[str]) -> list[str]:
    faults = []
    seen = []
    for line in document.splitlines():
        row = re.fullmatch(r"\| (\d+) \| (.+) \| (.+) \|", line)
        if row is None:
            if re.match(r"\| *\d", line):
                faults.append(f"a row that is not | number | case | tests |: {line}")
            continue
        number, case, shown = row.groups()
        seen.append(int(number))
        named, _, reason = shown.partition("; ") if shown.startswith("`") else ("", "", shown)
        if named and not re.fullmatch(r"`[\w.]+`(?:, `[\w.]+`)*", named):
            faults.append(f"case {number}: tests that are not names in backticks, with commas between")
        if reason and not REASON.fullmatch(reason):
            faults.append(f"case {number}: neither tests nor 'not yet: ...' nor 'refused: ...': {reason}")
        faults += [f"case {number}: there is no test {test}" for test in re.findall(r"`([\w.]+)`", named)
                   if test not in tests]
    missing = sorted(set(CASES) - set(seen))
    if missing or seen != sorted(set(seen)):
        faults.append(f"numbers are missing, twice or out of order; missing: {missing}")
    faults += [f"case {number}: there is no such case" for number in seen if number not in CASES]
    return faults


def check_the_check(tests: set[str]) -> None:
    """What it is for, it finds."""
    whole = "\n".join(f"| {number} | a case | `Lsn.Parses` |" for number in CASES)
    assert not faults_of(whole, tests), faults_of(whole, tests)
    assert faults_of(whole.replace("| 7 | a case | `Lsn.Parses` |\n", ""), tests)
    assert faults_of(whole + "\n| 159 | a case | `Lsn.Parses` |", tests)
    assert faults_of(whole.replace("| 7 | a case | `Lsn.Parses` |", "| 7 | a case | `Lsn.Parse` |"), tests)
    assert faults_of(whole.replace("| 7 | a case | `Lsn.Parses` |", "| 7 | a case | nothing |"), tests)
    assert faults_of(whole.replace("| 7 | a case | `Lsn.Parses` |", "| 7 | a case | |"), tests)


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    tests = names_of_tests(root)
    check_the_check(tests)
    document = (root / "docs/cases.md").read_text(encoding="utf-8")
    faults = faults_of(document, tests)
    for fault in faults:
        print(f"docs/cases.md: {fault}")
    print(f"{len(CASES)} cases, {document.count('not yet: ')} of them not covered, or not as a whole")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
