#!/usr/bin/env bash
# The load test: 100 requests for /health at once through a running proxy; fails unless each gets a 200.
# Usage: bench/load_test.sh [BASE_URL] [HOW_MANY]      default: http://127.0.0.1:8080 100
set -euo pipefail
url=${1:-http://127.0.0.1:8080}/health
count=${2:-100}

ok=$(seq "$count" |
  xargs -P "$count" -I{} curl -s -o /dev/null --max-time 30 -w '%{http_code}\n' "$url" |
  grep -c '^200$' || true)
printf '%s of %s requests to %s got a 200\n' "$ok" "$count" "$url"
((ok == count))
