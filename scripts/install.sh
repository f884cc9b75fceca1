#!/usr/bin/env bash
# Copies plugin, program, runtime and demo model to where GStreamer and the element look for a user's own: install.sh LIBRARY MODEL
set -euo pipefail
library=$1 model=$2
data=${XDG_DATA_HOME:-$HOME/.local/share}

copy() { # MODE FILE FOLDER
    install -D -m "$1" "$2" "$3/$(basename "$2")"
    echo "$3/$(basename "$2")"
}
copy 755 target/release/libgstgradcam.so "$data/gstreamer-1.0/plugins"
copy 644 "$library" "$data/gradcam"
copy 644 "$model" "$data/gradcam"
copy 755 target/release/gradcam "$HOME/.local/bin"

gst-inspect-1.0 gradcam >/dev/null || {
    echo "install: GStreamer does not find the element gradcam; is GST_PLUGIN_PATH or GST_REGISTRY set?" >&2
    exit 1
}
echo "now try: gst-launch-1.0 videotestsrc ! videoconvert ! gradcam ! videoconvert ! autovideosink"
case ":$PATH:" in
*":$HOME/.local/bin:"*) ;;
*) echo "to run gradcam by its name, put $HOME/.local/bin on your PATH" ;;
esac
