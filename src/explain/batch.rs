//! The model for several pictures at a time, from the one that is pinned to one picture.

use super::probe::{MAX_BATCH, MAX_PIXELS, Picture, measure, set_shape};
use super::sessions::Sessions;
use crate::error::{Error, Result};
use crate::onnx::{Facts, Model, keeper, rebatch};

/// The model for so many pictures at a time, if they are more than one, from the model that is pinned to one; its input, and what was
/// measured.
pub(super) fn several(
    model: &Model,
    mut picture: Picture,
    count: usize,
    sessions: &Sessions,
) -> Result<(Option<Model>, Picture, Facts)> {
    let refuse = |why: String| Error::Setting { name: "batch-size", value: count.to_string(), why };
    let pixels = picture.size.0 * picture.size.1;
    if !(1..=MAX_BATCH).contains(&count) || count * pixels > MAX_PIXELS {
        let most = MAX_BATCH.min(MAX_PIXELS / pixels.max(1));
        return Err(refuse(format!("1 to {most} pictures of this size at a time are supported")));
    }
    let one = measure(model, &picture, sessions)?;
    if count == 1 {
        return Ok((None, picture, one));
    }
    let fixed = |why: String| {
        refuse(format!(
            "the model takes one picture at a time: {why}; export it with a dynamic batch size, or leave batch-size at 1"
        ))
    };
    picture.shape[0] = count;
    let attempt = |computed: bool| {
        let mut made = rebatch(model, &one, &picture.name, count, computed).map_err(fixed)?;
        set_shape(&mut made, &picture, &picture.shape);
        match measure(&made, &picture, sessions) {
            Ok(facts) => Ok((made, facts)),
            Err(Error::Session { why } | Error::ModelUnusable { why }) => {
                Err(fixed(keeper(&made, &one, &picture.name, &why)))
            }
            Err(other) => Err(other),
        }
    };
    let (made, facts) = attempt(false).or_else(|error| match error {
        Error::Setting { .. } => attempt(true).map_err(|_| error),
        other => Err(other),
    })?;
    Ok((Some(made), picture, facts))
}
