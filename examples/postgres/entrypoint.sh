#!/bin/sh
# Makes the database cluster on the first start, then becomes the server, as the user postgres.
#   POSTGRES_PASSWORD            password of the user postgres; required, unless
#   POSTGRES_HOST_AUTH_METHOD    is "trust": then anybody who reaches the port is let in
#   POSTGRES_DB                  a database to create on the first start
set -eu

if [ "${1:-}" != postgres ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres:postgres "$PGDATA" /run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups --reset-env \
    env "PATH=$PATH" "PGDATA=$PGDATA" "POSTGRES_DB=${POSTGRES_DB:-}" \
    "POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-}" \
    "POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-}" "$0" "$@"
fi

method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
case "$method" in
  trust | scram-sha-256) ;;
  *) echo "postgres: POSTGRES_HOST_AUTH_METHOD is trust or scram-sha-256, not $method" >&2; exit 64 ;;
esac

initialise() {
  if [ "$method" != trust ] && [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "postgres: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust" >&2
    exit 64
  fi
  # A cluster that an interrupted first start left half made is made anew.
  find "$PGDATA" -mindepth 1 -delete
  password=$(mktemp)
  trap 'rm -f "$password"' EXIT
  printf '%s\n' "${POSTGRES_PASSWORD:-unused}" >"$password"
  initdb --username=postgres --pwfile="$password" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host="$method"
  rm -f "$password"
  trap - EXIT
  echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
  if [ -n "${POSTGRES_DB:-}" ]; then
    # Single-user mode reads one statement a line; the name is quoted as an identifier.
    quoted=$(printf '%s' "$POSTGRES_DB" | tr -d '\n' | sed 's/"/""/g')
    printf 'CREATE DATABASE "%s"\n' "$quoted" | postgres --single -D "$PGDATA" postgres
  fi
  touch "$PGDATA/initialised"
}

[ -e "$PGDATA/initialised" ] || initialise
unset POSTGRES_PASSWORD
shift
exec postgres -c listen_addresses=0.0.0.0 "$@"
