"""``plano-agents launch``: a coding agent on a router, for one run."""

import http
import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import click

from plano_agents.cli.agents import AGENTS, Access, Agent, Setup
from plano_agents.cli.first_config import DEFAULT_PATH
from plano_agents.cli.options import ACT_HELP, settings_option
from plano_agents.cli.running_router import asks_for_client_key, explain_failure
from plano_agents.config.load import load_config
from plano_agents.demos.child import ROUTER_READY, ChildNotStartedError, running_server
from plano_agents.errors import ConfigError
from plano_agents.http.origin import is_loopback_name
from plano_agents.http_syntax import is_header_value
from plano_agents.integrations.router_address import VARIABLES, build_base_url, name_url

HOST = "127.0.0.1"
DEFAULT_PORT = 12_000
LOCAL_SECONDS = 2.0
"""How long a router on this machine may take to say that it is one."""
ANSWER_SECONDS = 10.0
"""How long a router may take to list its models."""
LAST_LINES = 10
"""How many lines are shown of the log of a router that stopped."""
NO_KEY = "none"
"""The key where the router asks for none: agents refuse to start without one."""
PROXIES = tuple(name for each in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (each, each.lower()))
"""The variables that send an agent's requests through a proxy."""
IMPLICIT = "prompt_caching: {enabled: true}"
"""What makes a router keep the model of conversations without a session id."""


@click.command("launch")
@click.argument("agent", type=click.Choice(list(AGENTS)), metavar="AGENT")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The configuration of the router to start  [default: as 'plano-agents up']",
)
@settings_option("the configuration")
@click.option("--url", envvar=VARIABLES, help="A running router to use instead.  [env: PLANO_BASE_URL, PLANO_URL]")
@click.option(
    "--key", envvar="PLANO_API_KEY", help="A client key, where the router asks for one.  [env: PLANO_API_KEY]"
)
@click.option("--model", help="The model that the agent asks for  [default: one that the agent knows]")
@click.option("--small-model", help="A configured model for small tasks, such as a session's title.")
@click.option("--offline", is_flag=True, help="Start the router on simulated models; no provider's key is needed.")
@click.option("--act", is_flag=True, help=f"With --offline: {ACT_HELP}")
@click.option("--print-env", is_flag=True, help="Print what would be set, and start nothing.")
def launch_command(
    *,
    agent: str,
    arguments: tuple[str, ...],
    config: Path | None,
    settings: Path | None,
    url: str | None,
    key: str | None,
    model: str | None,
    small_model: str | None,
    offline: bool,
    act: bool,
    print_env: bool,
) -> None:
    """Start AGENT on a router, with ARGUMENTS of its own after '--'.

    AGENT is claude, codex, opencode, pi, qwen, vibe or aider. A router that runs at --url, or where the configuration
    says, is used; else one is started for this run. The agent gets the router's address by its environment and command
    line: no file of yours is written.

    \b
    plano-agents launch claude
    plano-agents launch codex --offline
    plano-agents launch opencode -- run "Explain this repository"
    """  # noqa: D301 - click's mark of a block that is not wrapped
    if act and not offline:
        raise click.UsageError("--act is for simulated models; add --offline.")
    if offline and url is not None:
        raise click.UsageError("--offline starts a router of its own; leave out --url, or unset PLANO_BASE_URL.")
    if key is not None and not is_header_value(key):
        raise click.UsageError("--key cannot go into an HTTP header. Give it as visible ASCII, without a line end.")
    wanted = AGENTS[agent]
    program = shutil.which(wanted.program)
    if program is None and not print_env:
        raise click.ClickException(
            f"{wanted.title} is not installed: no {wanted.program!r} on PATH. Run '{wanted.install}'."
        )
    running = _find_running(config, url, offline=offline)
    if print_env:
        if running is None:
            _tell(f"No router answers at {_name_local(config)} yet: start one with 'plano-agents up'.")
        _print_setup(wanted, _point(wanted, running or _name_local(config), key, model, small_model), arguments)
        return
    if running is None:
        router: AbstractContextManager[str] = _start_router(wanted, config, settings, offline=offline, act=act)
    else:
        router = nullcontext(running)
        _tell(f"{wanted.title} uses the router on {name_url(running)}/v1, which goes on after this run.")
        if not wanted.sends_session:
            _tell(f"{wanted.title} sends no session id: keep its model with '{IMPLICIT}' in that router's config.yaml.")
    try:
        with router as address:
            setup = _point(wanted, address, key, model, small_model)
            code = _run(str(program), setup, arguments)
    except ChildNotStartedError as error:
        raise click.ClickException("The router did not start; see above for its reason.") from error
    sys.exit(code)


def _find_running(config: Path | None, url: str | None, *, offline: bool) -> str | None:
    """Find a router that runs: the one at the address given, else one on the configuration's port.

    Returns:
        Its address, without ``/v1``; None where a router is to be started.

    Raises:
        click.ClickException: Something else, or nothing, answers at the address given.
    """
    if url is not None:
        try:
            base = build_base_url(url).removesuffix("/v1")
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        if not _is_router(base, ANSWER_SECONDS):
            raise click.ClickException(
                f"No router answers at {name_url(base)}. Start one with 'plano-agents up', or leave --url out: then "
                "one is started for this run."
            )
        return base
    if offline:
        return None
    base = _name_local(config)
    return base if _is_router(base, LOCAL_SECONDS) else None


def _name_local(config: Path | None) -> str:
    """Name the address of a configuration's router on this machine, without ``/v1``."""
    try:
        port = load_config(config or DEFAULT_PATH, environ={}, offline=True).listener.port
    except ConfigError:
        port = DEFAULT_PORT  # what is wrong with it is told when a router is started on it
    return f"http://{HOST}:{port}"


def _is_router(base: str, seconds: float) -> bool:
    """Find whether a router answers; one that asks for a client key shows itself by its words."""
    try:
        return str(_get(f"{base}/openapi.json", {}, seconds)["info"]["title"]) == "plano-agents router"
    except urllib.error.HTTPError as error:
        return asks_for_client_key(error.read())
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False


def _point(agent: Agent, url: str, key: str | None, model: str | None, small_model: str | None) -> Setup:
    """Build an agent's settings for a router; without a model of its own it asks for the router's first one."""
    access_key = key if key is not None else NO_KEY
    _check_key(url, access_key)
    named = model if model is not None else agent.model
    if named is None:
        named = _name_first_model(agent, url, access_key)
    setup = agent.build(Access(url, access_key, named, small_model))
    return replace(setup, environ={**setup.environ, **pass_proxies_by(url, os.environ)})


def pass_proxies_by(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Build the variables that keep an agent behind a proxy from asking it for a router on this machine."""
    names = ("NO_PROXY", "no_proxy")
    host = urlsplit(url).hostname or ""
    if not is_loopback_name(host) or not any(environ.get(name) for name in PROXIES):
        return {}
    excepted = [part.strip() for name in names for part in environ.get(name, "").split(",") if part.strip()]
    if "*" in excepted:
        return {}
    return dict.fromkeys(names, ",".join(dict.fromkeys([*excepted, host])))


def _check_key(url: str, key: str) -> None:
    """See that a router accepts a client key; where none answers, there is nothing to see yet.

    Raises:
        click.ClickException: It does not.
    """
    try:
        _list_models(url, key)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.UNAUTHORIZED:
            return
        needed = "asks for a client key" if key == NO_KEY else "does not accept this client key"
        raise click.ClickException(
            f"The router on {name_url(url)} {needed}. Put one of its client_keys into PLANO_API_KEY."
        ) from None
    except (OSError, http.client.HTTPException, ValueError):
        return


def _name_first_model(agent: Agent, url: str, key: str) -> str:
    place = f"The router on {name_url(url)}"
    way_out = f"Name the model that {agent.title} asks for with --model."
    try:
        return str(_list_models(url, key)["data"][0]["id"])
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{place} lists no models (status {error.code}). {way_out}") from None
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(
            f"No router answers at {name_url(url)} ({explain_failure(error)}), and {agent.title} asks for its "
            "first model. Start one with 'plano-agents up', or name a model with --model."
        ) from None
    except (ValueError, LookupError, TypeError):
        raise click.ClickException(f"{place} lists no models. {way_out}") from None


def _list_models(url: str, key: str) -> Any:  # noqa: ANN401 - JSON
    return _get(f"{url}/v1/models", {"Authorization": f"Bearer {key}"}, ANSWER_SECONDS)


def _get(url: str, headers: Mapping[str, str], seconds: float) -> Any:  # noqa: ANN401 - JSON
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - an http(s) address of ours
    with opener.open(request, timeout=seconds) as answer:
        return json.loads(answer.read())


@contextmanager
def _start_router(
    agent: Agent, config: Path | None, settings: Path | None, *, offline: bool, act: bool
) -> Iterator[str]:
    """Run a router on a free port for one run; its log goes into a file, for the terminal is the agent's."""
    files = [] if config is None else [str(config)]
    flags = [flag for flag, wanted in (("--offline", offline), ("--act", act)) if wanted]
    if not agent.sends_session:
        flags.append("--implicit-sessions")
    if settings is not None:
        flags += ["--settings", str(settings)]
    arguments = ["-m", "plano_agents", "up", *files, "--host", HOST, "--port", "0", *flags]
    with tempfile.TemporaryDirectory(prefix="plano-agents-") as folder:
        path = Path(folder, "router.log")
        with path.open("w", encoding="utf-8", buffering=1) as log:
            is_started = False

            def complain(line: str) -> None:
                (log if is_started else sys.stderr).write(line)

            def show(line: str) -> None:
                log.write(f"{line}\n")

            with running_server(arguments, ROUTER_READY, show=show, complain=complain) as v1:
                is_started = True
                url = v1.removesuffix("/v1")
                _tell(
                    f"router on {v1} for this run, on {_name_basis(config, offline=offline)}; its log is {path}; "
                    f"watch it at {url}/inspector"
                )
                yield url
                if not _is_router(url, ANSWER_SECONDS):
                    last = "".join(f"  {line}\n" for line in path.read_text("utf-8").splitlines()[-LAST_LINES:])
                    _tell(
                        f"The router of this run stopped before {agent.title} did. Its log ended with:\n{last}".rstrip()
                    )


def _name_basis(config: Path | None, *, offline: bool) -> str:
    """Name what a router serves."""
    if offline:
        return "simulated models"
    if config is not None or DEFAULT_PATH.exists():
        return str(config or DEFAULT_PATH)
    return f"the models of the keys in the environment (there is no {DEFAULT_PATH} here)"


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _run(program: str, setup: Setup, arguments: Sequence[str]) -> int:
    """Run an agent to its end.

    Ctrl-C is the agent's, which stands in the terminal's foreground; a signal that ends this process ends it.

    Returns:
        Its exit status, as a shell gives it.

    Raises:
        click.ClickException: It cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="plano-agents-") as folder:
        for name, text in setup.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        options = [option.replace("{files}", folder) for option in setup.options]
        try:
            process = subprocess.Popen([program, *options, *arguments], env=setup.apply(os.environ))  # noqa: S603
        except OSError as error:
            raise click.ClickException(f"{program} cannot be run ({error.strerror}). Install it anew.") from None
        with process:

            def pass_on(number: int, _frame: FrameType | None) -> None:
                process.send_signal(number)

            def ignore(_number: int, _frame: FrameType | None) -> None:
                """Leave Ctrl-C to the agent, which the terminal tells too."""

            for number, handler in ((signal.SIGINT, ignore), (signal.SIGTERM, pass_on), (signal.SIGHUP, pass_on)):
                signal.signal(number, handler)
            code = process.wait()
    return code if code >= 0 else 128 - code


def _print_setup(agent: Agent, setup: Setup, arguments: Sequence[str]) -> None:
    """Print what `launch` sets, as a shell reads it."""
    for name, text in setup.files.items():
        click.echo(f"# {name}, a file that lasts as long as the run:")
        click.echo("".join(f"#   {line}\n" for line in text.splitlines()), nl=False)
    for name in setup.unset:
        click.echo(f"unset {name}")
    for name, value in setup.environ.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    command = [agent.program, *setup.options, *arguments]
    click.echo(f"# {shlex.join(command)}")
