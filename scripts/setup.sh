#!/bin/sh
# setup.sh PYTHON VENV LOCK [PROJECT]: a virtual environment with exactly what LOCK names (hashes checked), and PROJECT in it.
set -e
python=$1 venv=$2 lock=$3 project=$4
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "tapewire needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
if [ ! -x "$venv/bin/python" ]; then
  echo "setting up $venv …" >&2
  "$python" -m venv "$venv" 2>/dev/null || { rm -rf "$venv"; "$python" -m virtualenv -q "$venv" 2>/dev/null; } || {
    # Debian keeps venv in a package of its own.
    rm -rf "$venv"
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && {
      apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; } || true
    "$python" -m venv "$venv" || { echo "no virtual environment: run 'apt-get install python3-venv' once, then again" >&2; exit 1; }
  }
fi
echo "installing $lock …" >&2
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$lock" 2>&1 | grep -v "is ignored: it is neither" >&2 || true
[ -z "$project" ] || "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e "$project" 2>&1 | grep -v "is ignored: it is neither" >&2 || true
[ -z "$project" ] || "$venv/bin/python" -c 'import tapewire' || { echo "the installation failed, see above" >&2; exit 1; }
