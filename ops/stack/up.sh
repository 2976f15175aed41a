#!/usr/bin/env bash
# Starts the stack: ops/stack/up.sh [OPTION OF `docker compose up`]...
#   PROFILE=openclaw          with the gateway; PROFILE="openclaw observability" with both
#   DAEMON=0                  stay attached; Ctrl-C stops the stack
#   BUILD=0                   do not build images
#   DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1   build with BuildKit
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_docker
need_env_file
own_ids
need_port HEALTH_PORT 3001 runtime
case " $PROFILE " in *" openclaw "*) need_port OPENCLAW_PORT 18789 openclaw-gateway ;; esac
case " $PROFILE " in *" observability "*)
    need_port PROMETHEUS_PORT 9090 prometheus
    need_port GRAFANA_PORT 3000 grafana ;;
esac
need_folders

arguments=(up --remove-orphans)
[ "${BUILD:-1}" = 0 ] || arguments+=(--build)
if [ "${DAEMON:-1}" = 0 ]; then
    say "Starting; Ctrl-C stops the stack …"
else
    arguments+=(--detach --wait --wait-timeout "${WAIT_SECONDS:-300}")
    say "Starting …"
fi
code=0
compose "${arguments[@]}" "$@" || code=$?
case $code in
    0) ;;
    # Somebody stopped it: that is no failure.
    130 | 143) say "Stopped."; exit 0 ;;
    *)
        compose ps --all >&2 || true
        die "" "The stack did not start (exit code $code)." \
            "  \`ops/stack/logs.sh\` tells what each container said; one with exit code 78 names what is wrong in .env." \
            "  \"network … not found\": \`ops/stack/down.sh\`, then try again." \
            "  errors of a snapshotter on macOS: restart Docker Desktop; then see README, Troubleshooting."
        ;;
esac
[ "${DAEMON:-1}" != 0 ] || exit 0
say "" "Console and health:  http://127.0.0.1:$(setting HEALTH_PORT 3001)/  http://127.0.0.1:$(setting HEALTH_PORT 3001)/health"
case " $PROFILE " in *" openclaw "*) say "OpenClaw Control UI: http://localhost:$(setting OPENCLAW_PORT 18789)/ (its token is OPENCLAW_GATEWAY_TOKEN)" ;; esac
case " $PROFILE " in *" observability "*)
    say "Prometheus, Grafana: http://127.0.0.1:$(setting PROMETHEUS_PORT 9090)/  http://127.0.0.1:$(setting GRAFANA_PORT 3000)/" ;;
esac
