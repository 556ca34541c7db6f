"""The demo itself: the loop twice against one router, without and with affinity."""

import os
from typing import Annotated

import msgspec
import openai
from rich.console import Console

from plano_agents.demos.loop import NoCompletionError, UnfinishedError, run_turns
from plano_agents.demos.report import encode_trace, show_run, show_summary
from plano_agents.errors import PlanoError
from plano_agents.integrations.router_address import name_url


class DemoError(PlanoError):
    """The demo could not be run to its end."""

    code = "demo_failed"


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: Annotated[list[_Model], msgspec.Meta(min_length=1)]


def compare(router: str, *, affinity_id: str, model: str | None, simulated: bool, as_json: bool) -> None:
    """Run the loop without and with affinity, and show both on standard output.

    Args:
        router: The router's base URL, ``/v1`` included.
        affinity_id: The second run's id.
        model: The model to ask for; None for the first that the router lists, its default.
        simulated: Whether the models are, which is said.
        as_json: Whether to print one JSON object instead.

    Raises:
        DemoError: The router or a provider failed, or the model found no end.
    """
    console = Console(quiet=as_json, highlight=False)
    client = openai.OpenAI(base_url=router, api_key=os.environ.get("PLANO_API_KEY") or "none")
    console.print(_introduction(router, simulated=simulated), soft_wrap=True)
    try:
        asked = model or _find_default(client)
        if simulated:
            _wake(router, asked)
        runs = [
            show_run(console, each, run_turns(client, name=name, model=asked, affinity_id=each))
            for name, each in (("run 1", None), ("run 2", affinity_id))
        ]
    except openai.APIConnectionError as error:
        raise DemoError(
            f"No router answers at {name_url(router)} ({error}). Start one with 'scripts/uv run plano-agents up --offline', or unset "
            "PLANO_BASE_URL."
        ) from error
    except openai.APIStatusError as error:
        raise DemoError(f"The router answered {error.status_code}: {_message(error)}") from error
    except (openai.OpenAIError, NoCompletionError, UnfinishedError) as error:
        raise DemoError(f"The loop failed: {error}") from error
    if as_json:
        print(encode_trace(router, simulated=simulated, runs=runs), flush=True)  # noqa: T201 - what --json is for
    else:
        show_summary(console, *runs, simulated=simulated)


def _find_default(client: openai.OpenAI) -> str:
    """Find the model that a router lists first, its default.

    Raises:
        DemoError: What is listed are no models: some other web server answers.
    """
    listed = client.models.with_raw_response.list()
    try:
        return msgspec.json.decode(listed.content, type=_Models).data[0].id
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DemoError(
            f"What answers at {name_url(str(client.base_url))} is not a router: it lists no models. Set PLANO_BASE_URL to the address of "
            "one, or unset it."
        ) from error


def _wake(router: str, model: str) -> None:
    """Ask a router of the demo's own for a decision alone, so that it has loaded its routing before that is timed."""
    routing = openai.OpenAI(base_url=f"{router.removesuffix('/v1')}/routing/v1", api_key="none")
    routing.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": "hello"}])


def _introduction(router: str, *, simulated: bool) -> str:
    if simulated:
        return "The models are simulated, the routing is real; nothing leaves this machine.\n"
    return f"Requests go to {router}.\n"


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    return str(body["message"]) if isinstance(body, dict) and "message" in body else error.message
