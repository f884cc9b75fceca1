"""Classifiers of timm (by torch's exporters) and Keras (by tf2onnx): are they explained with no option, and where?

elsewhere.py PROGRAM FOLDER timm|keras [--again] [MODEL...]

Files stay in FOLDER/elsewhere, rows in FOLDER/elsewhere.json; what was explained is not tried again unless --again says so."""

import argparse
import json
import time
from pathlib import Path

from program import Failed, inspect

# A small one of every family of timm, some with fewer blocks than published; the exporter is torch's old one unless "dynamo" says
# that it must be the new one.
TIMM = """
vit_tiny_patch16_224; deit_tiny_distilled_patch16_224; deit3_small_patch16_224 depth=4; vit_small_patch14_reg4_dinov2 img_size=224 depth=4
beit_base_patch16_224 depth=3; vit_relpos_small_patch16_224 depth=4; eva02_tiny_patch14_224 dynamo; vit_tiny_r_s16_p8_224
vit_tiny_patch16_224 img_size=(224,384) depth=4; swin_tiny_patch4_window7_224; swin_s3_tiny_224; swinv2_tiny_window8_256; swinv2_cr_tiny_ns_224
maxvit_rmlp_pico_rw_256; maxvit_tiny_tf_224; coatnet_pico_rw_224; cait_xxs24_224; convit_tiny; coat_lite_tiny; coat_tiny; crossvit_tiny_240
davit_tiny; edgenext_xx_small; efficientformer_l1; efficientformerv2_s0; efficientvit_b0; efficientvit_m0; mixer_s32_224; resmlp_12_224
gmlp_ti16_224; mobilevit_xxs; mobilevitv2_050; mvitv2_tiny; xcit_nano_12_p16_224; volo_d1_224 dynamo; twins_svt_small; twins_pcpvt_small
tnt_s_legacy_patch16_224; tiny_vit_5m_224; pit_ti_224; pit_ti_distilled_224; pvt_v2_b0; nest_tiny; levit_128s; hiera_tiny_224; gcvit_xxtiny
focalnet_tiny_srf; poolformer_s12; caformer_s18; convformer_s18; visformer_tiny; vitamin_small_224; samvit_base_patch16_224 img_size=256 depth=3
sequencer2d_s; botnet26t_256; halonet26t dynamo; lambda_resnet26t; sebotnet33ts_256; mobilenetv4_hybrid_medium; nextvit_small; fastvit_t8; fastvit_sa12
inception_next_tiny; mambaout_femto; repvit_m0_9; iformer_t; shvit_s1; swiftformer_xs; starnet_s1; convmixer_768_32; convnext_atto
convnextv2_atto; repvgg_a0; mobileone_s0; gernet_s; cspresnet50; cspdarknet53; densenet121; dla46_c; dpn48b; tf_efficientnet_b0; mixnet_s
fbnetc_100; tinynet_e; mobilenetv2_050; fasternet_t0; ghostnet_050; ghostnetv2_100; hardcorenas_a; hgnetv2_b0; hrnet_w18_small; lcnet_050
mobilenetv3_small_050; mobilenetv4_conv_small; nfnet_l0; eca_nfnet_l0; rdnet_tiny; regnetx_002; regnety_002; repghostnet_050; res2net50_26w_4s
resnest14d; resnet10t; resnetv2_50; rexnet_100; selecsls42; legacy_seresnet18; skresnet18; tresnet_m; vgg11_bn; ese_vovnet19b_dw; xception41
inception_resnet_v2; inception_v4
"""
# MobileNetV3 has no size of its own. The mean that ConvNeXt takes off becomes an input without a value, by tf2onnx's doing.
KERAS = (
    "MobileNetV2", "EfficientNetB0", "ResNet50V2", "DenseNet121", "NASNetMobile", "ConvNeXtTiny include_preprocessing=False", "Xception",
    "InceptionV3", "MobileNetV3Small input_shape=(224,224,3)", "EfficientNetV2B0",
)  # fmt: skip


def settings(words):
    """A name, and what is given with it: "name one=1 two=(2,2)"."""
    name, *given = words.split()
    return name, {key: eval(value) for key, value in (one.split("=") for one in given)}


def timm(words, path, exporter):
    """An untrained network; what training takes away from zero (biases, last norms of a block, layer scales of 1e-5, behind which
    float32 shows nothing) is taken away from it."""
    import models
    import timm
    import torch

    name, given = settings(words)
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **given).eval()
    for parameter in model.parameters():
        if parameter.min() == parameter.max() and parameter.abs().max() < 1e-2:
            torch.nn.init.normal_(parameter, mean=0.3 if parameter.any() else 0.0, std=0.1)
    size = given.get("img_size", model.default_cfg["input_size"][1:])
    x = torch.randn(1, 3, *(size if isinstance(size, tuple) else (size, size)))
    models.export(model, x, path, exporter)


def keras(words, path, exporter):
    """As keras's own export makes it, batch size free, or by tf2onnx for one picture."""
    import keras
    import numpy as np
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(0)
    name, given = settings(words)
    model = getattr(keras.applications, name)(weights=None, **given)
    shape = (1, *model.input_shape[1:])
    if exporter == "keras":
        model(np.zeros(shape, "float32"))
        model.export(path, format="onnx", verbose=False)
    else:
        run = tf.function(lambda x: model(x, training=False))
        signature = [tf.TensorSpec(shape, tf.float32, name="image")]
        tf2onnx.convert.from_function(run, input_signature=signature, opset=17, output_path=path)


def wanted(library):
    """What the row is called, what is built, and the exporter."""
    if library == "keras":
        files = [(words, exporter) for words in KERAS for exporter in ("keras", "tf2onnx")]
    else:
        lines = [line.strip() for line in TIMM.replace("\n", ";").split(";")]
        files = [(line.removesuffix(" dynamo"), "dynamo" if line.endswith(" dynamo") else "torchscript") for line in lines if line]
    return [(f"{words.replace(' ', ':')} {exporter}", words, exporter) for words, exporter in files]


def look(program, path):
    seen = inspect(program, path)
    return {
        "layer": seen["layer"]["tensor"],
        "grid": seen["layer"]["grid"],
        "method": seen["method"],
        "missing": sorted(seen["operators"]["without-rule"]),
        "self-check": seen["self-check"]["text"],
    }


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program")
    words.add_argument("folder", type=Path)
    words.add_argument("library", choices=["timm", "keras"])
    words.add_argument("--again", action="store_true")
    words.add_argument("models", nargs="*")
    asked = words.parse_intermixed_args()
    files = asked.folder / "elsewhere"
    files.mkdir(parents=True, exist_ok=True)
    kept = asked.folder / "elsewhere.json"
    for key, build, exporter in wanted(asked.library):
        rows = json.loads(kept.read_text()) if kept.exists() else {}
        if (asked.models and key.split()[0] not in asked.models) or ("layer" in rows.get(key, {}) and not asked.again):
            continue
        path, began = files / f"{key.replace(' ', '.')}.onnx", time.monotonic()
        try:
            if not path.exists():
                {"timm": timm, "keras": keras}[asked.library](build, path, exporter)
            row = look(asked.program, path)
        except Failed as failed:
            row = {"failed": str(failed)}
        except Exception as error:  # the exporter's, which has many
            path.unlink(missing_ok=True)
            row = {"failed": f"not exported: {(str(error) or repr(error)).splitlines()[0][:90]}"}
        rows = json.loads(kept.read_text()) if kept.exists() else {}
        rows[key] = row | {"library": asked.library}
        kept.write_text(json.dumps(rows, indent=1))
        print(f"{key} {time.monotonic() - began:.0f} s: {json.dumps(row)}", flush=True)


if __name__ == "__main__":
    main()
