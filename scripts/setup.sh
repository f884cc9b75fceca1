#!/usr/bin/env bash
# Installs the Debian packages that are missing, if any; sudo is used only where needed, and nothing is done where all is there.
# `scripts/setup.sh dashboard`: those of the dashboard too; `scripts/setup.sh browser`: and those of its browser tests.
set -euo pipefail

missing=()
need() { # PACKAGE COMMAND...: the package is missing if the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

need build-essential cc --version
need pkg-config pkg-config --version
need libgstreamer1.0-dev pkg-config --exists "gstreamer-1.0 >= 1.22" gstreamer-check-1.0
need libgstreamer-plugins-base1.0-dev pkg-config --exists gstreamer-video-1.0 gstreamer-app-1.0
need gstreamer1.0-tools gst-launch-1.0 --version
need gstreamer1.0-plugins-base gst-inspect-1.0 --exists videotestsrc
need gstreamer1.0-plugins-good gst-inspect-1.0 --exists vp8enc
need gstreamer1.0-plugins-bad gst-inspect-1.0 --exists h264parse
need gstreamer1.0-plugins-ugly gst-inspect-1.0 --exists x264enc
need gstreamer1.0-libav gst-inspect-1.0 --exists avdec_h264
need python3 python3 --version
need python3-pip python3 -m pip --version
if [[ ${1:-} == dashboard || ${1:-} == browser ]]; then
    need libgstreamer-plugins-bad1.0-dev pkg-config --exists gstreamer-webrtc-1.0 gstreamer-sdp-1.0
    need gstreamer1.0-nice gst-inspect-1.0 --exists nicesink
fi
if [[ ${1:-} == browser ]]; then
    need chromium chromium --version
    need nodejs node --version
    need npm npm --version
fi

if ! command -v cargo >/dev/null; then
    echo "setup: cargo is missing; install Rust 1.92 or later (https://rustup.rs), then run this again" >&2
    exit 1
fi
if ((${#missing[@]} == 0)); then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "setup: please install what these Debian packages hold: ${missing[*]}" >&2
    exit 1
fi
sudo=()
if ((EUID != 0)); then
    sudo=(sudo)
fi
echo "setup: installing ${missing[*]}"
wait=(-o DPkg::Lock::Timeout=300)
"${sudo[@]}" apt-get "${wait[@]}" update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${wait[@]}" install -y -qq --no-install-recommends "${missing[@]}"
