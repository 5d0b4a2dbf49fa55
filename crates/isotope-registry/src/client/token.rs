//! Tokens (the distribution project's "Token Authentication Specification"): the registry names a server, that gives a token for what
//! is to be done, and the registry takes it as `Authorization: Bearer`.

use super::{Access, Ask, Client, Payload, unexpected};
use crate::RegistryError;
use crate::auth::{Challenge, Login};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::io::Read as _;
use ureq::http::Method;

/// More than any token has.
const LONGEST_ANSWER: u64 = 1 << 20;

#[derive(serde::Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The value of `Authorization` for a user and a password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Client {
    /// Gets a token from the server that a challenge names: the value of `Authorization`.
    pub(super) fn token(
        &self,
        challenge: &Challenge,
        login: Option<&Login>,
        ask: &Ask<'_>,
    ) -> Result<String, RegistryError> {
        let denied = |why: String| RegistryError::Denied { at: ask.at.clone(), deed: ask.access.deed(), why };
        let parameter = |name: &str| challenge.parameters.get(name).map(String::as_str);
        let realm =
            parameter("realm").ok_or_else(|| denied("it wants a token, and names no server for it".to_owned()))?;
        let plain = self.place.scheme() == crate::Scheme::Http && realm.starts_with("http://");
        if !plain && !realm.starts_with("https://") {
            return Err(denied(format!("it wants a token of {realm}, and credentials go over HTTPS only")));
        }
        let own = match ask.access {
            Access::Read => format!("repository:{}:pull", self.place.repository()),
            Access::Write => format!("repository:{}:pull,push", self.place.repository()),
        };
        let mut form = String::new();
        let mut add = |name: &str, value: &str| {
            let sign = if form.is_empty() { "" } else { "&" };
            write!(form, "{sign}{name}={}", encode(value)).unwrap_or_default();
        };
        if let Some(service) = parameter("service") {
            add("service", service);
        }
        add("scope", parameter("scope").unwrap_or(&own));
        let wanted = match login {
            Some(Login::Identity(token)) => {
                add("grant_type", "refresh_token");
                add("client_id", "isotope");
                add("refresh_token", token);
                Ask::new(Method::POST, realm.to_owned(), ask.access, ask.at)
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .payload(Payload::Bytes(form.as_bytes()))
            }
            login => {
                let sign = if realm.contains('?') { '&' } else { '?' };
                let get = Ask::new(Method::GET, format!("{realm}{sign}{form}"), ask.access, ask.at);
                match login {
                    Some(Login::Password { user, password }) => get.header("Authorization", basic(user, password)),
                    _ => get,
                }
            }
        };
        let response = self.send_plain(&wanted)?;
        if !response.status().is_success() {
            let status = response.status();
            return Err(if status.is_client_error() {
                let whom = login.map_or_else(|| "nobody".to_owned(), |login| format!("{login:?}"));
                denied(format!("{realm} gives {whom} no token: {}", super::message(response)))
            } else {
                unexpected(ask, response)
            });
        }
        let mut bytes = Vec::new();
        response
            .into_body()
            .into_reader()
            .take(LONGEST_ANSWER)
            .read_to_end(&mut bytes)
            .map_err(|error| super::unreachable(ask.at, 1, error))?;
        let answer: Option<Answer> = serde_json::from_slice(&bytes).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token)).filter(|token| is_token(token));
        token.map(|token| format!("Bearer {token}")).ok_or_else(|| denied(format!("{realm} answers without a token")))
    }
}

/// What may stand in a header.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// For a query or a form.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(encode("repository:a/b:pull,push ~"), "repository%3Aa%2Fb%3Apull%2Cpush%20~");
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(is_token("abc.def-_=") && !is_token("a b") && !is_token("a\r\nb") && !is_token(""));
    }
}
