"""``plano-agents simulate``: the simulated models alone, on a port of their own."""

import click

from plano_agents import processes
from plano_agents.cli.options import ACT_HELP
from plano_agents.simulator.settings import SimulatorSettings


@click.command("simulate")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=12001,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--model", "models", multiple=True, help="A model to know, repeatable  [default: any name is known]")
@click.option(
    "--time-to-first-token-ms",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Wait before the first token.",
)
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Pace of the rest; 0 is at once.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Varies ids; the same seed repeats a run exactly.")
@click.option("--act", is_flag=True, help=ACT_HELP[0].upper() + ACT_HELP[1:])
def simulate_command(
    *,
    host: str,
    port: int,
    models: tuple[str, ...],
    time_to_first_token_ms: float,
    tokens_per_second: float,
    seed: int,
    act: bool,
) -> None:
    """Start the simulated models alone, as a provider.

    They cost nothing, and are for tests and trials. They speak OpenAI's chat completions and responses, and
    Anthropic's messages, offline. Name them as base_url in a config.yaml, or in an SDK. The same request gets the same
    answer.

    Faults are set by a request's header, or for a model (or '*', every model) until DELETE on the same address:

    \b
      -H 'X-Simulate-Fault: status=429;retry-after=2'
      curl -X PUT http://127.0.0.1:12001/simulator/faults/gpt-4o -H 'Content-Type: application/json' \\
        -d '{"fault": "status=503;times=2"}'

    A fault is made of status=N, retry-after=N (seconds), delay-ms=N, cut-after=N and stall-after=N (bytes of the body),
    times=N (requests that it strikes) and hang, joined by ';'.
    """  # noqa: D301 - click's mark of a paragraph that is not wrapped
    from plano_agents.simulator.app import create_app  # noqa: PLC0415 - slow to import

    if not processes.is_loopback(host):
        raise click.UsageError(f"The simulator listens on this machine only; {host!r} is another address.")
    listener = processes.bind(host, port)
    settings = SimulatorSettings(
        models=models,
        time_to_first_token_ms=time_to_first_token_ms,
        tokens_per_second=tokens_per_second,
        seed=seed,
        act=act,
    )
    url = processes.url_of(listener)

    def announce() -> None:
        click.echo(f"simulated models on {url}  (OpenAI: {url}/v1, Anthropic: {url})\nCtrl-C stops them.")

    processes.run(processes.serve([processes.Site(create_app(settings), listener)], on_ready=announce))
    click.echo("stopped")
