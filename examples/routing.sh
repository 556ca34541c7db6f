#!/usr/bin/env bash
# The routing service by nine curl calls: which models a request would go to, and why; no model is asked.
# Start a router first: scripts/uv run plano-agents up --offline
set -euo pipefail
url=${PLANO_BASE_URL:-${PLANO_URL:-http://127.0.0.1:12000}}
url=${url%/}
url=${url%/v1}

# ask TITLE PATH BODY [HEADER…]: print a title and the answer.
ask() {
  local title=$1 path=$2 body=$3
  shift 3
  local headers=()
  for header in "$@"; do headers+=(-H "$header"); done
  echo "--- $title"
  curl --silent --show-error --fail-with-body "$url/routing/v1/$path" \
    -H "Content-Type: application/json" ${headers[@]+"${headers[@]}"} -d "$body"
  printf '\n\n'
}

# say TEXT: a chat request with one message.
say() {
  printf '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "%s"}]}' "$1"
}

search="Write a Python function that does binary search on a sorted array"
design="Explain the trade-offs between microservices and a monolith: scaling, teams, operation"
session=${SESSION:-routing-$$}

ask "1. Code" chat/completions "$(say "$search")"
ask "2. Reasoning" chat/completions "$(say "$design")"
ask "3. Neither: the model that was asked for" chat/completions "$(say "What is the capital of France?")"
ask "4. Anthropic's messages" messages '{"model": "gpt-4o-mini", "max_tokens": 1024, "messages": [
  {"role": "user", "content": "Write a REST endpoint in Rust that registers a user"}]}'
ask "5. Preferences of the request's own: the cheapest model first, where the router has prices" chat/completions '{"model": "gpt-4o-mini",
  "messages": [{"role": "user", "content": "Summarize how TCP and UDP differ"}],
  "routing_preferences": [{"name": "general", "description": "questions, explanations and summaries",
    "models": ["openai/gpt-4o", "openai/gpt-4o-mini"], "selection_policy": {"prefer": "cheapest"}}]}'
ask "6. Why: every preference's score" chat/completions "$(say "$search")" "X-Plano-Explain: true"
ask "7. A session's first request: routed, and pinned" chat/completions "$(say "$search")" "X-Model-Affinity: $session"
ask "8. The same session: pinned, whatever it asks" chat/completions "$(say "$design")" "X-Model-Affinity: $session"
ask "9. Another session: routed by itself" chat/completions "$(say "$design")" "X-Model-Affinity: $session-2"
