"""Pinned requests whose upstream is reached over TLS, on plano-agents and on nginx.

The upstream itself speaks none: another nginx stands before it, on the load's core, with a certificate made here.
"""

import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.gateway.alone import Router, take_turns
from benchmarks.gateway.install import NotInstalledError, find_debian
from benchmarks.gateway.peers import nginx, plano_agents
from benchmarks.gateway.plan import Run
from benchmarks.gateway.processes import Running, find_free_port
from benchmarks.gateway.subjects import NotStartedError, start

FRONT = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_body_buffer_size 512k; client_max_body_size 32m;
  upstream models {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
CERTIFICATE = (
    *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)


def reach_over_tls(router: Router) -> None:
    """Measure pinned requests of 1 KB over kept TLS connections."""
    run = router.run
    try:
        theirs = nginx.NGINX.install(Path())
        openssl = find_debian("openssl", "openssl", ["version"]).program
    except NotInstalledError as error:
        run.note(f"TLS was not measured: {error}")
        return
    folder = run.bench.folder / "tls"
    folder.mkdir()
    certificate = folder / "certificate.pem"
    key = ("-keyout", str(folder / "key.pem"), "-out", str(certificate))
    subprocess.run([openssl, *CERTIFICATE, *key], check=True, capture_output=True)
    with ExitStack() as stack:
        front, port = _start_front(run, folder, theirs.program)
        stack.callback(front.stop)
        bench = replace(run.bench, upstream=run.bench.upstream.seen_at(port))
        subjects = []
        for peer, installation, command in (
            (router.peer, router.installation, plano_agents.command),
            (nginx.NGINX, theirs, nginx.command),
        ):
            made = partial(command, certificate=certificate)
            subjects.append(start(bench, peer, installation, command=made))
            stack.callback(subjects[-1].stop)
            subjects[-1].pause()
        take_turns(run, subjects, ("pinned-1kb-tls",) * 2)


def _start_front(run: Run, folder: Path, program: str) -> tuple[Running, int]:
    port = find_free_port()
    path = folder / "front.conf"
    path.write_text(FRONT.format(folder=folder, port=port, upstream=run.bench.upstream.ports[0]))
    running = Running([program, "-e", "stderr", "-p", str(folder), "-c", str(path)], {}, folder, run.bench.cores.load)
    context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except OSError as error:
            if running.ended() or time.perf_counter() > running.started + 15:
                running.stop()
                raise NotStartedError(f"nginx with TLS: {error}. {running.last_words()}") from error
        else:
            return running, port
        time.sleep(0.02)
