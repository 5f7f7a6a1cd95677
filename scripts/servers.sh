#!/bin/sh
# servers.sh PACKAGE…: Debian's packages of the servers that tests start by themselves; none of them runs as a service.
set -eu

missing=
for package; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
  echo "not installed:$missing; the tests that need them are skipped. On Debian once: sudo apt-get install$missing" >&2
  exit 0
}

# This file is Debian's own way to say that a package must not start its service.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || {
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
}
echo "installing$missing …" >&2
apt-get update -qq >/dev/null 2>&1 || true
# shellcheck disable=SC2086 # one word for each package
said=$(DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing 2>&1) || {
  printf '%s\n' "$said" >&2
  exit 1
}
