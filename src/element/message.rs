//! The crate's errors as messages on the bus: which domain and code, our sentence first.

use gst::prelude::*;
use gst::{ElementMessageType, LibraryError, ResourceError, StreamError};

use crate::error::Error;

enum Code {
    Resource(ResourceError),
    Library(LibraryError),
    Stream(StreamError),
}

fn code(error: &Error) -> Code {
    match error {
        Error::NoModel { .. } | Error::ModelNotFound { .. } => Code::Resource(ResourceError::NotFound),
        Error::ModelUnreadable { .. } | Error::Labels { .. } => Code::Resource(ResourceError::OpenRead),
        Error::ModelDamaged { .. }
        | Error::ModelUnusable { .. }
        | Error::Unsupported { .. }
        | Error::NoRule { .. }
        | Error::Layer { .. }
        | Error::Target { .. }
        | Error::Setting { .. }
        | Error::Session { .. }
        | Error::SelfCheck { .. } => Code::Resource(ResourceError::Settings),
        Error::Runtime { .. } | Error::Provider { .. } => Code::Library(LibraryError::Init),
        Error::Inference { .. }
        | Error::NotFinite { .. }
        | Error::Interrupted
        | Error::TimeLimit { .. }
        | Error::WorkerLost { .. } => Code::Stream(StreamError::Failed),
        Error::Recording { .. } => Code::Resource(ResourceError::OpenRead),
        Error::Unwritable { full: true, .. } => Code::Resource(ResourceError::NoSpaceLeft),
        Error::Unwritable { .. } => Code::Resource(ResourceError::Write),
        Error::Frame { .. } => Code::Stream(StreamError::Format),
    }
}

/// For a state change that fails. The two-part form, since a lone text would be the part that users do not see.
pub(super) fn failure(error: &Error) -> gst::ErrorMessage {
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    match code(error) {
        Code::Resource(code) => gst::error_msg!(code, ("{text}"), ["{debug}"]),
        Code::Library(code) => gst::error_msg!(code, ("{text}"), ["{debug}"]),
        Code::Stream(code) => gst::error_msg!(code, ("{text}"), ["{debug}"]),
    }
}

/// An ERROR on the bus.
pub(super) fn fail(element: &impl IsA<gst::Element>, error: &Error) {
    element.post_error_message(failure(error));
}

/// How far the model has come.
pub(super) fn progress(element: &impl IsA<gst::Element>, kind: gst::ProgressType, text: &str) {
    let message = gst::message::Progress::builder(kind, "gradcam-load", text).src(element.upcast_ref()).build();
    // Refused only where there is no bus to read it.
    let _ = element.post_message(message);
}

/// A WARNING on the bus: the error's sentence, and what becomes of the video.
pub(super) fn warn(element: &impl IsA<gst::Element>, error: &Error, and_so: &str) {
    warning(element, error, and_so, "gradcam-failed");
}

/// The same about a property that was set while playing and is not taken.
pub(super) fn refuse(element: &impl IsA<gst::Element>, error: &Error, and_so: &str) {
    warning(element, error, and_so, "gradcam-refused");
}

/// By the name of its details programs know what it is about.
fn warning(element: &impl IsA<gst::Element>, error: &Error, and_so: &str, about: &str) {
    let details = Some(gst::Structure::new_empty(about));
    let (text, debug) = (format!("{error}; {and_so}"), format!("{error:?}"));
    match code(error) {
        Code::Resource(code) => post(element, code, &text, &debug, details),
        Code::Library(code) => post(element, code, &text, &debug, details),
        Code::Stream(code) => post(element, code, &text, &debug, details),
    }
}

/// An INFO on the bus; gst-launch-1.0 shows its second part alone.
pub(super) fn tell(element: &impl IsA<gst::Element>, text: &str) {
    let code = ResourceError::Settings;
    element.message_full(ElementMessageType::Info, code, Some(text), Some(text), file!(), module_path!(), line!());
}

/// A WARNING on the bus about how the element is set up.
pub(super) fn remark(element: &impl IsA<gst::Element>, text: &str) {
    post(element, ResourceError::Settings, text, "", None);
}

fn post<C: gst::MessageErrorDomain>(
    element: &impl IsA<gst::Element>,
    code: C,
    text: &str,
    debug: &str,
    details: Option<gst::Structure>,
) {
    let (kind, text, debug) = (ElementMessageType::Warning, Some(text), (!debug.is_empty()).then_some(debug));
    let (file, module, line) = (file!(), module_path!(), line!());
    match details {
        Some(details) => element.message_full_with_details(kind, code, text, debug, file, module, line, details),
        None => element.message_full(kind, code, text, debug, file, module, line),
    }
}
