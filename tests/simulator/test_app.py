"""The simulator's own controls, over real sockets."""

import httpx
import pytest

from plano_agents.simulator.app import create_app

CHAT = "/v1/chat/completions"
BODY = {"model": "a/b", "messages": [{"role": "user", "content": "a secret recipe"}]}


def test_it_says_that_it_is_healthy(url: str) -> None:
    assert httpx.get(url + "/healthz").json() == {"status": "ok"}


def test_a_path_that_is_not_simulated_is_told_with_those_that_are(url: str) -> None:
    answer = httpx.post(url + "/v1/embeddings", json={"model": "a/b", "input": "hi"})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (404, "invalid_request_error")
    assert error["message"] == (
        "POST /v1/embeddings is not simulated: POST /v1/chat/completions, POST /v1/responses and POST /v1/messages are."
    )


def test_the_log_tells_which_model_was_asked_and_how(url: str) -> None:
    headers = {"X-Model-Affinity": "run-1", "Authorization": "Bearer sk-very-secret"}
    httpx.post(url + CHAT, json=BODY, headers=headers)
    entry = httpx.get(url + "/simulator/requests").json()[0]
    told = {key: entry[key] for key in ("order", "wire", "path", "model", "status", "affinity_id", "authorization")}
    assert told == {
        "order": 1,
        "wire": "openai",
        "path": CHAT,
        "model": "a/b",
        "status": 200,
        "affinity_id": "run-1",
        "authorization": "bearer",
    }


def test_the_log_holds_no_text_and_no_key(url: str) -> None:
    httpx.post(url + CHAT, json=BODY, headers={"Authorization": "sk-very-secret"})
    log = httpx.get(url + "/simulator/requests").text
    assert "recipe" not in log
    assert "sk-very-secret" not in log


def test_refused_requests_are_logged_too(url: str) -> None:
    httpx.post(url + CHAT, content=b"{")
    entry = httpx.get(url + "/simulator/requests").json()[0]
    assert (entry["status"], entry["model"]) == (400, None)


def test_a_cleared_log_counts_on(url: str) -> None:
    httpx.post(url + CHAT, json=BODY)
    httpx.delete(url + "/simulator/requests")
    httpx.post(url + CHAT, json=BODY)
    assert [entry["order"] for entry in httpx.get(url + "/simulator/requests").json()] == [2]


def test_a_fault_can_be_put_and_dropped_while_running(url: str) -> None:
    statuses = []
    for change in (None, "PUT", "DELETE"):
        if change is not None:
            httpx.request(change, url + "/simulator/faults/a/b", json={"fault": "status=503"})
        statuses.append(httpx.post(url + CHAT, json=BODY).status_code)
    assert statuses == [200, 503, 200]


def test_a_fault_that_is_not_known_is_not_put(url: str) -> None:
    answer = httpx.put(url + "/simulator/faults/m", json={"fault": "explode"})
    assert answer.status_code == 422
    assert "Unknown fault 'explode'" in answer.text


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403)])
async def test_the_controls_answer_on_loopback_only(peer: str, status: int) -> None:
    transport = httpx.ASGITransport(create_app(), client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        assert (await client.get("/simulator/requests")).status_code == status


def test_the_documentation_is_served(url: str) -> None:
    assert "/simulator/faults/{model}" in httpx.get(url + "/openapi.json").json()["paths"]


def test_names_of_headers_are_logged_without_their_values(url: str) -> None:
    httpx.post(url + CHAT, json=BODY, headers={"X-Custom": "value-of-it"})
    answer = httpx.get(url + "/simulator/requests")
    assert "x-custom" in answer.json()[0]["headers"]
    assert "value-of-it" not in answer.text
