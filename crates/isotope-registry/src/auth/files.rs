//! The container tools' auth files (containers-auth.json(5), and Docker's config.json): which credentials a repository has.

use super::helper;
use crate::{Place, RegistryError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What proves to a registry who we are. Shows nothing of it when printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A user and a password.
    Password { user: String, password: String },
    /// A token that buys tokens (OAuth 2.0's refresh token).
    Identity(String),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "user {user}"),
            Self::Identity(_) => write!(f, "an identity token"),
        }
    }
}

/// Where credentials are looked for. Files are read when a registry asks for them.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// This one alone, and it must be there.
    only: Option<PathBuf>,
    /// Else the first of these that has any.
    files: Vec<PathBuf>,
    /// Where credential helpers find what is theirs.
    home: Option<PathBuf>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

/// Other tools keep other things there, which are none of our business.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// The places of containers-auth.json(5): `REGISTRY_AUTH_FILE`, else `XDG_RUNTIME_DIR/containers/auth.json`
    /// (`/run/containers/UID/auth.json`), `XDG_CONFIG_HOME/containers/auth.json`, and Docker's `config.json`.
    #[must_use]
    pub fn from_environment(env: &BTreeMap<String, String>) -> Self {
        let dir = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = dir("HOME");
        let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
        let uid = rustix::process::getuid().as_raw();
        let runtime = dir("XDG_RUNTIME_DIR").map(|dir| dir.join("containers"));
        let files = [
            Some(runtime.unwrap_or_else(|| PathBuf::from(format!("/run/containers/{uid}"))).join("auth.json")),
            dir("XDG_CONFIG_HOME").or_else(|| below_home(".config")).map(|dir| dir.join("containers/auth.json")),
            dir("DOCKER_CONFIG").or_else(|| below_home(".docker")).map(|dir| dir.join("config.json")),
        ];
        Self { only: dir("REGISTRY_AUTH_FILE"), files: files.into_iter().flatten().collect(), home }
    }

    /// From one file, and no other.
    #[must_use]
    pub fn from_file(file: impl Into<PathBuf>) -> Self {
        Self { only: Some(file.into()), files: Vec::new(), home: None }
    }

    /// Looks for the credentials of a repository: the first file that has any, and in it the longest name that fits.
    ///
    /// # Errors
    /// A file is there but cannot be read or understood, or a credential helper fails.
    pub(crate) fn of(&self, place: &Place) -> Result<Option<Login>, RegistryError> {
        for file in self.only.iter().chain(if self.only.is_some() { &[][..] } else { &self.files }) {
            let Some(auths) = read(file, self.only.is_some())? else { continue };
            let helper = auths.cred_helpers.get(place.host());
            if let Some(helper) = helper {
                return helper::ask(helper, place, file, self.home.as_deref());
            }
            if let Some(login) =
                find(&auths.auths, place).map(login).transpose().map_err(|why| wrong(file, why))?.flatten()
            {
                return Ok(Some(login));
            }
            if let Some(helper) = &auths.creds_store
                && let Some(login) = helper::ask(helper, place, file, self.home.as_deref())?
            {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    /// The files, for messages.
    pub(crate) fn describe(&self) -> String {
        let files = self.only.iter().chain(if self.only.is_some() { &[][..] } else { &self.files });
        files.map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn wrong(file: &Path, why: impl ToString) -> RegistryError {
    RegistryError::AuthFile { file: file.to_owned(), why: why.to_string() }
}

fn read(file: &Path, must: bool) -> Result<Option<AuthFile>, RegistryError> {
    match std::fs::read(file) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(Some(AuthFile::default())),
        // The error of serde_json tells line and column, and nothing of what is there.
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| wrong(file, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must => Ok(None),
        Err(error) => Err(wrong(file, error)),
    }
}

/// The entry with the longest name that is the repository's host, or the beginning of its path.
fn find<'a>(auths: &'a BTreeMap<String, Auth>, place: &Place) -> Option<&'a Auth> {
    let full = place.to_string();
    let fits = |name: &str| full == name || full.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    let best = auths.iter().filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len());
    // Docker writes URLs (`https://HOST/v1/`), which stand for the host.
    let host = |name: &str| {
        let rest = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"))?;
        rest.split('/').next().map(str::to_owned)
    };
    let docker = || auths.iter().find(|(name, _)| host(name).as_deref() == Some(place.host()));
    best.or_else(docker).map(|(_, auth)| auth)
}

/// None where the entry is empty: Docker leaves such where a helper keeps the secret.
fn login(auth: &Auth) -> Result<Option<Login>, &'static str> {
    if let Some(token) = auth.identitytoken.as_ref().filter(|token| !token.is_empty()) {
        return Ok(Some(Login::Identity(token.clone())));
    }
    if let Some(encoded) = auth.auth.as_ref().filter(|encoded| !encoded.is_empty()) {
        const EXPECTED: &str = "an `auth` in it is not base64 of USER:PASSWORD";
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| EXPECTED)?;
        let text = String::from_utf8(bytes).map_err(|_| EXPECTED)?;
        let (user, password) = text.split_once(':').ok_or(EXPECTED)?;
        // Docker pads with zeros.
        let password = password.trim_end_matches('\0').to_owned();
        return Ok(Some(Login::Password { user: user.to_owned(), password }));
    }
    Ok(match (&auth.username, &auth.password) {
        (Some(user), Some(password)) => Some(Login::Password { user: user.clone(), password: password.clone() }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, place: &str) -> Result<Option<Login>, RegistryError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        std::fs::write(&path, file).unwrap();
        Credentials::from_file(path).of(&Place::parse(place).unwrap())
    }

    fn user(name: &str) -> Option<Login> {
        Some(Login::Password { user: name.to_owned(), password: format!("{name}:pw") })
    }

    fn entry(name: &str) -> String {
        format!("{{\"auth\": \"{}\"}}", STANDARD.encode(format!("{name}:{name}:pw")))
    }

    #[test]
    fn the_longest_name_wins() {
        let file = format!(
            "{{\"auths\": {{\"r.example\": {}, \"r.example/a\": {}, \"r.example/a/b\": {}, \"https://d.example/v1/\": {}, \
             \"e.example\": {{}}, \"n.example\": {{\"username\": \"n\", \"password\": \"n:pw\"}}}}, \"other\": 1}}",
            entry("host"),
            entry("a"),
            entry("b"),
            entry("docker")
        );
        for (place, expected) in [
            ("r.example/x", user("host")),
            ("r.example/ab", user("host")),
            ("r.example/a", user("a")),
            ("r.example/a/c", user("a")),
            ("r.example/a/b", user("b")),
            ("r.example/a/b/c/d", user("b")),
            ("r.example:443/a", None),
            ("sub.r.example/a", None),
            ("d.example/any", user("docker")),
            ("e.example/a", None),
            ("n.example/a", user("n")),
        ] {
            assert_eq!(of(&file, place).unwrap(), expected, "{place}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_secrets() {
        for (file, why) in [
            ("{\"auths\": {\"r.example\": {\"auth\": \"c2VjcmV0\"}}}", "not base64 of USER:PASSWORD"),
            ("{\"auths\": {\"r.example\": {\"auth\": \"%%\"}}}", "not base64"),
            ("{\"auths\": ", "line 1"),
        ] {
            let error = of(file, "r.example/a").unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("auth.json"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(of("", "r.example/a").unwrap(), None);
        let none = Credentials::from_file("/nonexistent/auth.json").of(&Place::parse("r.example/a").unwrap());
        assert!(none.unwrap_err().to_string().contains("/nonexistent/auth.json"));
        assert_eq!(format!("{:?}", user("u")), "Some(user u)");
    }

    #[test]
    fn files_are_looked_for_where_the_tools_write_them() {
        let env = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let described = |pairs: &[(&str, &str)]| Credentials::from_environment(&env(pairs)).describe();
        assert_eq!(described(&[("REGISTRY_AUTH_FILE", "/x"), ("HOME", "/h")]), "/x");
        assert_eq!(
            described(&[("XDG_RUNTIME_DIR", "/r"), ("HOME", "/h")]),
            "/r/containers/auth.json, /h/.config/containers/auth.json, /h/.docker/config.json"
        );
        assert_eq!(
            described(&[("XDG_RUNTIME_DIR", "/r"), ("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "/d"), ("HOME", "/h")]),
            "/r/containers/auth.json, /c/containers/auth.json, /d/config.json"
        );
    }

    #[test]
    fn a_helper_that_is_not_there_is_named() {
        let file = "{\"credHelpers\": {\"r.example\": \"no-such-helper\"}}";
        let error = of(file, "r.example/a").unwrap_err();
        assert!(error.to_string().contains("docker-credential-no-such-helper"), "{error}");
        assert_eq!(of(file, "s.example/a").unwrap(), None);
        let error = of("{\"credsStore\": \"../evil\"}", "r.example/a").unwrap_err();
        assert!(error.to_string().contains("is no name of a credential helper"), "{error}");
    }
}
