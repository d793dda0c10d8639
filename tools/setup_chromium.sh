#!/bin/sh
# Finds Chromium for the browser tests, or installs it where that needs no question (Debian, root).
set -eu

for candidate in "${AUTHSVC_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome \
    google-chrome-stable "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the browser tests ..."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; then
        exit 0
    fi
fi

echo "No Chromium found: the browser tests are going to fail." >&2
echo "Debian: sudo apt-get install chromium    macOS: brew install --cask chromium" >&2
echo "Another place: AUTHSVC_TEST_CHROMIUM=/path/to/chromium make test" >&2
