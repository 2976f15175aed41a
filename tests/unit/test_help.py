"""The help keeps its lines as they were written."""

from click.testing import CliRunner

from dispatcher.cli import dispatcher


def test_the_help_shows_the_way_line_by_line() -> None:
    shown = CliRunner().invoke(dispatcher, ["--help"]).output
    assert "  dispatcher dev\n" in shown
    assert "\\b" not in shown


def test_examples_stand_on_lines_of_their_own() -> None:
    shown = CliRunner().invoke(dispatcher, ["dev", "--help"]).output
    assert '  dispatcher dev --once "@engineer hello"\n' in shown
