#!/usr/bin/env bash
# CPython 3.14 and 3.15 on machines without them: Debian sid in a chroot, made once and cached.
#
#   newest.sh make             makes it, unless it exists
#   newest.sh run COMMAND...   makes it if needed, and runs a command in a copy of this checkout, in /checkout
#
# Exits with status 77 and one line that begins with SKIPPED if it cannot be made. Two commands may run at once.
# Everything except /checkout and $TMPDIR stays between commands.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/chroot.sh"

PACKAGES=(
  python3.14-dev python3.14-venv python3.15-dev python3.15-venv
  gcc libc6-dev git strace procps locales-all util-linux
)
NAME=newest-$(printf '%s\n' "${PACKAGES[@]}" | cksum | cut -d ' ' -f 1) # another list of packages is another chroot
PLATFORM="everything on Python 3.14 and 3.15"

fill() { # isolated
  make_chroot "$1" "${PACKAGES[@]}"
  in_chroot "$1" sh -euc 'python3.14 -m venv /opt/tools; /opt/tools/bin/pip install -q "nox[uv]"
    ln -s /opt/tools/bin/nox /opt/tools/bin/uv /usr/local/bin/'
}

enter() { # isolated
  local root=$CACHE/$NAME scratch status=0
  locked
  for scratch in "$root"/tmp/run.??????; do # left by a killed run
    if [ -d "$scratch" ] && flock -n "$scratch.lock" true; then rm -rf --one-file-system "$scratch" "$scratch.lock"; fi
  done
  scratch=$(mktemp -d "$root/tmp/run.XXXXXX")
  exec 9>"$scratch.lock"
  flock 9
  unlocked
  mkdir "$scratch/checkout"
  mkdir -m 1777 "$scratch/tmp"
  chmod 755 "$scratch" # tests become other users
  copy_checkout "$scratch/checkout"
  mkdir -p "$root/checkout"
  mount --bind "$scratch/checkout" "$root/checkout"
  in_chroot "$root" TMPDIR="/tmp/$(basename "$scratch")/tmp" sh -c 'cd /checkout && exec "$@"' sh "$@" || status=$?
  rm -rf --one-file-system "$scratch" && rm "$scratch.lock" || true # otherwise the next run does it: a process is still running
  return "$status"
}

case ${1:-} in
make) make_cached fill ;;
run)
  make_cached fill
  isolated enter "${@:2}"
  ;;
fill | enter) "$@" ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
