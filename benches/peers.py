"""What others take for the same: peers.py WEIGHTS.pth MODEL.onnx VIDEO. What it needs is in benches/requirements.txt.

Explaining: EfficientNet-Lite0 in torch and pytorch-grad-cam on the demo model's weights, printed as `gradcam bench` prints: milliseconds,
medians, plain against explained in strict alternation. Painting: the recipes in use, OpenCV's and pytorch-grad-cam's, on a
1080p frame, against `cargo bench --bench frame` turn by turn: least times on one thread. A video, file to file: the script that one
would write, OpenCV's reader and writer round both, against `gradcam annotate` on the same cores, turn by turn; the model is loaded within that time in both.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

try:
    import cv2
    import numpy
    import torch
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.image import show_cam_on_image
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torch import nn
except ImportError as error:
    sys.exit(f"peers.py: {error}; `pip install -r benches/requirements.txt` installs it, in a virtual environment")

RUNS, WARM_UP = 50, 10
WIDTH, HEIGHT = 1920, 1080
ROUNDS = 3
# repeats, kernel, stride of the first, expansion, channels out
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


class Same(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: at stride 2 one less before than after."""

    def __init__(self, cin, cout, kernel=1, stride=1, groups=1):
        super().__init__(cin, cout, kernel, stride, groups=groups, bias=False)
        total = kernel - stride
        self.pads = (total // 2, total - total // 2) * 2

    def forward(self, x):
        return super().forward(nn.functional.pad(x, self.pads))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    def __init__(self, cin, cout, kernel, stride, expansion):
        super().__init__()
        wide = cin * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(cin, wide), norm(wide)
        self._depthwise_conv, self._bn1 = Same(wide, wide, kernel, stride, wide), norm(wide)
        self._project_conv, self._bn2 = Same(wide, cout), norm(cout)
        self.adds = stride == 1 and cin == cout

    def forward(self, x):
        y = x
        if hasattr(self, "_expand_conv"):
            y = nn.functional.relu6(self._bn0(self._expand_conv(y)))
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class Lite0(nn.Module):
    """The names are those of the weights file."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2), norm(32)
        blocks, cin = [], 32
        for repeats, kernel, stride, expansion, cout in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(cin, cout, kernel, stride if repeat == 0 else 1, expansion))
                cin = cout
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1, self.features = Same(320, 1280), norm(1280), nn.ReLU6()
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self.features(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))


def milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def explaining(weights):
    model = Lite0().eval()
    model.load_state_dict(torch.load(weights, map_location="cpu"))
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1)) * 2 - 1
    explain = GradCAM(model, [model.features])
    target = [ClassifierOutputTarget(int(model(x).argmax()))]

    def plain():
        with torch.no_grad():
            model(x)

    print(f"\n{f'torch {torch.__version__}, pytorch-grad-cam':<34} {'threads':>7} {'plain ms':>10} {'explained ms':>13} {'ratio':>7}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = [(milliseconds(plain), milliseconds(lambda: explain(x, target))) for _ in range(WARM_UP + RUNS)]
        forward, explained = (statistics.median(column) for column in zip(*times[WARM_UP:]))
        print(f"{'alone in the process':<34} {threads:>7} {forward:>10.3f} {explained:>13.3f} {explained / forward:>7.3f}")


def opencv(picture, heat):
    """The map, as large as the picture, in the colours of jet, half and half."""
    large = cv2.resize(heat, (WIDTH, HEIGHT))
    return cv2.addWeighted(picture, 0.5, cv2.applyColorMap((large * 255).astype(numpy.uint8), cv2.COLORMAP_JET), 0.5, 0)


def opencv_yuv(picture, heat):
    """The same where the video is YUV: there and back. OpenCV writes no NV12; I420 costs as much."""
    return cv2.cvtColor(opencv(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_NV12), heat), cv2.COLOR_BGR2YUV_I420)


def in_floats(picture, heat):
    """As pytorch-grad-cam's documentation has it."""
    return show_cam_on_image(numpy.float32(picture) / 255, cv2.resize(heat, (WIDTH, HEIGHT)), use_rgb=False)


def in_floats_yuv(picture, heat):
    return cv2.cvtColor(in_floats(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_NV12), heat), cv2.COLOR_BGR2YUV_I420)


def painted():
    """Our own least milliseconds, by format."""
    command = ["cargo", "bench", "--quiet", "--no-default-features", "--bench", "frame", "--", "paint 1080p/(NV12|BGR)$"]
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in table.splitlines() if line.startswith("paint 1080p ")]
    return {words[2]: float(words[3]) for words in lines}


def painting():
    cv2.setNumThreads(1)
    dice = numpy.random.default_rng(1)
    bgr = dice.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=numpy.uint8)
    nv12 = dice.integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=numpy.uint8)
    heat = dice.random((7, 7), dtype=numpy.float32)
    rows = [("OpenCV", "BGR", opencv, bgr), ("OpenCV", "NV12", opencv_yuv, nv12)]
    rows += [("show_cam_on_image", "BGR", in_floats, bgr), ("show_cam_on_image", "NV12", in_floats_yuv, nv12)]
    least, own = {}, {}
    for _ in range(ROUNDS):
        for who, kind, recipe, picture in rows:
            times = [milliseconds(lambda: recipe(picture, heat)) for _ in range(10)]
            least[who, kind] = min(least.get((who, kind), float("inf")), *times)
        for kind, time_of_ours in painted().items():
            own[kind] = min(own.get(kind, float("inf")), time_of_ours)
    title = f"painting {WIDTH}x{HEIGHT}, OpenCV {cv2.__version__}"
    print(f"\n{title:<34} {'ms':>10} {'gradcam ms':>13} {'ratio':>7}")
    for (who, kind), taken in least.items():
        print(f"{f'{who}, {kind}':<34} {taken:>10.3f} {own[kind]:>13.3f} {taken / own[kind]:>7.1f}")


def script(weights, video, output, threads):
    """The whole video in torch and OpenCV: milliseconds a frame of each part."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    source = cv2.VideoCapture(video)
    width, height = int(source.get(cv2.CAP_PROP_FRAME_WIDTH)), int(source.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(output, cv2.VideoWriter_fourcc(*"mp4v"), source.get(cv2.CAP_PROP_FPS), (width, height))
    parts, frames = dict.fromkeys(("load", "decode", "prepare", "explain", "paint", "encode"), 0.0), 0

    def timed(part, call):
        start = time.perf_counter()
        result = call()
        parts[part] += (time.perf_counter() - start) * 1e3
        return result

    def loaded():
        model = Lite0().eval()
        model.load_state_dict(torch.load(weights, map_location="cpu"))
        return GradCAM(model, [model.features])

    def prepared(frame):
        small = cv2.cvtColor(cv2.resize(frame, (224, 224), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        return torch.from_numpy((numpy.float32(small) - 127) / 128).permute(2, 0, 1)[None]

    def painted_frame(frame, heat):
        return show_cam_on_image(numpy.float32(frame) / 255, cv2.resize(heat, (width, height)), use_rgb=False)

    explain = timed("load", loaded)
    while True:
        there, frame = timed("decode", source.read)
        if not there:
            break
        x = timed("prepare", lambda: prepared(frame))
        # No target named: the best class of each frame.
        heat = timed("explain", lambda: explain(x, None)[0])
        picture = timed("paint", lambda: painted_frame(frame, heat))
        timed("encode", lambda: writer.write(picture))
        frames += 1
    writer.release()
    return {part: taken / frames for part, taken in parts.items()}


def annotated(model, video, output, threads):
    """The same by our program: milliseconds a frame."""
    command = ["target/release/gradcam", "annotate", video, output, "--model", model, "--threads", str(threads), "--no-audio"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    frames, seconds = re.search(r"(\d+) frames in ([\d.]+) s", said).groups()
    return float(seconds) * 1e3 / int(frames), int(frames)


def without(video, frames, encoder):
    """GStreamer's part of that: milliseconds a frame to read the video, and to write it again where an encoder is named."""
    start = time.perf_counter()
    command = f"gst-launch-1.0 -q filesrc location={video} ! decodebin ! videoconvert ! {encoder}fakesink"
    subprocess.run(command.split(), check=True)
    return (time.perf_counter() - start) * 1e3 / frames


def filming(weights, model, video):
    """On one core with one thread, and on two with two."""
    x264 = "x264enc pass=qual quantizer=20 speed-preset=superfast option-string=bframes=0:mbtree=1:rc-lookahead=10:weightp=1 ! "
    print(f"\n{f'{os.path.basename(video)}, ms a frame':<34} {'cores':>7} {'whole':>10} {'frames/s':>13} {'ratio':>7}  parts")
    everywhere = os.sched_getaffinity(0)
    folder = tempfile.mkdtemp()
    try:
        for cores in (1, 2):
            os.sched_setaffinity(0, sorted(everywhere)[:cores])
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(annotated(model, video, f"{folder}/ours.mp4", cores))
                theirs.append(script(weights, video, f"{folder}/theirs.mp4", cores))
            whole, frames = min(ours)
            other = min(theirs, key=lambda parts: sum(parts.values()))
            slow = sum(other.values())
            named = ", ".join(f"{part} {taken:.1f}" for part, taken in other.items())
            print(f"{'OpenCV and pytorch-grad-cam':<34} {cores:>7} {slow:>10.2f} {1e3 / slow:>13.1f} {slow / whole:>7.1f}  {named}")
            read, both = (min(without(video, frames, encoder) for _ in range(ROUNDS)) for encoder in ("", x264))
            print(
                f"{'gradcam annotate':<34} {cores:>7} {whole:>10.2f} {1e3 / whole:>13.1f} {'':>7}"
                f"  decode {read:.1f}, decode and encode {both:.1f}, the rest {whole - both:.1f}"
            )
    finally:
        os.sched_setaffinity(0, everywhere)
        shutil.rmtree(folder)


def main():
    warnings.filterwarnings("ignore")
    weights, model, video = sys.argv[1:]
    explaining(weights)
    painting()
    filming(weights, model, video)


if __name__ == "__main__":
    main()
