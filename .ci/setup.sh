#!/bin/sh
# Brings .venv up to date: "setup.sh app" for the dashboard and the command line, "setup.sh quick" for the tests
# as well, and "setup.sh test" for a browser and the English T5 in addition. Prints nothing if there is nothing to do.
#
# .venv/.app and .venv/.test hold the checksum of what was installed. .venv/.unfinished exists while something
# is being written, so that an interrupted set-up is noticed and done again (pip itself would take a half-copied
# package for an installed one).
set -eu
unset CDPATH PYTHONHOME PYTHONPATH
cd "$(dirname "$0")/.."

kind=$1
case $kind in
    app) list=requirements.txt; files=requirements.txt; stamp=app ;;
    quick|test) list=requirements-dev.txt; files="requirements.txt requirements-dev.txt"; stamp=test ;;
    *) echo "setup.sh takes 'app', 'quick' or 'test'. Got '$kind' instead." >&2; exit 2 ;;
esac

say() { echo "$*" >&2; }
fail() { say "$*"; exit 1; }
checksum() { cat "$@" | cksum; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

usable() { # .venv is complete, with Python and pip
    [ ! -e .venv/.unfinished ] && recent .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null
}

make_venv() {
    python=
    for name in python3.11 python3.12 python3.13 python3.14 python3 python; do # the tested ones first
        if recent "$name"; then python=$name; break; fi
    done
    [ -n "$python" ] || fail "ComPT Lab needs Python 3.11 or newer on the PATH. Got" \
        "$(python3 --version 2>/dev/null || echo none) instead; install one (Debian: apt-get install python3 python3-venv)."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; install its venv module (Debian: apt-get install python3-venv)."
    rm -rf .venv
    mkdir .venv
    : >.venv/.unfinished
    "$python" -m venv .venv
    rm .venv/.unfinished
}

install_packages() {
    : >.venv/.unfinished
    if ! .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check -r "$list"; then
        rm .venv/.unfinished # pip ended normally and undid what it had begun: keep what was there before
        fail "The packages of $list could not be installed (see pip's reason above). Fix that, then run this again."
    fi
    checksum $files >".venv/.$stamp"
    checksum requirements.txt >.venv/.app # its packages are part of both lists
    rm .venv/.unfinished
}

apt_chromium() {
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium
}

find_browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then return; fi
    done
    say "Installing a Chromium for the browser tests…"
    if [ "$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; then
        said=$(apt_chromium </dev/null 2>&1) || fail "$said
Debian's Chromium could not be installed; see apt-get's reason above."
    else
        said=$(.venv/bin/python -m playwright install chromium 2>&1) || fail "$said
No Chromium could be installed for the browser tests; see Playwright's reason above."
    fi
}

find_english() { # in .cache/english, for tests/english alone
    if [ -d .cache/english ]; then return; fi
    say "Fetching the English T5 for tests/english…"
    COMPT_ENGLISH=.cache/english .venv/bin/python -m compt_core backbone fetch english >/dev/null ||
        say "Without it the tests in tests/english are skipped; all others run."
}

# One set-up at a time: the lock is on this folder itself and leaves no file (macOS has no flock).
if command -v flock >/dev/null; then exec 9<. && flock 9; fi

if ! usable; then
    [ ! -d .venv ] || say "The existing .venv is unfinished, broken or older than Python 3.11, so it is made again."
    say "Setting up .venv. This takes about two minutes, or longer if PyTorch comes with CUDA…"
    make_venv
fi
if [ "$(cat ".venv/.$stamp" 2>/dev/null)" != "$(checksum $files)" ]; then
    say "Installing $list into .venv…"
    install_packages
fi
if [ "$kind" = test ]; then find_browser; find_english; fi
