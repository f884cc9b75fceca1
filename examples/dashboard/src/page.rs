//! The page: files that lie in the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

use crate::api::Refusal;

static PAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/page");

/// What each kind of file is.
const KINDS: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// Whatever is no part of the API is a file of the page.
pub async fn file(uri: Uri) -> Response {
    let path = Some(uri.path().trim_start_matches('/')).filter(|path| !path.is_empty()).unwrap_or("index.html");
    let found = PAGE.get_file(path).and_then(|file| {
        let extension = file.path().extension()?.to_str()?;
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == extension)?;
        Some((*kind, file.contents()))
    });
    match found {
        Some((kind, contents)) => ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], contents).into_response(),
        None => Refusal(StatusCode::NOT_FOUND, format!("there is no {}", uri.path())).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_can_be_sent() {
        let mut open = vec![&PAGE];
        while let Some(folder) = open.pop() {
            open.extend(folder.dirs());
            for file in folder.files() {
                let extension = file.path().extension().and_then(|extension| extension.to_str());
                assert!(KINDS.iter().any(|(known, _)| Some(*known) == extension), "{:?}", file.path());
            }
        }
        assert!(PAGE.get_file("index.html").is_some());
    }
}
