#!/bin/sh
# Creates .venv and installs the locked dependencies and authsvc itself. POSIX shell: Debian, macOS.
set -eu
cd "$(dirname "$0")/.."
venv=.venv

say() { printf '%s\n' "$*" >&2; }

suits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python3.14 \
        /opt/homebrew/bin/python3 /usr/local/bin/python3; do
        if suits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "authsvc needs Python 3.11 or newer and found none."
    found=$(python3 --version 2>/dev/null || true)
    [ -z "$found" ] || say "python3 here is $found."
    say "Debian: apt-get install python3 python3-venv    macOS: brew install python@3.13"
    say "Another place: make PYTHON=/path/to/python3.12 ..."
    return 1
}

# Debian ships venv as a package of its own.
need_venv_module() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing python3-venv ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
        "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    fi
    say "This Python cannot create virtual environments: its venv module is missing."
    say "Debian and Ubuntu: sudo apt-get install python3-venv"
    return 1
}

if ! suits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    need_venv_module "$python"
    say "Creating $venv with $("$python" --version) ..."
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

say "Installing the locked dependencies ..."
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install --quiet --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
touch "$venv/.ready"
