#!/usr/bin/env bash
# Installs what Parley needs beside Go and is missing: `install-deps.sh postgres` PostgreSQL's
# server binaries, `install-deps.sh cc` a C compiler for the race detector, `install-deps.sh node`
# node 20 and npm for the tests of the TypeScript SDK, `install-deps.sh chromium` the browser of the
# console's tests. It asks nothing, starts no service, does nothing where all is there, and writes
# to stderr only.
set -euo pipefail
exec 1>&2

die() {
  printf 'install-deps: %s\n' "$*"
  exit 1
}

# The same places as internal/embedpg looks in.
has_postgres() {
  if [ -n "${PG_BIN:-}" ]; then
    [ -x "$PG_BIN/postgres" ] && [ -x "$PG_BIN/initdb" ] && return
    die "PG_BIN is $PG_BIN, where postgres and initdb are not: correct it or unset it"
  fi
  command -v postgres >/dev/null && command -v initdb >/dev/null && return
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

has_node() { command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0] >= 20' 2>/dev/null)" = true ]; }

has_chromium() { [ -x /usr/bin/chromium ]; }

has_cc() { command -v gcc >/dev/null || command -v cc >/dev/null; }

# as_root runs a command as root, or ends with the words that an administrator has to type.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    die "not root, and sudo would ask: let an administrator run \`apt-get install $package\`"
  fi
}

install_packages() {
  package="$*"
  command -v apt-get >/dev/null || die "$package is missing and there is no apt-get: install it by hand" \
    "(PostgreSQL 15 or newer; \$PG_BIN names the folder of its binaries where they are in none of the usual ones)"
  printf 'install-deps: installing %s\n' "$package"
  as_root apt-get -o DPkg::Lock::Timeout=300 -qq update || printf 'install-deps: apt-get update failed, trying with the old lists\n'
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install "$@" ||
    die "apt-get install $package failed: see above"
}

# Debian's package makes a database of its own and starts it as a service, unless told not to.
no_cluster=/etc/postgresql-common/createcluster.d/parley.conf
install_postgres() {
  package=postgresql # for as_root
  as_root mkdir -p "${no_cluster%/*}"
  trap 'as_root rm -f "$no_cluster"' EXIT
  printf 'create_main_cluster = false\n' | as_root tee "$no_cluster" >/dev/null
  install_packages postgresql
  has_postgres || die "postgresql was installed, but there is no /usr/lib/postgresql/*/bin/initdb"
}

# Debian 12 has node 18: with its npm comes the one that is needed.
install_node() {
  package='nodejs npm, then npm install --global node@20' # for as_root
  command -v npm >/dev/null || install_packages nodejs npm
  has_node || as_root npm install --global --no-audit --no-fund node@20 || die "npm install --global node@20 failed: see above"
  hash -r
  has_node || die "node in PATH is older than 20: put $(npm prefix --global)/bin before it"
}

[ $# -gt 0 ] || die "usage: install-deps.sh postgres|cc|node|chromium ..."
for need in "$@"; do
  case $need in
  postgres) has_postgres || install_postgres ;;
  node) has_node || install_node ;;
  chromium) has_chromium || install_packages chromium fonts-dejavu-core fonts-noto-color-emoji ;;
  cc) has_cc || install_packages gcc libc6-dev ;;
  *) die "unknown: $need" ;;
  esac
done
