# What the scripts of this folder share; to be read by them, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.runtime.yml}
PROFILE=${PROFILE:-}
# BuildKit off unless the shell says otherwise: its snapshotter troubles Docker Desktop on macOS.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} COMPOSE_DOCKER_CLI_BUILD=${COMPOSE_DOCKER_CLI_BUILD:-0}

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$@" >&2; exit 1; }

# One value of .env, as Compose reads it but for references to others; empty when there is none.
from_env_file() {
    [ -f .env ] || return 0
    local line value found="" pattern="^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*(.*)$"
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%$'\r'}
        [[ $line =~ $pattern ]] || continue
        value=${BASH_REMATCH[2]}
        case $value in
            \"*) value=${value#\"}; found=${value%%\"*} ;;
            \'*) value=${value#\'}; found=${value%%\'*} ;;
            *)
                value=${value%%[[:space:]]#*}
                [ "${value#\#}" = "$value" ] || value=""
                found=${value%"${value##*[![:space:]]}"} ;;
        esac
    done < .env
    printf '%s' "$found"
}
# A variable of the shell, else of .env, else a default; for what Compose itself fills in.
setting() { local found=${!1:-}; [ -n "$found" ] || found=$(from_env_file "$1"); printf '%s' "${found:-$2}"; }

# The containers run under the user who calls, so that the shared folders are theirs; under 10001 for root.
own_ids() {
    local uid gid
    uid=$(setting DOCKER_UID "$(id -u)"); gid=$(setting DOCKER_GID "$(id -g)")
    [ "$uid" != 0 ] || uid=10001 gid=10001
    export DOCKER_UID=$uid DOCKER_GID=$gid
}

compose() {
    local profiles=()
    for name in $PROFILE; do profiles+=(--profile "$name"); done
    docker compose -f "$COMPOSE_FILE" ${profiles[@]+"${profiles[@]}"} "$@"
}

need_docker() {
    command -v docker >/dev/null || die "Docker is not installed: see https://docs.docker.com/get-docker/."
    docker compose version >/dev/null 2>&1 || die "This Docker has no Compose v2 (\`docker compose version\` fails)."
    docker info >/dev/null 2>&1 || die "Docker does not answer: is it running, and may you use it (group docker)?"
    [ -f "$COMPOSE_FILE" ] || die "There is no $COMPOSE_FILE here."
}

# The containers see .env and not the shell, so only .env counts here.
need_env_file() {
    [ -f .env ] || die "There is no .env: cp .env.example .env, and fill in ACCOUNT_ID, CONVEX_URL and SERVICE_TOKEN."
    local missing=() name keys=""
    for name in ACCOUNT_ID CONVEX_URL SERVICE_TOKEN; do
        [ -n "$(from_env_file "$name")$(from_env_file "${name}_FILE")" ] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || die "These are not set in .env: ${missing[*]}."
    case " $PROFILE " in *" openclaw "*) ;; *) return 0 ;; esac
    [ -n "$(from_env_file OPENCLAW_GATEWAY_TOKEN)" ] \
        || say "Note: OPENCLAW_GATEWAY_TOKEN is empty in .env, so nobody reaches the gateway from outside its container."
    [ -n "$(from_env_file OPENCLAW_GATEWAY_URL)" ] \
        || say "Note: OPENCLAW_GATEWAY_URL is not set in .env; the gateway of this stack is http://openclaw-gateway:18789."
    for name in VERCEL_AI_GATEWAY_API_KEY AI_GATEWAY_API_KEY ANTHROPIC_API_KEY OPENAI_API_KEY; do
        keys+=$(setting "$name" "")
    done
    [ -n "$keys" ] || say "Note: no key of a model provider is set in .env; the gateway starts, but agents cannot answer."
}

# Say which port is taken, unless it is this very stack that has it.
need_port() {
    local name=$1 port service=$3
    port=$(setting "$name" "$2")
    [ -z "$(compose ps --quiet "$service" 2>/dev/null)" ] || return 0
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        die "Port $port is taken by another program. Set $name to another one in .env."
    fi
}

need_folders() {
    local folder
    for folder in "$(setting WORKSPACE_DIR .runtime/openclaw-workspace)" "$(setting OPENCLAW_DATA_DIR .runtime/openclaw-data)"; do
        # Only Compose knows what these mean.
        case $folder in *'$'* | '~'*) continue ;; esac
        mkdir -p "$folder" 2>/dev/null || die "$folder cannot be made: is its parent yours? Nothing was changed."
    done
}
