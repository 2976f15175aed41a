#!/usr/bin/env bash
# Stops the stack and removes its containers; volumes and .runtime/ stay. Running turns may finish first.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PROFILE="openclaw observability"
need_docker
own_ids
compose down --remove-orphans "$@"
