"""Tools that only look."""

from dispatcher.domain.catalogue import ALL_STATUSES
from dispatcher.domain.ids import AgentId
from dispatcher.domain.tools import CallRefused
from dispatcher.flows.acts.errand import Content, Errand, missing, not_one_of, slugs_of


def skills(errand: Errand) -> Content:
    """Tell the skills of agents."""
    of = errand.text("agentId")
    found = errand.actions.skills(agent=errand.agent, of=AgentId(of) if of else None)
    return _data(agents=list(found))


def load(errand: Errand) -> Content:
    """Load a task with its thread."""
    limits = errand.bounded(messageLimit=200)
    return _data(**errand.actions.load_task(agent=errand.agent, task=errand.task(), fields=limits))


def history(errand: Errand) -> Content:
    """Load messages and activities of a task."""
    limits = errand.bounded(messageLimit=200, activityLimit=200)
    return _data(**errand.actions.history(agent=errand.agent, task=errand.task(), fields=limits))


def tasks(errand: Errand) -> Content:
    """List tasks."""
    fields: dict[str, object] = {}
    status = errand.text("status")
    if status:
        if status not in ALL_STATUSES:
            raise not_one_of("status", ALL_STATUSES)
        fields["status"] = status
    (slug, *_) = slugs_of([errand.arguments.get("assigneeSlug", "")]) or [""]
    if slug:
        known = {agent.slug.lower(): agent.agent_id for agent in errand.directory.agents()}
        if slug not in known:
            raise CallRefused(f"Unknown assignee slug: {slug}")
        fields["assigneeAgentId"] = known[slug]
    found = errand.actions.tasks(agent=errand.agent, fields=fields | errand.bounded(limit=200))
    return _data(tasks=list(found))


def task(errand: Errand) -> Content:
    """Get one task; null when there is none."""
    return _data(task=errand.actions.task(agent=errand.agent, task=errand.task()))


def thread(errand: Errand) -> Content:
    """Read the thread of a task."""
    found = errand.actions.thread(
        agent=errand.agent, task=errand.task(), fields=errand.bounded(limit=200)
    )
    return _data(thread=list(found))


def search(errand: Errand) -> Content:
    """Find tasks by a text."""
    query = errand.text("query")
    if not query:
        raise missing("query is required")
    fields = {"query": query} | errand.bounded(limit=100)
    return _data(results=list(errand.actions.search(agent=errand.agent, fields=fields)))


def _data(**found: object) -> Content:
    return {"success": True, "data": found}
