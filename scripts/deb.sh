#!/usr/bin/env bash
# Makes a Debian package of what `make install` would install, for the Debian that this is run on: deb.sh LIBRARY MODEL
set -euo pipefail
library=$1 model=$2
name=gstreamer1.0-gradcam
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)-1
# Whoever gives the package on says so as Debian's own tools read it.
maintainer="${DEBFULLNAME:-the gradcam developers} <${DEBEMAIL:-$(id -un)@$(hostname -f)}>"
arch=$(dpkg --print-architecture)
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
root=out/deb/root docs=out/deb/root/usr/share/doc/$name

rm -rf out/deb
mkdir -p "$docs" out/deb/debian $root/DEBIAN
DESTDIR=$root PREFIX=/usr LIBDIR=/usr/lib/$triplet PLUGINS=/usr/lib/$triplet/gstreamer-1.0 scripts/install.sh "$library" "$model" >/dev/null
plugin=usr/lib/$triplet/gstreamer-1.0/libgstgradcam.so own=usr/lib/$triplet/gradcam
strip --strip-unneeded $root/$plugin $root/usr/bin/gradcam

cp -r README.md docs pipelines "$docs"
cp examples/explain.rs examples/*.py examples/requirements.txt -t "$(mkdir -p "$docs/examples" && echo "$docs/examples")"
gzip -9n <CHANGELOG.md >"$docs/changelog.gz"
date=$(date -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")
printf '%s (%s) unstable; urgency=medium\n\n  * Made by make deb.\n\n -- %s  %s\n' $name "$version" "$maintainer" "$date" |
    gzip -9n >"$docs/changelog.Debian.gz"
python3 scripts/notices.py | gzip -9n >"$docs/THIRD-PARTY.gz"
gzip -9n <"$(dirname "$library")/ThirdPartyNotices.txt" >"$docs/onnxruntime-ThirdPartyNotices.txt.gz"
{
    cat <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: gst-plugin-gradcam
Comment: The crates that are linked into plugin and program, with their licences, are listed in THIRD-PARTY.gz beside this
 file, what ONNX Runtime contains in onnxruntime-ThirdPartyNotices.txt.gz.

Files: *
Copyright: the gradcam developers
License: Expat or Apache-2.0, and DejaVu
Comment: The font of the labels is DejaVu Sans, which is compiled in.

Files: $own/libonnxruntime.so.*
Copyright: Microsoft Corporation
License: onnxruntime

Files: $own/*.onnx
Copyright: Google, ML Illustrated (weights), I. Volkov, N. Kisel (class names)
License: Apache-2.0

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.

License: Expat
$(sed '/^MIT License$/d; s/^$/./; s/^/ /' LICENSE-MIT)

License: onnxruntime
$(sed 's/\r$//; s/^$/./; s/^/ /' "$(dirname "$library")/LICENSE")

License: DejaVu
$(sed 's/^$/./; s/^/ /' NOTICE)
COPYRIGHT
} >"$docs/copyright"

mkdir -p $root/usr/share/lintian/overrides
cat >$root/usr/share/lintian/overrides/$name <<OVERRIDES
# In ONNX Runtime as its authors build it.
$name: embedded-library curl *
$name: embedded-library mbedtls *
OVERRIDES

# dpkg-shlibdeps reads who needs what; ONNX Runtime lies in a folder of ours, and is opened, not linked.
printf 'Source: %s\nPackage: %s\nArchitecture: any\n' $name $name >out/deb/debian/control
depends=$(cd out/deb && dpkg-shlibdeps -O --ignore-missing-info "root/$plugin" root/usr/bin/gradcam "root/$own/$(basename "$library")" 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')
cat >$root/DEBIAN/control <<CONTROL
Package: $name
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude DEBIAN $root | cut -f1)
Section: video
Priority: optional
Depends: $depends, gstreamer1.0-plugins-base
Recommends: gstreamer1.0-tools, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad, gstreamer1.0-plugins-ugly, gstreamer1.0-libav
Description: shows live on video where an image classifier looks
 The GStreamer element gradcam paints on each frame where an ONNX image
 classifier looks (Grad-CAM), without a training framework: the model's graph
 is rewritten into one that predicts and explains in one run.
 .
 With it come the command line tool gradcam, ONNX Runtime in a folder of its
 own, and a classifier of ImageNet's thousand classes to begin with.
CONTROL
find $root -type d -exec chmod 755 {} +
find $root/usr/share -type f -exec chmod 644 {} +
chmod 755 "$docs/pipelines/run"
(cd $root && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group --build $root "out/${name}_${version}_$arch.deb"
