"""What the outside sees of the health: probes, the report, the version, and the metrics."""

import pytest
from flask.testing import FlaskClient
from prometheus_client import Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.web.sample_site import Site

# Health


def test_livez_says_that_the_loops_make_progress(client: FlaskClient) -> None:
    """The compose health check restarts what is not alive, so the world outside is left out."""
    answer = client.get("/livez")

    assert (answer.status_code, answer.json) == (200, {"alive": True, "stuck": []})


def test_livez_names_a_stuck_loop(site: Site, client: FlaskClient) -> None:
    """A person wants to know which one."""
    site.facts.loops = ("poll",)

    answer = client.get("/livez")

    assert (answer.status_code, answer.json) == (503, {"alive": False, "stuck": ["poll"]})


def test_livez_does_not_care_for_the_world_outside(site: Site, client: FlaskClient) -> None:
    """A restart would not bring Redis back."""
    site.facts.sentences = ("Redis cannot be reached.",)

    assert client.get("/livez").status_code == 200


def test_readyz_says_what_is_missing(site: Site, client: FlaskClient) -> None:
    """In sentences, asked anew for each request."""
    ready = client.get("/readyz")
    site.facts.sentences = ("Redis cannot be reached.",)
    unready = client.get("/readyz")

    assert (ready.status_code, ready.json) == (200, {"ready": True, "problems": []})
    assert (unready.status_code, unready.json) == (
        503,
        {"ready": False, "problems": ["Redis cannot be reached."]},
    )


def test_health_is_the_whole_report(site: Site, client: FlaskClient) -> None:
    """200 when healthy, 503 when degraded."""
    healthy = client.get("/health")
    site.facts.sentences = ("Redis cannot be reached.",)
    degraded = client.get("/health")

    assert (healthy.status_code, degraded.status_code) == (200, 503)
    assert healthy.json is not None
    assert healthy.json["store"]["dead"] == 41
    assert degraded.json == site.facts.health()


def test_version_says_what_runs(site: Site, client: FlaskClient) -> None:
    """For the operator and for upgrades."""
    answer = client.get("/version")

    assert (answer.status_code, answer.json) == (200, site.facts.version())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/version", "/metrics", "/"])
def test_a_head_request_is_answered_like_a_get(client: FlaskClient, path: str) -> None:
    """Probes use it."""
    answer = client.head(path)

    assert answer.status_code == 200
    assert answer.data == b""


# Metrics


@pytest.fixture
def counted(site: Site) -> FlaskClient:
    Counter("polls", 'Looks at "x".', ["loop"], registry=site.registry).labels('a"b\n').inc(3)
    return site.client()


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html"]
)
def test_metrics_are_text_unless_asked_otherwise(counted: FlaskClient, accept: str) -> None:
    """The format that everything reads."""
    answer = counted.get("/metrics", headers={"Accept": accept})

    [value] = [
        sample.value
        for one in parse_text(answer.text)
        for sample in one.samples
        if sample.name == "polls_total"
    ]
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (answer.status_code, value) == (200, 3)


def test_metrics_are_openmetrics_for_who_asks_for_it(counted: FlaskClient) -> None:
    """As Prometheus does."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"

    answer = counted.get("/metrics", headers={"Accept": accept})

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert [one.name for one in parse_openmetrics(answer.text)] == ["polls"]
