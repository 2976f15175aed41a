"""The command line: one file per group of verbs."""

import click

from dispatcher.cli.bench import bench
from dispatcher.cli.config import config
from dispatcher.cli.dead_letters import dead_letters
from dispatcher.cli.dev import dev
from dispatcher.cli.doctor import doctor
from dispatcher.cli.explain import explain
from dispatcher.cli.mailboxes import mailboxes
from dispatcher.cli.pause import pause, resume
from dispatcher.cli.prove import prove
from dispatcher.cli.run import run
from dispatcher.cli.status import status
from dispatcher.cli.worker import worker
from dispatcher.wiring import package_version


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 69 a needed service cannot be used, "
    "78 the settings cannot be used.",
)
@click.version_option(package_version(), "-V", "--version", prog_name="dispatcher")
def dispatcher() -> None:
    """Bring Mission Control notifications to agents, and their replies back.

    \b
    Try it without Docker, accounts or keys:
      dispatcher dev

    \b
    Run it:
      dispatcher doctor      is everything it needs there?
      dispatcher run         the runtime process: poller, sweeper, HTTP
      dispatcher worker      a worker process; start as many as you like

    \b
    See it:
      dispatcher status                  how everything is, and what to do about it; --watch
      dispatcher mailboxes               what runs, waits or rests, and why
      dispatcher explain ID              where a notification is, why, and what happens next
      dispatcher config show | check     which settings count, and where each came from

    \b
    Steer it:
      dispatcher dead-letters list       what was given up; show, revive or discard it
      dispatcher pause | resume          everything, an agent or a conversation

    \b
    Trust it:
      dispatcher prove       break everything on purpose, and see that nothing is lost
      dispatcher bench       measure it as it is deployed, and hold it to its budgets

    Settings come from environment variables and from a file .env in the current folder; see
    .env.example.
    """  # noqa: D301 - click's mark for lines that are not to be wrapped


for command in (
    run, worker, dev, doctor, status, mailboxes, explain, config, dead_letters, pause, resume, prove,
    bench,
):  # fmt: skip
    dispatcher.add_command(command)
