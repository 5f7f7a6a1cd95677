#!/bin/sh
# setup.sh PYTHON VENV LOCK [PROJECT]: a virtual environment with exactly what LOCK names (hashes checked), and PROJECT in it.
set -eu
python=$1 venv=$2 lock=$3 project=${4-}

fail() { printf '%s\n' "$1" >&2; exit 1; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  found=$("$python" -V 2>/dev/null) || found="not there"
  fail "tapewire needs Python 3.11 or newer; $python is $found. Name another: make PYTHON=python3.12 demo"
}

make_venv() {
  rm -rf "$venv"
  "$python" -m venv "$venv" >/dev/null 2>&1 && return
  rm -rf "$venv"
  "$python" -m virtualenv -q "$venv" >/dev/null 2>&1
}

# Debian keeps venv in a package of its own; whoever may install packages gets it without being asked.
fetch_venv() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  echo "installing the package python3-venv …" >&2
  apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null 2>&1
}

explain() {
  rm -rf "$venv"
  "$python" -m venv "$venv" 2>&1 | sed 's/^/  /' >&2 || true
  rm -rf "$venv"
  fail "$python cannot make a virtual environment, see above. On Debian and Ubuntu once: sudo apt-get install python3-venv"
}

install() {
  said=$("$venv/bin/python" -m pip install -q --disable-pip-version-check "$@" 2>&1) || {
    printf '%s\n' "$said" >&2
    fail "the installation into $venv failed, see above; it needs a package registry to install from"
  }
}

# Not only whether its Python is there: a set-up that was interrupted leaves one without pip.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  echo "setting up $venv …" >&2
  make_venv || { fetch_venv && make_venv; } || explain
fi
echo "installing $lock …" >&2
install --require-hashes -r "$lock"
[ -z "$project" ] || install --no-deps --no-build-isolation -e "$project"
