//! The enumerations among the properties: the library's tables as GObject knows them.

use gst::glib;

use crate::{cam, engine, prep, render};

/// An enumeration of the library as GObject knows it, one row a value.
macro_rules! enumeration {
    (
        $(#[$doc:meta])* $name:ident = $type_name:literal, $target:ty:
        $($(#[$default:meta])? $variant:ident, $nick:literal, $text:literal => $value:expr;)+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
        #[repr(i32)]
        #[enum_type(name = $type_name)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$default])? #[enum_value(nick = $nick, name = $text)] $variant,)+
        }

        impl From<$name> for $target {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $value,)+
                }
            }
        }
    };
}

enumeration! {
    /// Values of the property `method`.
    Method = "GstGradCamMethod", cam::Method:
    #[default] Auto, "auto", "Grad-CAM where every operator has a gradient rule, else Recipro-CAM" => cam::Method::Auto;
    GradCam, "gradcam", "Grad-CAM (Selvaraju et al. 2017): any network" => cam::Method::GradCam;
    GradCamPp, "gradcampp", "Grad-CAM++ (Chattopadhay et al. 2018): several objects of a class" => cam::Method::GradCamPp;
    HiResCam, "hirescam", "HiResCAM (Draelos and Carin 2020): gradient times activation, place by place" => cam::Method::HiResCam;
    LayerCam, "layercam", "LayerCAM (Jiang et al. 2021): positive gradients, for early layers" => cam::Method::LayerCam;
    XGradCam, "xgradcam", "XGrad-CAM (Fu et al. 2020): gradients weighed by activations" => cam::Method::XGradCam;
    EigenCam, "eigencam", "Eigen-CAM (Muhammad and Yeasin 2020): principal component, the same for every class" => cam::Method::EigenCam;
    Cam, "cam", "CAM (Zhou et al. 2016): global average pooling and one linear layer" => cam::Method::Cam;
    GuidedGradCam, "guided-gradcam", "Guided Grad-CAM (Selvaraju et al. 2017): pixel by pixel" => cam::Method::GuidedGradCam;
    Counterfactual, "counterfactual", "Grad-CAM of the negated gradient: what speaks against the class" => cam::Method::Counterfactual;
    Recipro, "recipro", "Recipro-CAM (Byun and Lee 2022): no gradient, the head is run once a place" => cam::Method::Recipro;
}

enumeration! {
    /// Values of the property `score-kind`.
    ScoreKind = "GstGradCamScoreKind", cam::ScoreKind:
    #[default] Auto, "auto", "What the model's graph shows" => cam::ScoreKind::Auto;
    Classes, "classes", "One score a class" => cam::ScoreKind::Classes;
    Binary, "binary", "One score for two classes" => cam::ScoreKind::Binary;
    Segmentation, "segmentation", "A score for each class in each place" => cam::ScoreKind::Segmentation;
    Detection, "detection", "Boxes with scores, as YOLO gives them" => cam::ScoreKind::Detection;
}

enumeration! {
    /// Values of the property `execution-provider`.
    ExecutionProvider = "GstGradCamExecutionProvider", engine::Provider:
    #[default] Auto, "auto", "The first that works: the plugin, if one is named, TensorRT, CUDA, OpenVINO, the CPU" => engine::Provider::Auto;
    TensorRt, "tensorrt", "NVIDIA GPUs, through TensorRT" => engine::Provider::TensorRt;
    Cuda, "cuda", "NVIDIA GPUs, operator by operator" => engine::Provider::Cuda;
    OpenVino, "openvino", "Intel's CPUs, GPUs and NPUs" => engine::Provider::OpenVino;
    Cpu, "cpu", "ONNX Runtime's own operators" => engine::Provider::Cpu;
    Plugin, "plugin", "The library that provider-library names" => engine::Provider::Plugin;
}

enumeration! {
    /// Values of the property `precision`.
    Precision = "GstGradCamPrecision", engine::Precision:
    #[default] Fp32, "fp32", "As the model says" => engine::Precision::Fp32;
    Fp16, "fp16", "float16, where the provider finds it faster" => engine::Precision::Fp16;
    Bf16, "bf16", "bfloat16, where the provider finds it faster" => engine::Precision::Bf16;
}

enumeration! {
    /// Values of the property `preprocess`.
    Preprocess = "GstGradCamPreprocess", prep::Preprocess:
    #[default] Auto, "auto", "The model's metadata, else MODEL.modelinfo, else as ImageNet" => prep::Preprocess::Auto;
    Imagenet, "imagenet", "ImageNet's mean and deviation" => prep::Preprocess::Imagenet;
    ZeroOne, "zero-one", "0 to 1" => prep::Preprocess::ZeroOne;
    MinusOneOne, "minus-one-one", "-1 to 1" => prep::Preprocess::MinusOneOne;
    Raw, "raw", "0 to 255, as it is" => prep::Preprocess::Raw;
}

enumeration! {
    /// Values of the property `color-format`.
    ColorFormat = "GstGradCamColorFormat", Option<prep::ColorFormat>:
    #[default] Auto, "auto", "The model's metadata, else RGB" => None;
    Rgb, "rgb", "Red, green, blue" => Some(prep::ColorFormat::Rgb);
    Bgr, "bgr", "Blue, green, red" => Some(prep::ColorFormat::Bgr);
    Gray, "gray", "One channel" => Some(prep::ColorFormat::Gray);
}

enumeration! {
    /// Values of the property `resize-mode`.
    ResizeMode = "GstGradCamResizeMode", Option<prep::ResizeMode>:
    #[default] Auto, "auto", "The model's metadata, else its usual fit" => None;
    Crop, "crop", "The middle of the frame" => Some(prep::ResizeMode::Crop);
    Stretch, "stretch", "The whole frame, its shape changed" => Some(prep::ResizeMode::Stretch);
    Letterbox, "letterbox", "The whole frame, with bars" => Some(prep::ResizeMode::Letterbox);
    FullFrame, "full-frame", "The whole frame at its own proportions" => Some(prep::ResizeMode::FullFrame);
}

enumeration! {
    /// Values of the property `colormap`.
    Colormap = "GstGradCamColormap", Option<render::Colormap>:
    #[default] Auto, "auto", "jet; where signed=true blue-red" => None;
    Jet, "jet", "Blue, green, yellow, red" => Some(render::Colormap::Jet);
    Turbo, "turbo", "A smoother jet" => Some(render::Colormap::Turbo);
    Viridis, "viridis", "Even steps, violet to yellow" => Some(render::Colormap::Viridis);
    Inferno, "inferno", "Even steps, black to yellow" => Some(render::Colormap::Inferno);
    Magma, "magma", "Even steps, black to white" => Some(render::Colormap::Magma);
    Gray, "gray", "Black to white" => Some(render::Colormap::Gray);
    BlueRed, "blue-red", "What speaks against in blue, what speaks for in red" => Some(render::Colormap::BlueRed);
    PurpleOrange, "purple-orange", "What speaks against in purple, what speaks for in orange" => Some(render::Colormap::PurpleOrange);
}

enumeration! {
    /// Values of the property `output-mode`.
    OutputMode = "GstGradCamOutputMode", render::OutputMode:
    #[default] Overlay, "overlay", "The map over the picture" => render::OutputMode::Overlay;
    Heatmap, "heatmap", "The map alone" => render::OutputMode::Heatmap;
    SideBySide, "side-by-side", "The picture on the left, the map over it on the right: twice the width" => render::OutputMode::SideBySide;
    Mask, "mask", "The picture, darkened where it did not matter" => render::OutputMode::Mask;
    Contour, "contour", "The outline of what lies above the threshold" => render::OutputMode::Contour;
    None, "none", "The picture as it is; messages and metas tell of the map" => render::OutputMode::None;
}

enumeration! {
    /// Values of the property `alpha-mode`: on video, opacity that goes with the heat leaves quiet frames as they are.
    AlphaMode = "GstGradCamAlphaMode", render::AlphaMode:
    Constant, "constant", "The same everywhere" => render::AlphaMode::Constant;
    #[default] Heat, "heat", "From nothing where there is no heat to alpha where it is full" => render::AlphaMode::Heat;
}

enumeration! {
    /// Values of the property `smooth`.
    Smooth = "GstGradCamSmooth", render::Smooth:
    #[default] Bilinear, "bilinear", "Straight lines" => render::Smooth::Bilinear;
    Bicubic, "bicubic", "Cubic splines" => render::Smooth::Bicubic;
    Nearest, "nearest", "Nothing: the map's cells are seen" => render::Smooth::Nearest;
}

enumeration! {
    /// Values of the property `label-position`.
    LabelPosition = "GstGradCamLabelPosition", render::Corner:
    #[default] TopLeft, "top-left", "Upper left" => render::Corner::TopLeft;
    TopRight, "top-right", "Upper right" => render::Corner::TopRight;
    BottomLeft, "bottom-left", "Lower left" => render::Corner::BottomLeft;
    BottomRight, "bottom-right", "Lower right" => render::Corner::BottomRight;
}

enumeration! {
    /// Values of the property `normalization`.
    Normalization = "GstGradCamNormalization", render::Normalization:
    #[default] Running, "running", "What the class's maps have reached lately: quiet and doubtful frames stay pale" => render::Normalization::Running;
    Frame, "frame", "The map's own largest value: each frame has all colours" => render::Normalization::Frame;
    Score, "score", "The map's own largest value where the class is certain: heat goes with the score" => render::Normalization::Score;
    None, "none", "1, whatever the maps reach" => render::Normalization::None;
}
