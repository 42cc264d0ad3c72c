#!/usr/bin/env bash
# Starts the PostgreSQL server; where its data folder is empty, makes a database first.
# Takes the variables and folders that the official image documents.
set -Eeuo pipefail

readonly init_scripts_folder=/docker-entrypoint-initdb.d
readonly socket_folder=/var/run/postgresql
# Left in the data folder as long as an initialization has not come to its end.
readonly unfinished_mark=pgstack-initialization-unfinished

fail() {
  printf 'docker-entrypoint: error: %s\n' "$*" >&2
  exit 1
}

note() {
  printf 'docker-entrypoint: %s\n' "$*"
}

# Sets a variable from NAME, from the file that NAME_FILE names, or to a default.
take_setting() {
  local name=$1 default=${2:-} file_name="$1_FILE"
  local value=${!name:-} file=${!file_name:-}
  if [[ -n $value && -n $file ]]; then
    fail "both $name and $file_name are set, set only one"
  fi
  if [[ -n $file ]]; then
    [[ -r $file ]] || fail "$file_name names $file, which cannot be read"
    value=$(<"$file")
  fi
  export "$name=${value:-$default}"
  unset "$file_name"
}

take_settings() {
  take_setting POSTGRES_PASSWORD
  take_setting POSTGRES_USER postgres
  take_setting POSTGRES_DB "$POSTGRES_USER"
  take_setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

# Whether the server is only asked to print something and end.
only_prints() {
  local argument
  for argument; do
    case $argument in
      -'?' | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

# As root: hands the folders to the server's user. Only what is not its already is touched.
prepare_folders_as_root() {
  mkdir -p "$PGDATA" "$socket_folder"
  chmod 700 "$PGDATA"
  chmod 3777 "$socket_folder" || true
  find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
  find "$socket_folder" \! -user postgres -exec chown postgres '{}' +
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
    chmod 700 "$POSTGRES_INITDB_WALDIR"
  fi
}

prepare_folders() {
  mkdir -p "$PGDATA" || fail "$(id -un 2>/dev/null || id -u) may not make $PGDATA: hand the volume to the user postgres (uid 70)"
  # On a file system that has no such permissions the server itself has the last word.
  chmod 700 "$PGDATA" 2>/dev/null || true
  getent passwd "$(id -u)" >/dev/null || fail "user id $(id -u) is unknown in this image: run as root or as postgres (uid 70)"
}

check_settings() {
  if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
    fail "the database has no superuser password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE (or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in)"
  fi
  if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
    note "warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password" >&2
  fi
}

make_cluster() {
  local -a arguments=()
  # The setting is a piece of a command line, quotes included.
  eval "arguments=(${POSTGRES_INITDB_ARGS})"
  # The server was built with /tmp as its socket folder.
  arguments+=(--set "unix_socket_directories=$socket_folder")
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
    arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
  fi
  if [[ -n $POSTGRES_PASSWORD ]]; then
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
  else
    initdb --username="$POSTGRES_USER" "${arguments[@]}"
  fi
  : >"$PGDATA/$unfinished_mark"
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [[ -z $method ]]; then
    # The way the password was stored is the way it must be asked for.
    method=$(postgres -C password_encryption "$@")
  fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

temporary_server=

# Starts a server that only this script reaches: no TCP, and a socket folder of
# its own, so that no health check takes it for the real one.
start_temporary_server() {
  temporary_socket_folder=$(mktemp -d "$socket_folder/init.XXXXXX" 2>/dev/null || mktemp -d)
  # Set for the init scripts too.
  export PGHOST=$temporary_socket_folder
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  unset PGHOSTADDR
  "$@" -c listen_addresses= -c unix_socket_directories="$temporary_socket_folder" &
  temporary_server=$!
  until pg_isready --quiet --username="$POSTGRES_USER" --dbname=postgres; do
    kill -0 "$temporary_server" 2>/dev/null || fail "the temporary server ended during its start"
    sleep 0.1
  done
}

stop_temporary_server() {
  local process=$temporary_server
  [[ -n $process ]] || return 0
  temporary_server=
  kill -INT "$process" 2>/dev/null || true
  wait "$process" || return $?
  rm -rf "$temporary_socket_folder"
}

# Runs psql in the database that is being made; init scripts may call it.
docker_process_sql() {
  psql --set=ON_ERROR_STOP=1 --no-password --no-psqlrc --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}

make_database() {
  [[ $POSTGRES_DB != postgres ]] || return 0
  local found
  found=$(docker_process_sql --dbname=postgres --tuples-only --no-align --set=name="$POSTGRES_DB" \
    <<<"SELECT 1 FROM pg_database WHERE datname = :'name'")
  if [[ -z $found ]]; then
    docker_process_sql --dbname=postgres --set=name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
  fi
}

run_init_scripts() {
  local file
  for file in "$init_scripts_folder"/*; do
    case $file in
      *.sh)
        if [[ -x $file ]]; then
          note "running $file"
          "$file"
        else
          note "sourcing $file"
          # shellcheck disable=SC1090
          source "$file"
        fi
        ;;
      *.sql) note "running $file" && docker_process_sql --file="$file" ;;
      *.sql.gz) note "running $file" && gzip --decompress --stdout "$file" | docker_process_sql ;;
      *.sql.xz) note "running $file" && xz --decompress --stdout "$file" | docker_process_sql ;;
      *.sql.zst) note "running $file" && zstd --decompress --stdout "$file" | docker_process_sql ;;
      "$init_scripts_folder/*") ;;
      *) note "ignoring $file" ;;
    esac
  done
}

initialize() {
  check_settings
  shopt -s nullglob
  local -a present=("$init_scripts_folder"/*)
  shopt -u nullglob
  # A folder that cannot be read would look empty, and the schema be missing.
  if [[ -d $init_scripts_folder && ! -r $init_scripts_folder ]]; then
    fail "$init_scripts_folder cannot be read by $(id -un)"
  fi
  make_cluster "${@:2}"
  start_temporary_server "$@"
  make_database
  if ((${#present[@]} > 0)); then
    run_init_scripts
  fi
  stop_temporary_server || fail "the temporary server did not stop cleanly"
  rm "$PGDATA/$unfinished_mark"
  unset PGPASSWORD
  printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

run_server() {
  if [[ $(id -u) == 0 ]]; then
    prepare_folders_as_root
    exec gosu postgres "${BASH_SOURCE[0]}" "$@"
  fi
  prepare_folders
  if [[ -e $PGDATA/$unfinished_mark ]]; then
    fail "an earlier initialization in $PGDATA did not come to its end, so the database may be incomplete: see that run's log, then empty the volume and start again"
  fi
  if [[ ! -s $PGDATA/PG_VERSION ]]; then
    take_settings
    # Bash as the first process of a container has no default way to end on a signal.
    trap 'stop_temporary_server || true; exit 130' INT TERM
    trap 'stop_temporary_server || true' EXIT
    local host=${PGHOST:-}
    initialize "$@"
    trap - INT TERM EXIT
    export PGHOST=$host
  fi
  exec "$@"
}

main() {
  if [[ ${1:-} == -* ]]; then
    set -- postgres "$@"
  fi
  if [[ ${1:-} == postgres ]] && ! only_prints "${@:2}"; then
    run_server "$@"
  fi
  exec "$@"
}

# Init scripts may source this file for its functions without starting anything.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
fi
