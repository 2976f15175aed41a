# Gives folders to a user: own-volumes.sh UID:GID FOLDER...
# A folder that the engine has made for a mount belongs to root, and nobody else could write to it.
set -eu
owner=$1
shift
for folder in "$@"; do
    if [ "$(stat -c %u:%g "$folder")" = "$owner" ]; then
        continue
    fi
    echo "giving $folder to $owner"
    chown -R "$owner" "$folder" || {
        echo "$folder cannot be given to $owner: give it to that user on the host, or set DOCKER_UID and DOCKER_GID." >&2
        exit 1
    }
done
