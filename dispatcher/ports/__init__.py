"""What the flows need from the world, as protocols. The contracts stand here, once."""

from dispatcher.ports.actions import Actions, Facts
from dispatcher.ports.backend import Backend
from dispatcher.ports.books import Audit, Books, Controls, Holding, Records
from dispatcher.ports.clock import Clock
from dispatcher.ports.crew import Crew, Directory, RosterStore
from dispatcher.ports.gateway import Ask, Gateway
from dispatcher.ports.heartbeats import Heartbeats
from dispatcher.ports.mailboxes import Done, Mailboxes, Put, Stats, Swept
from dispatcher.ports.profiles import Files, Profiles
from dispatcher.ports.restarts import Restarts, Wishes
from dispatcher.ports.signals import Bell, Tally
from dispatcher.ports.survey import Survey
from dispatcher.ports.tasks import Tasks
from dispatcher.ports.work import Hold, Holds, Isolation, Quarantine

__all__ = [
    "Actions",
    "Ask",
    "Audit",
    "Backend",
    "Bell",
    "Books",
    "Clock",
    "Controls",
    "Crew",
    "Directory",
    "Done",
    "Facts",
    "Files",
    "Gateway",
    "Heartbeats",
    "Hold",
    "Holding",
    "Holds",
    "Isolation",
    "Mailboxes",
    "Profiles",
    "Put",
    "Quarantine",
    "Records",
    "Restarts",
    "RosterStore",
    "Stats",
    "Survey",
    "Swept",
    "Tally",
    "Tasks",
    "Wishes",
]
