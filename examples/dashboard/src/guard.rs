//! Who may ask: the token, and what keeps other sites' pages from asking in a viewer's name.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Result;
use crate::api::Refusal;

const COOKIE_NAME: &str = "gradcam-token";

/// What a request must bear.
#[derive(Debug, Clone)]
pub struct Guard {
    token: Option<Arc<str>>,
}

impl Guard {
    /// An address that others reach needs a token.
    pub fn new(bind: SocketAddr, token: Option<String>) -> Result<Guard> {
        if let Some(token) = &token {
            if token.is_empty() || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
                return Err("--token must be made of letters, digits and - . _ ~".into());
            }
        } else if !bind.ip().is_loopback() {
            return Err(format!(
                "--bind {bind} lets others look at the cameras; give --token a word that they must know, or bind 127.0.0.1"
            ));
        }
        Ok(Guard { token: token.map(Arc::from) })
    }

    fn is_token(&self, given: &str) -> bool {
        self.token.as_deref().is_some_and(|token| {
            // As long for the first wrong letter as for the last.
            token.len() == given.len() && token.bytes().zip(given.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
        })
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let bearer = text(AUTHORIZATION).strip_prefix("Bearer ");
        let mut cookies = text(COOKIE).split("; ").filter_map(|pair| pair.split_once('='));
        let cookie = cookies.find_map(|(name, value)| (name == COOKIE_NAME).then_some(value));
        bearer.or(cookie).is_some_and(|given| self.is_token(given))
    }
}

/// Lets a request through, or answers it.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Err(refusal) = own_page(request.method(), headers) {
        return refusal.into_response();
    }
    if guard.token.is_none() {
        // Another site's name that leads here is another site's page (DNS rebinding).
        return match host(headers) {
            Some(host) if is_loopback(host) => next.run(request).await,
            _ => Refusal(StatusCode::FORBIDDEN, "this dashboard answers to localhost only".into()).into_response(),
        };
    }
    if let Some(given) = asked_for(request.uri()) {
        return if guard.is_token(given) {
            let cookie = format!("{COOKIE_NAME}={given}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000");
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie.as_str()), (LOCATION, "/")]).into_response()
        } else {
            Refusal(StatusCode::UNAUTHORIZED, "this is not the token".into()).into_response()
        };
    }
    if guard.admits(headers) {
        return next.run(request).await;
    }
    Refusal(StatusCode::UNAUTHORIZED, "the token is missing; open /?token=TOKEN".into()).into_response()
}

/// The token of `GET /?token=TOKEN`.
fn asked_for(uri: &Uri) -> Option<&str> {
    let query = uri.query().filter(|_| uri.path() == "/")?;
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What changes something, and sockets, which browsers open across sites, are for pages from here.
fn own_page(method: &Method, headers: &HeaderMap) -> std::result::Result<(), Refusal> {
    let socket = headers.contains_key("upgrade");
    let Some(origin) = headers.get(ORIGIN).filter(|_| socket || *method != Method::GET) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let from = origin.split_once("://").map(|(_, host)| host);
    if from.is_some() && from == host(headers) {
        return Ok(());
    }
    Err(Refusal(StatusCode::FORBIDDEN, format!("a page from {origin} may not ask for this")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let wide: SocketAddr = "0.0.0.0:8090".parse().unwrap();
        assert!(Guard::new(wide, None).unwrap_err().contains("--token"));
        assert!(Guard::new(wide, Some("secret".into())).is_ok() && Guard::new(wide, Some("a b".into())).is_err());
        assert!(Guard::new("[::1]:0".parse().unwrap(), None).is_ok());
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let guard = Guard::new("127.0.0.1:0".parse().unwrap(), Some("secret".into())).unwrap();
        assert!(guard.is_token("secret"));
        for wrong in ["", "secre", "secrets", "Secret"] {
            assert!(!guard.is_token(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_this_machine_are_known() {
        for own in ["localhost", "localhost:8090", "127.0.0.1:1", "[::1]:8090", "127.1.2.3"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["example.org", "127.0.0.1.example.org:80", "10.0.0.1", "localhost.example.org", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
