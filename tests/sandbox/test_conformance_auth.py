"""Items 21 to 25 of the backend's contract: the service token."""

import pytest

SECRET = "0" * 64


def unknown_id(office, table="accounts"):
    from dispatcher.sandbox.backend.store import new_id

    return new_id(table)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("mc_service_" + "x" * 502, "Invalid service token"),
        ("mc_other_x_y", "Invalid service token format"),
        ("mc_service_x", "Invalid service token structure"),
        ("mc_service_x_y", "ArgumentValidationError: Value does not match validator."),
    ],
)
def test_021_a_malformed_token_gets_its_own_text(office, token, text):
    message = office.error("getOrchestratorAgentId", serviceToken=token)

    assert f"Uncaught Error: {text}\n" in message


def test_021_the_third_part_must_be_an_account(office):
    text = office.error("getOrchestratorAgentId", serviceToken=f"mc_service_{office.engineer}_x")

    assert "Path: .accountId" in text
    assert 'v.id("accounts")' in text


def test_021_the_stored_account_is_looked_at_in_order(office):
    elsewhere = unknown_id(office)
    wrong = f"mc_service_{office.account}_{SECRET}"
    empty = f"mc_service_{office.account}_"
    probe = "getOrchestratorAgentId"

    unknown = office.error(probe, serviceToken=f"mc_service_{elsewhere}_{SECRET}")
    assert "Error: Not found: Account does not exist\n" in unknown
    assert "Error: Invalid service token\n" in office.error(probe, serviceToken=wrong)
    assert "Error: Invalid service token\n" in office.error(probe, serviceToken=empty)
    # The wrong secret is found out before the wrong account.
    other = office.error(probe, serviceToken=wrong, accountId=elsewhere)
    assert "Error: Invalid service token\n" in other
    office.world.remove_token(office.account)
    none = office.error(probe)
    assert "Error: Forbidden: Account has no service token configured\n" in none


def test_022_underscores_belong_to_the_secret_and_white_space_too(office):
    token = office.world.rotate_token(office.account, secret="a_b__c")

    assert office.call("getOrchestratorAgentId", serviceToken=token)
    text = office.error("getOrchestratorAgentId", serviceToken=f"{token}\n")
    assert "Error: Invalid service token\n" in text


def test_023_a_token_serves_its_own_account_only(office, open_office):
    other = open_office("Other")

    for account in (other.account, unknown_id(office)):
        text = office.error("getOrchestratorAgentId", accountId=account)
        assert "Forbidden: Service token does not match account" in text


def test_024_a_replaced_token_stops_working_at_once(office):
    assert office.call("getOrchestratorAgentId")

    new = office.world.rotate_token(office.account)

    assert "Invalid service token" in office.error("getOrchestratorAgentId")
    assert office.call("getOrchestratorAgentId", serviceToken=new)


def test_025_the_probe_answers_and_changes_nothing(office):
    tables = ("accounts", "agents", "sessions", "activities", "notifications", "runtimes")
    before = [office.rows(table) for table in tables]

    assert office.call("getOrchestratorAgentId") == {"orchestratorAgentId": None}

    assert [office.rows(table) for table in tables] == before
    office.world.set_orchestrator(office.account, office.lead)
    assert office.call("getOrchestratorAgentId") == {"orchestratorAgentId": office.lead}


def test_only_people_may_provision_tokens(office):
    text = office.client.action("provisionServiceToken", accountId=office.account)["errorMessage"]

    assert "Unauthorized: Must be authenticated" in text
