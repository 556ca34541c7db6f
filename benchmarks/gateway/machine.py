"""The machine that is measured on: its description, its cores and its limits."""

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Cores:
    """The assignment of cores."""

    proxy: int
    """The measured process's."""
    load: int
    """The load generators', the upstream's and the benchmark's own."""


def choose_cores(wish: str | None) -> Cores:
    """Choose a core for what is measured and one for the rest: the last two, unless told otherwise.

    Args:
        wish: As ``PROXY,LOAD``, or None.

    Raises:
        click.ClickException: There are not two, or not those.
    """
    if not hasattr(os, "sched_getaffinity"):
        raise click.ClickException(f"Processes cannot be pinned to cores on {platform.system()!r}. Run it on Linux.")
    here = sorted(os.sched_getaffinity(0))
    if wish is None:
        if len(here) < 2:  # noqa: PLR2004 - one for the proxy, one for the load
            raise click.ClickException(f"Two cores are needed, and only {here!r} may be used here.")
        return Cores(here[-1], here[-2])
    try:
        proxy, load = (int(core) for core in wish.split(","))
    except ValueError:
        raise click.ClickException(f"--cores {wish!r} is not PROXY,LOAD, as in '1,0'.") from None
    if proxy == load or not {proxy, load} <= set(here):
        raise click.ClickException(f"--cores {wish!r}: two different ones of {here!r} are needed.")
    return Cores(proxy, load)


def describe_machine(cores: Cores) -> dict[str, object]:
    """Say what was measured on."""
    models = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": f"{os.cpu_count()}, number {cores.proxy} for the gateway and number {cores.load} for load and upstream",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _read(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def raise_file_limit(files: int) -> None:
    """Allow this process and its children so many open files, or as many as they may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(hard, files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
