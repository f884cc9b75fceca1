//! Numbers and sizes as options, metadata and sidecars spell them.

/// `0.485,0.456,0.406`; whether they suit is for [`Spec::resolve`](super::Spec::resolve). The error is a reason without the option's name.
pub fn parse_numbers(text: &str) -> Result<Vec<f32>, String> {
    let number = |word: &str| word.trim().parse().map_err(|_| format!("{:?} is not a number", word.trim()));
    text.split(',').map(number).collect()
}

/// `WIDTHxHEIGHT` in pixels, neither of them 0; the error is a reason without the option's name.
pub fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let side = |text: &str| text.trim().parse().ok().filter(|&n: &usize| n > 0);
    let sides = text.split_once(['x', 'X']).and_then(|(width, height)| Some((side(width)?, side(height)?)));
    sides.ok_or_else(|| "expected width x height in pixels, as in \"224x224\"".into())
}

/// What [`parse_numbers`] reads back.
pub(super) fn join(list: &[f32]) -> String {
    list.iter().map(f32::to_string).collect::<Vec<_>>().join(",")
}
