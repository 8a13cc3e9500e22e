#!/usr/bin/env bash
# Bring the virtual environment in step with the locks: .ci/install.sh demo | test
#
# What is already in step is left alone, so that a second run starts no pip and needs no network. The mark of a finished
# step is a copy of what was installed, in $VENV/.installed/; an interrupted step leaves no mark and is done again.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=${VENV:-.venv}
PYTHON=${PYTHON:-}
core=requirements.lock all=requirements-dev.lock sample=requirements-sample.lock s3=requirements-moto.lock
network="Check the network, and that pip can reach its package index; then run the same command again."
marks=$VENV/.installed
python=$VENV/bin/python

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; shift; for line in "$@"; do say "  $line"; done; exit 1; }

# Only running it tells: a name on the PATH may be a shim for a version that is not there.
suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
  local name candidate
  if [[ -n $PYTHON ]]; then
    suits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 that runs." "Name another one, or none."
    can_make_venv "$PYTHON" || fail "$PYTHON has no venv module." "On Debian and Ubuntu: apt-get install python3-venv"
    printf '%s' "$PYTHON"
    return
  fi
  for name in python3 python3.12 python3.13 python3.11 python; do
    candidate=$(command -v "$name" || true)
    if [[ -n $candidate ]] && suits "$candidate" && can_make_venv "$candidate"; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail "no Python 3.11, 3.12 or 3.13 with the venv module was found on the PATH." \
    "Debian 12, Ubuntu 24.04:  apt-get install python3 python3-venv" \
    "Fedora:                   dnf install python3.13" \
    "macOS with Homebrew:      brew install python@3.13" \
    "Installed elsewhere?      make PYTHON=/path/to/python3 ..."
}

make_venv() {
  if [[ -e $marks/venv ]] && suits "$python"; then
    if [[ -n $PYTHON ]]; then
      local ask='import sys; print(*sys.version_info[:2], sep=".")' has wanted
      has=$("$python" -c "$ask") wanted=$("$PYTHON" -c "$ask")
      [[ $has == "$wanted" ]] || fail "$VENV has Python $has, but PYTHON=$PYTHON is $wanted." \
        "Either 'make clean' first, or use another folder: make VENV=.venv-$wanted PYTHON=$PYTHON ..."
    fi
    return
  fi
  [[ ! -e $VENV || -e $VENV/pyvenv.cfg ]] || fail "$VENV exists and is not a virtual environment." "Name another: VENV=..."
  local found
  found=$(find_python)
  say "Creating $VENV with $("$found" --version)"
  "$found" -m venv --clear "$VENV"
  mkdir -p "$marks"
  touch "$marks/venv"
}

pip_install() { "$python" -m pip install -qq --disable-pip-version-check --no-input --no-deps "$@"; }

in_step() { cmp -s "$1" "$marks/$1"; }

install_lock() {
  in_step "$1" && return
  say "Installing $(grep -c '==' "$1") packages of $1 into $VENV (about $2; the network is needed this once)"
  [[ $1 == "$sample" ]] || rm -f "$marks/$core" "$marks/$all"
  # Every file is checked against its hash, and nothing is built: a package without a wheel would run its own code here.
  # Python compiles what it imports; compiling all of it now would double the time.
  pip_install --require-hashes --only-binary :all: --no-compile -r "$1" || fail "could not install from $1." "$network"
  # In tests warnings are errors, and some are given only when a module is compiled: get that over with.
  [[ $1 != "$all" ]] || "$python" -W ignore -m compileall -qq -j 0 "$VENV"/lib/python3.*/site-packages || true
  cp "$1" "$marks/"
}

# moto's server of S3 has needs that contradict ours, so it lives in an environment of its own, inside ours.
install_s3_server() {
  in_step "$s3" && [[ -x $VENV/moto/bin/moto_server ]] && return
  say "Installing $(grep -c '==' "$s3") packages of $s3 into $VENV/moto (about 20 seconds)"
  rm -f "$marks/$s3"
  "$python" -m venv --clear "$VENV/moto"
  "$VENV/moto/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes \
    --only-binary :all: --no-compile -r "$s3" || fail "could not install from $s3." "$network"
  cp "$s3" "$marks/"
}

install_project() {
  local mark=$marks/project
  # The folder is part of it: a copied or moved clone must not import the code of the old place.
  local state
  state=$(pwd; cat pyproject.toml geocollateral/__init__.py)
  [[ -e $mark && $state == "$(cat "$mark")" ]] && return
  pip_install --no-build-isolation --no-index --editable .
  printf '%s\n' "$state" >"$mark"
}

# Else the first tests, and each of their processes, would compile the monitor's loops.
warm_kernels() {
  local sources
  sources=$(cat geocollateral/change/kernels/*.py)
  [[ -e $marks/kernels && $sources == "$(cat "$marks/kernels")" ]] && return
  say "Compiling the monitor's loops (about half a minute)"
  "$python" .ci/warm.py
  printf '%s\n' "$sources" >"$marks/kernels"
}

make_venv
case ${1:-} in
  # The test lock holds the same versions and more (tests/architecture/test_locks.py).
  demo) in_step "$all" || install_lock "$core" "1 minute" ;;
  test) install_lock "$all" "2 minutes"; install_s3_server ;;
  *) fail "usage: .ci/install.sh demo | test" ;;
esac
install_lock "$sample" "5 seconds"
install_project
[[ ${1:-} != test ]] || warm_kernels
