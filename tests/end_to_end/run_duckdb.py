"""Runs the query on standard input in DuckDB and prints its rows, sorted, one a line.

Values as PostgreSQL's text with | between, NULL as ~, of long ones the beginning and the length.
"""

import sys

import duckdb


def text(value):
    if value is None:
        return "~"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "{" + ",".join("NULL" if item is None else text(item) for item in value) + "}"
    text_of = str(value)
    return text_of if len(text_of) <= 100 else f"{text_of[:8]}..{len(text_of)}"


result = duckdb.connect().execute(sys.stdin.read())
print("|".join(column[0] for column in result.description))
print("\n".join(sorted("|".join(map(text, row)) for row in result.fetchall())))
