"""Where a classifier looks, told to a Python program: watch.py MODEL.onnx [SOURCE]

SOURCE is the beginning of a pipeline as gst-launch-1.0 takes it, such as "v4l2src" or "filesrc location=in.mp4 ! decodebin".
"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
model, source = (sys.argv[1:] + ["videotestsrc num-buffers=60"])[:2]
pipeline = Gst.parse_launch(f"{source} ! videoconvert ! gradcam name=gradcam post-messages=true message-interval=0 ! fakesink")
pipeline.get_by_name("gradcam").set_property("model", model)
pipeline.set_state(Gst.State.PLAYING)
wanted = Gst.MessageType.ELEMENT | Gst.MessageType.ERROR | Gst.MessageType.EOS
while True:
    message = pipeline.get_bus().timed_pop_filtered(Gst.SECOND, wanted)
    if message and message.type == Gst.MessageType.ERROR:
        sys.exit(message.parse_error()[0].message)
    if message and message.type == Gst.MessageType.EOS:
        break
    seen = message and message.get_structure()
    if seen and seen.get_name() == "gradcam" and seen.get_value("annotated"):
        at = seen.get_value("timestamp") / Gst.SECOND
        print(f"{at:8.3f} s  {seen.get_value('score'):6.1%}  {seen.get_value('label')}", flush=True)
pipeline.set_state(Gst.State.NULL)
