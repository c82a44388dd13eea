#!/bin/sh
# Installs Debian packages (default: what the tests use) where this may be done without asking, as root; elsewhere says
# what is missing and how to get it.
tests="libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins chromium ffmpeg mma fluidsynth fluid-soundfont-gm \
timgm6mb-soundfont musescore-general-soundfont-small mosquitto mosquitto-clients nginx-light"
[ "$(uname)" = Linux ] || exit 0
missing=""
for package in ${*:-$tests}; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
else
    echo "Not all will work without these packages: sudo apt install$missing"
fi
