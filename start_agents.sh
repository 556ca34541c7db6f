#!/usr/bin/env bash
# Starts the router and the agent server, offline unless --live: ./start_agents.sh --help
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ -x "$root/.venv/bin/python" ] || echo "Installing what both servers need into .venv/ (once) …" >&2
"$root/scripts/uv" sync --quiet --inexact --project "$root"
exec "$root/.venv/bin/python" -m plano_agents.demos "$@"
