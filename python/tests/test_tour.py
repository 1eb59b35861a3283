"""The tour: its blocks run, and print what stands there."""

import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(_ROOT / "tools"))
import tour


def test_the_tour_prints_what_it_says(server):
    committed = (_ROOT / "docs" / "tour.md").read_text()
    assert committed.count("```text") > 10
    assert tour.without_numbers(tour.run(committed, server)) == tour.without_numbers(committed)


def test_numbers_that_vary_are_no_change(server):
    def text(first, second):
        return (f"```python varies\nprint(40 + 2, 'rows')\n```\n\n```text\n{first} rows\n```\n\n"
                f"```python\nprint(7)\n```\n\n```text\n{second}\n```\n")

    assert tour.renewed(text(1, 7), server) == text(1, 7)
    assert tour.renewed(text(1, 6), server) == text(42, 7)
