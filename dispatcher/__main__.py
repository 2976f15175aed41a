"""Hands over to the command line."""

from dispatcher.cli import dispatcher


def main() -> None:
    """Run the command line; the console script points here."""
    dispatcher(prog_name="dispatcher")


if __name__ == "__main__":
    main()
