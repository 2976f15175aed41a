#!/usr/bin/env bash
# Shows the logs of the stack: ops/stack/logs.sh [--follow] [SERVICE]...
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PROFILE="openclaw observability"
need_docker
own_ids
code=0
compose logs --tail "${TAIL:-200}" "$@" || code=$?
[ "$code" = 130 ] || exit "$code"
