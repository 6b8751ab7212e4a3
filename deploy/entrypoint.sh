#!/bin/sh
# Run `rujukan` with what arguments there are. Each secret file that is named for a database setting becomes that setting:
# /run/secrets/rujukan_database_url is RUJUKAN_DATABASE_URL, and so on. The keyring is read as a file, see RUJUKAN_KEYRING_FILE.
set -eu
for file in "${SECRETS_DIR:-/run/secrets}"/rujukan_database_*url; do
    [ -f "$file" ] || continue
    name=$(basename "$file" | tr '[:lower:]' '[:upper:]')
    value=$(cat "$file")
    export "$name=$value"
done
exec rujukan "$@"
