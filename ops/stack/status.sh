#!/usr/bin/env bash
# Tells how the stack is: its containers, then `dispatcher status` from inside the runtime.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PROFILE="openclaw observability"
need_docker
own_ids
compose ps --all
[ -n "$(compose ps --quiet --status running runtime)" ] || die "" "The runtime does not run: ops/stack/up.sh, or ops/stack/logs.sh runtime."
say ""
compose exec -T runtime dispatcher status "$@"
