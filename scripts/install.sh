#!/usr/bin/env bash
# Copies plugin, program, runtime and demo model to where GStreamer and the element look for them, or takes them away again:
# install.sh [--uninstall] LIBRARY MODEL. For this user; where PREFIX is set, for the system below it (and below DESTDIR, for packagers).
set -euo pipefail
verb=install
if [[ $1 == --uninstall ]]; then
    verb=uninstall
    shift
fi
library=$1 model=$2

if [[ -n ${PREFIX:-} ]]; then
    # GStreamer reads one folder of its own, wherever the rest is.
    case $PREFIX in
    /usr | /usr/local) plugins=${PLUGINS:-$(pkg-config --variable=pluginsdir gstreamer-1.0)} ;;
    *) plugins=${PLUGINS:-$PREFIX/lib/gstreamer-1.0} ;;
    esac
    own=${LIBDIR:-$PREFIX/lib}/gradcam programs=$PREFIX/bin
else
    data=${XDG_DATA_HOME:-$HOME/.local/share}
    plugins=$data/gstreamer-1.0/plugins own=$data/gradcam programs=$HOME/.local/bin
fi

install() { # MODE FILE FOLDER
    [[ -e $2 ]] || { echo "install: $2 is not there yet: run make build runtime model first" >&2 && exit 1; }
    command install -D -m "$1" "$2" "${DESTDIR:-}$3/$(basename "$2")"
    echo "${DESTDIR:-}$3/$(basename "$2")"
}
uninstall() {
    rm -f "${DESTDIR:-}$3/$(basename "$2")"
    # Of our own folder nothing is left; the others are not ours.
    [[ $(basename "$3") != gradcam ]] || rmdir --ignore-fail-on-non-empty "${DESTDIR:-}$3" 2>/dev/null || true
}
built=${CARGO_TARGET_DIR:-target}/release
"$verb" 644 "$built/libgstgradcam.so" "$plugins"
"$verb" 644 "$library" "$own"
"$verb" 644 "$model" "$own"
"$verb" 755 "$built/gradcam" "$programs"

if [[ $verb == uninstall || -n ${DESTDIR:-} ]]; then
    exit 0
fi
gst-inspect-1.0 gradcam >/dev/null || {
    echo "install: GStreamer does not find the element gradcam in $plugins; name that folder in GST_PLUGIN_PATH, or is GST_REGISTRY set?" >&2
    exit 1
}
echo "now try: gst-launch-1.0 videotestsrc ! videoconvert ! gradcam ! videoconvert ! autovideosink"
case ":$PATH:" in
*":$programs:"*) ;;
*) echo "to run gradcam by its name, put $programs on your PATH" ;;
esac
