"""nginx, passing through: the limit of what a proxy can cost."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, find_debian
from benchmarks.gateway.peers.peer import Command, Peer, Site

# HTTP/1.1 with an empty Connection header and a pool of kept connections: ngx_http_upstream_module, "keepalive".
# proxy_buffering off, as streams of events need it: ngx_http_proxy_module. No access log, for the others write none;
# keepalive_requests beyond its 1,000, so that no connection is closed within a run.
CONFIG = """
daemon off; worker_processes {workers}; pid {folder}/pid; error_log stderr error;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_body_buffer_size 512k; client_max_body_size 32m;
  upstream models {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {scheme}://models; {tls} proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"""


def _install(_: Path) -> Installation:
    found = find_debian("nginx", "nginx-light", ["-v"])
    return Installation(found.program, found.version.rpartition("/")[2])


TLS = "proxy_ssl_verify on; proxy_ssl_trusted_certificate {certificate}; proxy_ssl_name 127.0.0.1;"


def command(installation: Installation, site: Site, *, certificate: Path | None = None) -> Command:
    """Configure nginx, its upstream over TLS where there is a certificate that it is checked against."""
    tls = TLS.format(certificate=certificate) if certificate is not None else ""
    text = CONFIG.format(
        folder=site.folder,
        port=site.port,
        upstream=site.upstreams[0],
        workers=site.workers,
        scheme="http" if certificate is None else "https",
        tls=tls,
    )
    path = site.write("nginx.conf", text)
    return Command((installation.program, "-e", "stderr", "-p", str(site.folder), "-c", path))


NGINX = Peer("nginx", "C, passes through", _install, command, chat=Target("gpt-4o", {}))
