"""Running the router on a port, in this process or in several that share their pins, until told to stop.

Which sockets, which configuration, and what is said about it, are the command line's. At SIGHUP, and when a file with a
secret has changed, the configuration is read again; one that cannot be used is reported, and the old one stays.
"""

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from plano_agents import processes
from plano_agents.config.model import Config
from plano_agents.config.secret_files import LOOK_SECONDS, SecretChanges
from plano_agents.errors import ConfigError
from plano_agents.http.client.client import HttpUpstream
from plano_agents.observe.log import writing_in_background
from plano_agents.observe.shared_tallies import SharedTallies, shared_directory
from plano_agents.processes import Parent, Site, Worker
from plano_agents.router.app import Router
from plano_agents.router.watch.inspector.answers import OwnInspector
from plano_agents.router.watch.inspector.relay import RelayedInspector, Rememberer, open_socket
from plano_agents.router.watch.inspector.seam import Inspector
from plano_agents.router.watch.metrics import build_reloads_counter

YOUNG_OBJECTS = 10_000
"""After how many new objects the garbage collector looks at them."""

STOP_SECONDS = 5.0
"""How long after its grace period a worker may take to end."""


def run_router(
    config: Config,
    listeners: Sequence[socket.socket],
    *,
    simulated: Site | None = None,
    load: Callable[[], Config],
    on_ready: Callable[[], None],
    on_reloaded: Callable[[ConfigError | None], None],
) -> None:
    """Run the router until SIGINT or SIGTERM.

    Args:
        config: What is configured.
        listeners: Where it is asked: one socket for this process, or one each for several workers.
        simulated: The simulated models, served once: by this process, or by one of their own beside the workers.
        load: Reads the configuration again.
        on_ready: Called once, when all listen.
        on_reloaded: Told what became of a SIGHUP: None when the new configuration serves, else why the old one stays.

    Raises:
        ConfigError: It cannot be served.
        WorkerFailedError: A worker ended over and over before it listened.
    """
    if len(listeners) > 1:
        with shared_directory() as directory:
            _serve_with_workers(
                config, listeners, simulated, directory, load=load, on_ready=on_ready, on_reloaded=on_reloaded
            )
    else:
        beside = [simulated] if simulated is not None else []
        processes.run(_serve_alone(config, listeners[0], beside, load=load, on_ready=on_ready, on_reloaded=on_reloaded))


def _serve_with_workers(
    config: Config,
    listeners: Sequence[socket.socket],
    simulated: Site | None,
    directory: Path,
    *,
    load: Callable[[], Config],
    on_ready: Callable[[], None],
    on_reloaded: Callable[[ConfigError | None], None],
) -> None:
    reloads = build_reloads_counter()
    own = SharedTallies(directory, [reloads])
    changes = SecretChanges(config.secret_files)

    def read() -> Config:
        found = load()
        changes.follow(found.secret_files)
        return found

    def count(error: ConfigError | None) -> None:
        reloads.add(("success" if error is None else "failure",))
        own.write()
        on_reloaded(error)

    with open_socket() as remembered:
        inspect = partial(RelayedInspector, remembered.getsockname(), len(listeners))
        workers = [
            Worker(f"worker {number}", listener, _build_main(config, listener, directory, number, inspect))
            for number, listener in enumerate(listeners, start=1)
        ]
        workers.append(Worker("inspector", remembered, _build_inspector_main(remembered)))
        if simulated is not None:
            workers.append(Worker("simulated models", simulated.listener, _build_simulated_main(simulated)))
        patience = processes.Patience(
            stop_seconds=config.limits.shutdown_grace_seconds + STOP_SECONDS,
            hang_seconds=config.limits.worker_hang_seconds,
        )
        processes.Supervisor(
            workers,
            config,
            load=read,
            on_ready=on_ready,
            on_reloaded=count,
            patience=patience,
            has_changed=changes.look,
        ).run()


async def _serve_alone(
    config: Config,
    listener: socket.socket,
    beside: Sequence[Site],
    *,
    load: Callable[[], Config],
    on_ready: Callable[[], None],
    on_reloaded: Callable[[ConfigError | None], None],
) -> None:
    with writing_in_background():
        async with _running_router(config) as router:
            changes = SecretChanges(config.secret_files)

            def reload() -> None:
                try:
                    found = load()
                    changes.follow(found.secret_files)
                    router.configure(found)
                except ConfigError as error:
                    router.metrics.reloads.add(("failure",))
                    on_reloaded(error)
                else:
                    router.metrics.reloads.add(("success",))
                    on_reloaded(None)

            sites = [*beside, _build_site(router, listener, config)]
            watching = asyncio.create_task(_watch(changes, reload))
            try:
                await processes.serve(sites, on_ready=on_ready, on_reload=reload)
            finally:
                watching.cancel()


async def _watch(changes: SecretChanges, reload: Callable[[], None]) -> None:
    """Read the configuration again whenever a file with a secret has changed."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if changes.look():
            reload()


def _build_main(
    at_start: Config,
    listener: socket.socket,
    directory: Path,
    number: int,
    inspect: Callable[[], Inspector],
) -> Callable[[Config, Parent[Config]], Awaitable[None]]:
    """Build what a worker runs; its site stays as configured at the start, like those of workers never replaced."""

    async def main(config: Config, parent: Parent[Config]) -> None:
        with writing_in_background(number):
            async with _running_router(config, directory, inspect()) as router:
                await parent.serve([_build_site(router, listener, at_start)], on_state=router.configure)

    return main


def _build_inspector_main(
    listener: socket.socket,
) -> Callable[[Config, Parent[Config]], Awaitable[None]]:
    """Build what remembers for all workers."""

    async def main(_: Config, parent: Parent[Config]) -> None:
        inspector = OwnInspector()
        server = await asyncio.start_unix_server(Rememberer(inspector).serve, sock=listener)
        try:
            await parent.serve([], on_state=lambda _: None)
        finally:
            inspector.close()
            server.close()

    return main


def _build_simulated_main(site: Site) -> Callable[[Config, Parent[Config]], Awaitable[None]]:
    async def main(_: Config, parent: Parent[Config]) -> None:
        await parent.serve([site], on_state=lambda _: None)

    return main


def _build_site(router: Router, listener: socket.socket, config: Config) -> Site:
    limits = config.limits
    return Site(
        router,
        listener,
        limits.shutdown_grace_seconds,
        processes.HttpLimits(
            header_seconds=limits.header_seconds,
            body_seconds=limits.body_seconds,
            min_bytes_per_second=limits.min_bytes_per_second,
            max_header_bytes=limits.max_header_bytes,
        ),
        on_refused=router.metrics.count_refusal,
        budget=router.buffered,
        on_stop=router.stop,
    )


def _settle() -> None:
    """Leave what was loaded out of the collector's work, for it stays, and let it look less often at what comes.

    A request makes some hundred objects and leaves none behind; a look at all that was loaded takes 20 ms and more,
    which every request in flight would wait for. Loading leaves no garbage (6 objects of 49,000), so none is sought
    first.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


@asynccontextmanager
async def _running_router(
    config: Config, directory: Path | None = None, inspector: Inspector | None = None
) -> AsyncGenerator[Router, None]:
    """A router with its sockets to providers, which are closed at the end.

    Args:
        config: What is configured.
        directory: Where workers tell each other what they count; None where this process serves alone.
        inspector: Remembers requests for all workers; None where this process serves alone.

    Raises:
        ConfigError: It cannot be served.
    """
    upstream = HttpUpstream(tls=_load_tls(config), proxy_from_environment=config.proxy_from_environment)
    try:
        router = Router(config, upstream, fetch=upstream.fetch, inspector=inspector, tallies=directory)
        await router.connect()
        _settle()
        beside = [asyncio.create_task(router.warm_up())]
        if router.metrics.shared is not None:
            beside.append(asyncio.create_task(router.metrics.shared.keep_writing()))
        try:
            yield router
        finally:
            for task in beside:
                task.cancel()
            await router.aclose()
    finally:
        await upstream.close()


def _load_tls(config: Config) -> ssl.SSLContext | None:
    """Load what providers' certificates are checked against; None for the system's.

    Raises:
        ConfigError: The configured file cannot be used.
    """
    path = config.overrides.upstream_tls_ca_path
    if path is None:
        return None
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"overrides.upstream_tls_ca_path: {path!r} cannot be used as a bundle of certificates ({error}). Name a "
            "PEM file."
        ) from error
