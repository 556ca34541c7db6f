#!/usr/bin/env bash
# Sets up what the demo needs, and runs it. Options are those of demo.py: ./demo.sh --help
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ -x "$root/.venv/bin/python" ] || echo "Installing what the demo needs into .venv/ (once) …" >&2
"$root/scripts/uv" sync --quiet --inexact --project "$root"
exec "$root/.venv/bin/python" "$root/demo.py" "$@"
