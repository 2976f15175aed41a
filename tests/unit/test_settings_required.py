"""The required settings: what is missing or wrong is told, all of it at once."""

from pathlib import Path

import pytest

from tests.fakes.environment import (
    ACCOUNT,
    NAMES,
    OTHER_ACCOUNT,
    REQUIRED,
    SECRET,
    problems_of,
    read_with,
    run,
)


def test_items_1_to_3_without_settings_it_ends_with_78_and_names_all_three(tmp_path: Path) -> None:
    ended = run(tmp_path)

    assert ended.returncode == 78
    assert all(name in ended.stderr for name in NAMES)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("blank", [None, "", '""', "''", "  "])
@pytest.mark.parametrize("name", NAMES)
def test_items_1_to_3_a_blank_value_is_as_good_as_none(name: str, blank: str | None) -> None:
    problems = problems_of(**{name: blank})

    assert any(problem.startswith(f"{name} is not set") for problem in problems)


def test_every_problem_is_told_at_once() -> None:
    problems = problems_of(
        ACCOUNT_ID="",
        CONVEX_URL="nonsense",
        SERVICE_TOKEN=f"wrong_{SECRET}",
        OPENCLAW_GATEWAY_URL="ftp://gateway",
        TASK_STATUS_BASE_URL="nonsense",
        REDIS_URL="mysql://redis",
    )

    for name in (
        *("ACCOUNT_ID", "CONVEX_URL", "SERVICE_TOKEN", "OPENCLAW_GATEWAY_URL"),
        *("TASK_STATUS_BASE_URL", "REDIS_URL"),
    ):
        assert any(name in problem for problem in problems), name


def test_the_required_settings_are_enough() -> None:
    read = read_with()

    assert read.account_id == ACCOUNT
    assert read.convex_url == REQUIRED["CONVEX_URL"]
    assert read.service_token.get_secret_value() == REQUIRED["SERVICE_TOKEN"]
    assert read.notes == ()


def test_item_4_a_token_of_another_kind_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"sk_live_{ACCOUNT}_{SECRET}")

    assert "format" in problem
    assert "mc_service_" in problem


def test_item_5_a_token_of_three_parts_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN="mc_service_abc")

    assert "structure" in problem
    assert "mc_service_{accountId}_{secret}" in problem


def test_item_6_a_token_of_another_account_is_refused_with_both_names() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"mc_service_{OTHER_ACCOUNT}_{SECRET}")

    assert ACCOUNT in problem
    assert OTHER_ACCOUNT in problem


def test_item_6_the_program_says_so_and_keeps_the_secret(tmp_path: Path) -> None:
    ended = run(tmp_path, **REQUIRED | {"ACCOUNT_ID": OTHER_ACCOUNT})

    assert ended.returncode == 78
    assert OTHER_ACCOUNT in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout


def test_item_7_a_secret_may_have_underscores() -> None:
    token = f"mc_service_{ACCOUNT}_a_b__c_"

    assert read_with(SERVICE_TOKEN=token).service_token.get_secret_value() == token


def test_item_8_a_token_without_a_secret_is_refused() -> None:
    (problem,) = problems_of(SERVICE_TOKEN=f"mc_service_{ACCOUNT}_")

    assert "structure" in problem


def test_a_token_longer_than_the_backend_takes_is_refused() -> None:
    problems_of(SERVICE_TOKEN=f"mc_service_{ACCOUNT}_{'x' * 500}")
