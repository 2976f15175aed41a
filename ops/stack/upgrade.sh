#!/usr/bin/env bash
# Upgrades the stack: pull, build, down, up. Volumes stay.
#   PROFILE=openclaw ops/stack/upgrade.sh      with the gateway
#   BUILD=0                                    take the local images as they are
#   ops/stack/upgrade.sh --scale worker=3      further options are those of `docker compose up`
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_docker
need_env_file
own_ids
need_folders

say "Pulling images …"
if ! compose pull --ignore-buildable; then
    say "The pull failed: the images that are here are used. (Is the registry reachable?)" >&2
fi
if [ "${BUILD:-1}" = 0 ]; then
    say "Nothing is built (BUILD=0)."
else
    say "Building …"
    compose build || die "The build failed; what runs was left running."
fi
say "Restarting …"
compose down --remove-orphans
code=0
compose up --detach --wait --wait-timeout "${WAIT_SECONDS:-300}" "$@" || code=$?
case $code in
    0) ;;
    130 | 143) say "Stopped."; exit 0 ;;
    *) die "The stack did not start again: see ops/stack/logs.sh. Nothing of the volumes was touched." ;;
esac
say "" "Health: http://127.0.0.1:$(setting HEALTH_PORT 3001)/health"
