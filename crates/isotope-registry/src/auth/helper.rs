//! Credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere. `get` reads a host from stdin and
//! prints `{"Username": …, "Secret": …}` (github.com/docker/docker-credential-helpers, README).

use super::Login;
use crate::{Place, RegistryError};
use isotope_sys::command::{CommandError, Tool};
use std::path::Path;

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What a helper answers when it knows nothing of the host.
const NOT_FOUND: &str = "credentials not found";

/// A user's name that says that the secret is an identity token.
const TOKEN: &str = "<token>";

/// Asks a helper. Its name comes from the auth file `file`.
pub(super) fn ask(
    helper: &str,
    place: &Place,
    file: &Path,
    home: Option<&Path>,
) -> Result<Option<Login>, RegistryError> {
    let named = !helper.is_empty() && helper.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !named {
        let why = format!("`{helper}` is no name of a credential helper");
        return Err(RegistryError::AuthFile { file: file.to_owned(), why });
    }
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| RegistryError::Helper {
        file: file.to_owned(),
        helper: helper.to_owned(),
        host: place.host().to_owned(),
        source,
    };
    let mut tool = Tool::new(format!("docker-credential-{helper}")).arg("get").stdin(place.host());
    if let Some(home) = home {
        tool = tool.env("HOME", home);
    }
    let output = match tool.ok_codes(&[0, 1]).run() {
        Err(error @ CommandError::Missing { .. }) => return Err(failed(error.into())),
        other => other.map_err(|error| failed(error.into()))?,
    };
    if output.text().contains(NOT_FOUND) {
        return Ok(None);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(&output.stdout) else {
        return Err(failed(
            format!("it answers what is no JSON with Username and Secret{}", said(&output.stderr_tail)).into(),
        ));
    };
    Ok(Some(if answer.username == TOKEN {
        Login::Identity(answer.secret)
    } else {
        Login::Password { user: answer.username, password: answer.secret }
    }))
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(", and says: {stderr}") }
}
