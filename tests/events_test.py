"""The events that the command logs are those that docs/operations.md lists, each once.

    tests/events_test.py [ROOT]
"""

import pathlib
import re
import sys

ROW = re.compile(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", re.MULTILINE)
# The name, which is a literal, or one of two: again ? "a" : "b".
FIELD = re.compile(r'"event",\s*([^{}();]+?)\s*[})]')
NAME = re.compile(r'"([a-z_]+)"')
# Those of notices are what one function returns.
NOTICES = re.compile(r"\bEventOf\(NoticeKind kind\) \{\n(.*?)\n\}", re.DOTALL)
RETURNED = re.compile(r'return "([a-z_]+)";')
# The last argument of LogError is its event, "failed" where there is none.
ERROR = re.compile(r'\bLogError\((?:[^;]*?),\s*"([a-z_]+)"\);')


def listed(root: pathlib.Path) -> list[str]:
    text = (root / "docs/operations.md").read_text(encoding="utf-8")
    section = text.split("### What is logged")[1].split("\n### ")[0]
    names = [name for row in ROW.findall(section) for name in re.findall("`([a-z_]+)`", row)]
    return [name for name in names if name != "event"]


def logged(root: pathlib.Path) -> set[str]:
    names = {"failed"}
    for path in sorted((root / "cli").rglob("*.cc")):
        if path.name.endswith("_test.cc") or path.name == "logging.cc":  # which is handed them
            continue
        text = path.read_text(encoding="utf-8")
        for value in FIELD.findall(text):
            found = NAME.findall(value)
            assert found, f"{path}: an event that is no literal: {value}"
            names |= set(found)
        names |= set(ERROR.findall(text))
        for body in NOTICES.findall(text):
            names |= set(RETURNED.findall(body))
    return names


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    documented, code = listed(root), logged(root)
    faults = [f"{name}: listed {documented.count(name)} times" for name in set(documented)
              if documented.count(name) > 1]
    faults += [f"{name}: logged, and not in docs/operations.md" for name in sorted(code - set(documented))]
    faults += [f"{name}: in docs/operations.md, and never logged" for name in sorted(set(documented) - code)]
    assert len(code) > 10, "the events of the sources were not found"
    for fault in faults:
        print(f"events: {fault}")
    print(f"events: {len(code)}, {'not all' if faults else 'all'} as documented")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
