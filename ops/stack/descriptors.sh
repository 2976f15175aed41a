#!/usr/bin/env bash
# Counts the open file descriptors of each process in the containers, again and again:
#   ops/stack/descriptors.sh [SERVICE]...      runtime and worker unless named
#   EVERY=5 TIMES=12                           every 5 s, a dozen times
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PROFILE="openclaw observability"
need_docker
own_ids
[ $# -gt 0 ] || set -- runtime worker
count='for p in /proc/[0-9]*; do n=$(ls "$p/fd" 2>/dev/null | wc -l); c=$(tr "\0" " " <"$p/cmdline" 2>/dev/null | cut -c1-40); [ -z "$c" ] || echo "$n ${p#/proc/} $c"; done'
for round in $(seq "${TIMES:-1}"); do
    [ "$round" = 1 ] || sleep "${EVERY:-5}"
    for id in $(compose ps --quiet --status running "$@"); do
        name=$(docker inspect --format '{{.Name}}' "$id")
        docker exec "$id" sh -c "$count" | while read -r number pid command; do
            printf '%s  %-45s %6s descriptors  pid %-6s %s\n' "$(date -u +%H:%M:%S)" "${name#/}" "$number" "$pid" "$command"
        done
    done
done
