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
