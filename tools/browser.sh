#!/usr/bin/env bash
# The browser tests need a Chromium. Use $CHROMIUM or the one on the PATH; else install Debian's where that is allowed.
set -u
for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
  [ -n "$candidate" ] && command -v "$candidate" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "graphlens: no Chromium found, installing Debian's"
  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; then
    exit 0
  fi
fi
echo "graphlens: no Chromium found and none could be installed; install one (Debian: apt-get install chromium) or set CHROMIUM=/path/to/it" >&2
exit 1
