"""Runs the code of a Markdown file against a private server, and writes what it prints behind it.

    tools/python.sh tools/tour.py docs/tour.md

Blocks marked `sql` are for the server. Blocks marked `python` share one namespace, in which `host` is the
server's address and `sql` sends it statements. What such a block prints, and the value of an expression at
its end, become the `text` block behind it. Marked `python varies`, its numbers differ from run to run; where
nothing else has changed the file stays as it is.
"""

import ast
import contextlib
import io
import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python" / "tests"))
from private_server import PrivateServer

_BLOCK = re.compile(r"^```(sql|python|python varies)\n(.*?)^```\n(?:\n```text\n.*?^```\n)?",
                    re.MULTILINE | re.DOTALL)


def _run_python(code, namespace):
    tree = ast.parse(code)
    last = tree.body.pop().value if isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "tour", "exec"), namespace)
        value = None if last is None else eval(compile(ast.Expression(last), "tour", "eval"), namespace)
        if value is not None:
            print(value)
    return out.getvalue()


def run(text, server):
    """The Markdown text with what its blocks print now."""
    server.sql("CREATE DATABASE tour")
    namespace = {"host": str(server.directory), "sql": lambda statements: server.sql(statements, "tour")}

    def run_block(match):
        kind, code = match.groups()
        block = f"```{kind}\n{code}```\n"
        if kind == "sql":
            server.sql(code, "tour")
            return block
        output = "\n".join(line.rstrip() for line in _run_python(code, namespace).strip().splitlines())
        return block if not output else f"{block}\n```text\n{output}\n```\n"

    text = _BLOCK.sub(run_block, text)
    server.sql("DROP DATABASE tour WITH (FORCE)")
    return text


def without_numbers(text):
    """For comparison: in blocks that vary, every number is the same, and so are the widths that follow."""
    def block(match):
        if match.group(1) != "python varies":
            return match.group()
        return re.sub(r"[ ─═]+", " ", re.sub(r"\d+", "0", match.group()))

    return _BLOCK.sub(block, text)


def renewed(text, server):
    """The text with what its blocks print now, or as it is where only numbers that vary would be others."""
    now = run(text, server)
    return text if without_numbers(now) == without_numbers(text) else now


def main(path):
    server = PrivateServer()
    try:
        file = pathlib.Path(path)
        file.write_text(renewed(file.read_text(), server))
    finally:
        server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
