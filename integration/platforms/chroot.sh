# Sourced by windows.sh: a Debian "sid" chroot, made once and cached, for a platform that is not installed.
#
# What runs in it has mounts and processes of its own, which end with it, and sees the cached files through an overlay:
# nothing that a run changes or leaves behind stays, and several runs at once do not disturb each other.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/liveinstall-tests
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$HERE/../.." && pwd)
VARIABLES=(HOME=/root LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TERM=dumb
  SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_DEFAULT_TIMEOUT=180)

# skipped REASON: say so in one line, and exit with 77, which means "skipped" for nox and CI.
skipped() {
  echo "SKIPPED: $1"
  exit 77
}

# make_cached NAME FUNCTION: call FUNCTION with a new directory, which gets its name in the cache only when it is complete.
make_cached() {
  [ -d "$CACHE/$1" ] && return
  mkdir -p "$CACHE"
  exec 9>"$CACHE/$1.lock"
  flock 9  # another run may be making it
  [ -d "$CACHE/$1" ] && return
  rm -rf "$CACHE/$1".draft-*
  local draft
  draft=$(mktemp -d "$CACHE/$1.draft-XXXXXX")
  chmod 755 "$draft"
  local status=0
  set +e  # `if FUNCTION` would ignore failures inside
  (set -e; "$2" "$draft") >"$CACHE/$1.log" 2>&1
  status=$?
  set -e
  if [ $status != 0 ]; then
    rm -rf "$draft"
    skipped "$1 cannot be made here; the reason is at the end of $CACHE/$1.log"
  fi
  mv "$draft" "$CACHE/$1"
  exec 9>&-
}

# make_chroot DIRECTORY PACKAGE...: the minimal system, and packages without those that they only recommend.
make_chroot() {
  local root=$1 mirror
  shift
  [ "$(id -u)" = 0 ] || { echo "only root can make a chroot"; return 1; }
  command -v debootstrap || apt-get install -y -q --no-install-recommends debootstrap ||
    { apt-get update -q && apt-get install -y -q --no-install-recommends debootstrap; } || return 1
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  unshare --mount debootstrap --variant=minbase --include=ca-certificates sid "$root" $mirror || return 1
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp /etc/pip.conf "$root/etc/" || true
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  # A mirror may be a snapshot, whose lists have expired.
  echo 'APT::Install-Recommends "false"; Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/99liveinstall"
  in_chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -q && apt-get install -y -q "$@" && apt-get clean' \
    sh "$@"
}

# in_chroot DIRECTORY COMMAND...: run a command in a chroot; what it changes stays.
in_chroot() {
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -c '
    root=$1; shift
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" || exit 77
    chroot "$root" "$@"
    exit $?' bash "$1" /usr/bin/env -i "${VARIABLES[@]}" "${@:2}"
}

# in_overlay NAME PREPARE COMMAND...: run a command over the cached chroot NAME. Before it, the shell commands PREPARE
# run outside, with the path of the root in $root.
in_overlay() {
  mkdir -p "$CACHE/mounts"
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -c '
    cached=$1; over=$2; prepare=$3; shift 3; root=$over/root
    mount -t tmpfs -o size=75% tmpfs "$over" && mkdir "$over/upper" "$over/work" "$root" &&
      mount -t overlay -o "lowerdir=$cached,upperdir=$over/upper,workdir=$over/work" overlay "$root" &&
      mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" ||
      { echo "SKIPPED: a chroot cannot be mounted here"; exit 77; }
    eval "$prepare" || exit
    chroot "$root" "$@"
    exit $?' bash "$CACHE/$1" "$CACHE/mounts" "$2" /usr/bin/env -i "${VARIABLES[@]}" "${@:3}"
}
