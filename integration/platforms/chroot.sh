# Sourced by newest.sh and windows.sh: Debian sid in a chroot, made once and cached, for a platform that is not installed.
#
# They set NAME, the name in the cache, and PLATFORM, for the line that says why something is skipped. Functions that
# mount run in their own mount and process namespaces (`isolated`): mounts and processes end with them, however
# they end, and no other process has them.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/liveinstall-tests
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$HERE/../.." && pwd)
SCRIPT=$HERE/$(basename "$0")
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
VARIABLES=(HOME="$HOME" PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TERM="${TERM:-dumb}" LANG=C.UTF-8
  SSL_CERT_FILE="$CERTIFICATES" PIP_CERT="$CERTIFICATES" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_DEFAULT_TIMEOUT=180)
for variable in CI "${!LIVEINSTALL_@}"; do
  [ -z "${!variable:-}" ] || VARIABLES+=("$variable=${!variable}")
done

# skipped REASON: print one line, and exit with 77, which means "skipped" for nox and CI.
skipped() {
  echo "SKIPPED: $PLATFORM, because $1"
  exit 77
}

# isolated FUNCTION ARGUMENT...: call a function of this script in its own namespaces, which end with this process.
isolated() {
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash "$SCRIPT" "$@"
}

# locked: wait for other runs of this platform; until `unlocked`.
locked() {
  mkdir -p "$CACHE"
  exec 8>"$CACHE/${NAME%%-*}.lock"
  flock 8
}

unlocked() {
  exec 8>&-
}

# mirror: the one from which apt gets this Debian's own packages.
mirror() {
  local release
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    sed -n "s/ $release main\$//p" | grep -m 1 debian
}

# make_cached FUNCTION: unless $CACHE/$NAME exists, call FUNCTION with a directory, which gets that name when it is complete.
make_cached() {
  local draft=$CACHE/$NAME.unfinished
  [ ! -d "$CACHE/$NAME" ] || return 0
  [ "$(id -u)" = 0 ] || skipped "making a chroot needs root"
  command -v debootstrap >/dev/null || skipped "there is no debootstrap"
  unshare --mount --pid --fork true 2>/dev/null || skipped "mounts are forbidden"
  [ -n "$(mirror)" ] || skipped "apt has no mirror of Debian"
  locked
  if [ ! -d "$CACHE/$NAME" ]; then
    rm -rf --one-file-system "$CACHE/${NAME%%-*}"-*.unfinished # left by a kill: no other process makes one now
    isolated "$1" "$draft" >"$CACHE/$NAME.log" 2>&1 || skipped "it could not be made ($CACHE/$NAME.log)"
    mv "$draft" "$CACHE/$NAME"
  fi
  unlocked
}

# make_chroot DIRECTORY PACKAGE...: the minimal system, and packages without recommended ones.
make_chroot() {
  debootstrap --variant=minbase --include=ca-certificates sid "$1" "$(mirror)"
  # A mirror may be a snapshot with expired lists.
  printf '%s "false";\n' APT::Install-Recommends Acquire::Check-Valid-Until >"$1/etc/apt/apt.conf.d/99-tests"
  in_chroot "$1" DEBIAN_FRONTEND=noninteractive \
    sh -euc 'apt-get update -q; apt-get install -y -q "$@"; apt-get clean' sh "${@:2}"
}

# in_chroot DIRECTORY [VARIABLE=VALUE...] COMMAND...: run a command in a chroot, with the network and the indexes of the machine.
in_chroot() {
  local path
  mountpoint -q "$1/dev" || {
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
  }
  mkdir -p "$1$HOME"
  for path in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf "$CERTIFICATES"; do
    share "$1" "$path"
  done
  # For an index of local files its parent directory, because its pages link to files next to it.
  for path in $(grep -ohE '(^|file://|[[:space:]=])/[^[:space:]]+' /etc/pip.conf ~/.config/pip/pip.conf 2>/dev/null |
    sed -E 's#^file://(.*)/[^/]+/?$#\1#; s#^[[:space:]=]##'); do
    share "$1" "$path"
  done
  chroot "$1" env -i "${VARIABLES[@]}" "${@:2}"
}

# share DIRECTORY PATH: bind a file or directory of the machine, which the chroot cannot change.
share() {
  [ -e "$2" ] && ! mountpoint -q "$1$2" || return 0
  mkdir -p "$1$(dirname "$2")"
  if [ -d "$2" ]; then mkdir -p "$1$2"; else touch "$1$2"; fi
  mount --bind -o ro "$(readlink -f "$2")" "$1$2"
}

# copy_checkout DIRECTORY: the files of this checkout, without those that git ignores.
copy_checkout() {
  tar -C "$CHECKOUT" -c --null -T <(cd "$CHECKOUT" && git ls-files -z -co --exclude-standard) --ignore-failed-read |
    tar -C "$1" -x
}
