#!/usr/bin/env bash
# CPython 3.14 and 3.15 where the machine has none: Debian sid in a chroot, made once and cached.
#
#   newest.sh make             makes it, unless it is there
#   newest.sh run COMMAND...   makes it if needed, and runs a command in a copy of this checkout, in /checkout
#
# Ends with status 77 and one line that begins with SKIPPED where it cannot be made. A command runs in mount and process
# namespaces of its own: its mounts and its processes end with it, however it ends, and nobody else ever has them. So two
# may run at once, and a chroot that is to be removed has no mounts in it. The making is under a lock, and is renamed when
# it is whole. Between commands everything stays but /checkout and $TMPDIR.
set -euo pipefail

packages=(
  python3.14-dev python3.14-venv python3.15-dev python3.15-venv
  gcc libc6-dev git strace procps locales-all util-linux
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/liveinstall-tests
root=$cache/newest-$(printf '%s\n' "${packages[@]}" | cksum | cut -d ' ' -f 1) # another list, another chroot
checkout=$(cd "$(dirname "$0")/../.." && pwd)
script=$checkout/integration/platforms/newest.sh
certificates=/etc/ssl/certs/ca-certificates.crt

skip() {
  echo "SKIPPED: everything on Python 3.14 and 3.15, because $1"
  exit 77
}

isolated() { # runs `newest.sh STEP ...` in namespaces of its own, which end with this process
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash "$script" "$@"
}

mirror() { # the one that apt has this Debian's own packages from
  local release
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    sed -n "s/ $release main\$//p" | grep -m 1 debian
}

make() {
  [ ! -d "$root" ] || return 0
  [ "$(id -u)" = 0 ] || skip "making a chroot needs root"
  command -v debootstrap >/dev/null || skip "there is no debootstrap"
  unshare --mount --pid --fork true 2>/dev/null || skip "mounts are forbidden"
  [ -n "$(mirror)" ] || skip "apt has no mirror of Debian"
  mkdir -p "$cache"
  exec 8>"$cache/newest.lock"
  flock 8
  [ ! -d "$root" ] || return 0
  rm -rf --one-file-system "$cache"/newest-*.unfinished # of a making that was killed: under this lock nobody makes one
  isolated fill "$root.unfinished" >"$cache/newest.log" 2>&1 || skip "Debian's were not to be had ($cache/newest.log)"
  mv "$root.unfinished" "$root"
  exec 8>&-
}

fill() { # in namespaces of its own: what debootstrap mounts ends with it
  debootstrap --variant=minbase --include=ca-certificates sid "$1" "$(mirror)"
  inside "$1"
  printf '%s "false";\n' APT::Install-Recommends Acquire::Check-Valid-Until >"$1/etc/apt/apt.conf.d/99-tests" # a mirror may be old
  chroot "$1" env -i "${environment[@]}" DEBIAN_FRONTEND=noninteractive \
    sh -euc 'apt-get update -q; apt-get install -y -q "$@"; apt-get clean' sh "${packages[@]}"
  chroot "$1" env -i "${environment[@]}" \
    sh -euc 'python3.14 -m venv /opt/tools; /opt/tools/bin/pip install -q "nox[uv]"
      ln -s /opt/tools/bin/nox /opt/tools/bin/uv /usr/local/bin/'
}

inside() { # mounts into the chroot what it shares with the machine, and says what its commands get as environment
  local path
  mount -t proc proc "$1/proc"
  mount --rbind /sys "$1/sys"
  mount --rbind /dev "$1/dev"
  for path in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf "$certificates"; do
    share "$1" "$path"
  done
  # Of an index of files its parent directory, because its pages link to files beside it.
  for path in $(grep -ohE '(^|file://|[[:space:]=])/[^[:space:]]+' /etc/pip.conf ~/.config/pip/pip.conf 2>/dev/null |
    sed -E 's#^file://(.*)/[^/]+/?$#\1#; s#^[[:space:]=]##'); do
    share "$1" "$path"
  done
  environment=(HOME="$HOME" PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TERM="${TERM:-dumb}" LANG=C.UTF-8
    SSL_CERT_FILE="$certificates" PIP_CERT="$certificates" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_DEFAULT_TIMEOUT=180)
  for path in CI "${!LIVEINSTALL_@}"; do
    [ -z "${!path:-}" ] || environment+=("$path=${!path}")
  done
}

share() { # binds a file or directory of the machine, which the chroot cannot change
  [ -e "$2" ] && ! mountpoint -q "$1$2" || return 0
  mkdir -p "$1$(dirname "$2")"
  if [ -d "$2" ]; then mkdir -p "$1$2"; else touch "$1$2"; fi
  mount --bind -o ro "$(readlink -f "$2")" "$1$2"
}

enter() { # in namespaces of its own
  local scratch status=0
  exec 8>"$cache/newest.lock"
  flock 8
  for scratch in "$root"/tmp/run.??????; do # what a run left that was killed
    if [ -d "$scratch" ] && flock -n "$scratch.lock" true; then rm -rf --one-file-system "$scratch" "$scratch.lock"; fi
  done
  scratch=$(mktemp -d "$root/tmp/run.XXXXXX")
  exec 9>"$scratch.lock"
  flock 9
  exec 8>&-
  mkdir "$scratch/checkout"
  mkdir -m 1777 "$scratch/tmp"
  chmod 755 "$scratch" # tests become other users
  tar -C "$checkout" -c --null -T <(cd "$checkout" && git ls-files -z -co --exclude-standard) --ignore-failed-read |
    tar -C "$scratch/checkout" -x
  inside "$root"
  mkdir -p "$root/checkout" "$root$HOME"
  mount --bind "$scratch/checkout" "$root/checkout"
  chroot "$root" env -i "${environment[@]}" TMPDIR="/tmp/$(basename "$scratch")/tmp" \
    sh -c 'cd /checkout && exec "$@"' sh "$@" || status=$?
  rm -rf --one-file-system "$scratch" && rm "$scratch.lock" || true # else the next run does it: something still runs
  return "$status"
}

case ${1:-} in
make) make ;;
run)
  make
  isolated enter "${@:2}"
  ;;
fill | enter) "$@" ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
