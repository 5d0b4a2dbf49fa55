//! A repository in a registry, as people name it: `HOST[:PORT]/REPOSITORY`.

use crate::RegistryError;
use std::fmt;

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption: this machine's own registries, and where `http://` says so.
    Http,
    /// Encrypted.
    Https,
}

/// A repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    scheme: Scheme,
    host: String,
    repository: String,
}

/// The longest name of host and repository together that the specification asks clients to keep to.
const LONGEST: usize = 255;

impl Place {
    /// Reads `[http://|https://|oci://|docker://]HOST[:PORT]/REPOSITORY`. Without a scheme it is HTTPS, but on this machine itself
    /// (`localhost`, `127.0.0.1`, `[::1]`) HTTP.
    ///
    /// # Errors
    /// The host or the repository is not there or cannot be one, or there is a tag or digest.
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        let wrong = |why: &str| RegistryError::Reference { text: text.to_owned(), why: why.to_owned() };
        let (said, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("oci" | "docker", rest)) => (None, rest),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(wrong("only http://, https://, oci:// and docker:// can stand before the host")),
        };
        let (host, repository) = rest
            .split_once('/')
            .ok_or_else(|| wrong("write HOST[:PORT]/REPOSITORY, for example 127.0.0.1:5000/isotope/cache"))?;
        if host.contains('@') {
            return Err(wrong("credentials belong into the auth file of the container tools: see `skopeo login`"));
        }
        let name = host_name(host).ok_or_else(|| wrong("what stands before the first `/` is no HOST[:PORT]"))?;
        if said.is_none() && !host.contains(['.', ':']) && name != "localhost" {
            return Err(wrong(
                "write the registry's host before the repository, for example 127.0.0.1:5000/isotope/cache",
            ));
        }
        let repository = repository.trim_end_matches('/');
        if repository.contains([':', '@']) {
            return Err(wrong("leave out the tag or digest: layers are tagged by their keys"));
        }
        if !repository.split('/').all(is_component) {
            return Err(wrong(
                "a repository is made of parts with lower-case letters and digits, between which `.`, `_`, `__` or `-` may stand",
            ));
        }
        if host.len() + repository.len() >= LONGEST {
            return Err(wrong("host and repository together are longer than 255 characters"));
        }
        let local = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
        let scheme = said.unwrap_or(if local { Scheme::Http } else { Scheme::Https });
        Ok(Self { scheme, host: host.to_owned(), repository: repository.to_owned() })
    }

    /// How it is spoken to.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host, and port if there is one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Whether the registry is on this machine: no proxy leads there.
    #[must_use]
    pub fn is_local(&self) -> bool {
        host_name(&self.host).is_some_and(|name| ["localhost", "127.0.0.1", "[::1]"].contains(&name))
    }

    /// What URLs of the registry begin with: no `/` at its end.
    pub(crate) fn origin(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}", self.host)
    }

    /// The URL of something in the repository.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.origin(), self.repository)
    }

    /// An address that the registry gave, which may be without a host.
    pub(crate) fn resolve(&self, location: &str) -> String {
        if location.contains("://") { location.to_owned() } else { format!("{}{location}", self.origin()) }
    }

    /// Whether a URL leads to this registry: only it may see our authorization.
    pub(crate) fn owns(&self, url: &str) -> bool {
        url.strip_prefix(&self.origin()).is_some_and(|rest| rest.starts_with(['/', '?']))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)
    }
}

/// The name in `NAME[:PORT]`; an IPv6 address stands in brackets.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => {
            (&host[..=end], host[end + 1..].strip_prefix(':').or_else(|| host[end + 1..].is_empty().then_some("1"))?)
        }
        None => host.split_once(':').unwrap_or((host, "1")),
    };
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-'),
    };
    let port = port.parse::<u16>().is_ok_and(|port| port > 0);
    (good && port).then_some(name)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` of the specification.
fn is_component(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = part.starts_with(plain) && part.ends_with(plain);
    let separators = part.split(plain).filter(|separator| !separator.is_empty());
    ends && separators.into_iter().all(|it| [".", "_", "__"].contains(&it) || it.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_local_ones_are_plain() {
        for (text, scheme, host, repository) in [
            ("127.0.0.1:5000/isotope/cache", Scheme::Http, "127.0.0.1:5000", "isotope/cache"),
            ("localhost/cache", Scheme::Http, "localhost", "cache"),
            ("[::1]:5000/cache", Scheme::Http, "[::1]:5000", "cache"),
            ("https://localhost:5000/cache", Scheme::Https, "localhost:5000", "cache"),
            ("oci://registry.example/a/b__c/d--e.f", Scheme::Https, "registry.example", "a/b__c/d--e.f"),
            ("docker://registry.example:443/a/", Scheme::Https, "registry.example:443", "a"),
            ("http://registry/a", Scheme::Http, "registry", "a"),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!((place.scheme(), place.host(), place.repository()), (scheme, host, repository), "{text}");
        }
        assert!(!Place::parse("127.0.0.1.example/a").unwrap().is_local());
    }

    #[test]
    fn what_is_no_place_says_why() {
        for (text, why) in [
            ("isotope/cache", "write the registry's host"),
            ("registry.example", "write HOST[:PORT]/REPOSITORY"),
            ("registry.example/", "a repository is made of"),
            ("registry.example/a:tag", "leave out the tag"),
            ("registry.example/a@sha256:00", "leave out the tag"),
            ("registry.example/Upper", "lower-case"),
            ("registry.example/a//b", "a repository is made of"),
            ("registry.example/../b", "a repository is made of"),
            ("registry.example/a___b", "a repository is made of"),
            ("registry.example:x/a", "no HOST[:PORT]"),
            ("user:secret@registry.example/a", "skopeo login"),
            ("ftp://registry.example/a", "only http://"),
            ("[::x]/a", "no HOST[:PORT]"),
        ] {
            let error = Place::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn only_the_registry_itself_sees_the_authorization() {
        let place = Place::parse("registry.example:443/a").unwrap();
        assert!(place.owns("https://registry.example:443/v2/a/blobs/uploads/1?x"));
        for url in [
            "https://registry.example:4430/v2/",
            "http://registry.example:443/",
            "https://registry.example:443@evil.example/",
        ] {
            assert!(!place.owns(url), "{url}");
        }
        assert_eq!(place.resolve("/v2/x"), "https://registry.example:443/v2/x");
        assert_eq!(place.resolve("https://store.example/x"), "https://store.example/x");
    }
}
