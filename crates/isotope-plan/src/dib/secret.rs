//! Which variables hold secrets, by their names.

use crate::EnvValue;

/// A word of a name (between underscores) that is one of these, or ends in one, tells a secret.
const WORDS: [&str; 7] = ["PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "SECRET", "CREDENTIAL", "CREDENTIALS"];
/// Words that only tell a secret alone: `KEY` does, `KEYRING` and `MONKEY` do not.
const WHOLE: [&str; 4] = ["KEY", "APIKEY", "PASS", "PWD"];
/// Values that hide nothing, and that masking would take out of half the log.
const PLAIN: [&str; 8] = ["true", "false", "yes", "no", "none", "null", "auto", "default"];

/// Whether a variable of this name holds a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // The shell's own.
    if name == "PWD" || name == "OLDPWD" {
        return false;
    }
    name.split('_').any(|part| WORDS.iter().any(|word| part.ends_with(word)) || WHOLE.contains(&part))
}

/// A variable's value. Paths of files are no secrets, whatever the name is; what is in the files is not shown.
pub(super) fn value(name: &str, value: &str) -> EnvValue {
    let secret = is_secret(name) && !value.starts_with('/') && !PLAIN.contains(&value.to_ascii_lowercase().as_str());
    EnvValue { value: value.to_owned(), secret }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets() {
        for name in
            ["DIB_DEV_USER_PASSWORD", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "rootpassword", "REG_ACTIVATION_KEY"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["DIB_APT_KEYRING", "PWD", "OLDPWD", "KEYBOARD", "DIB_RELEASE", "TOKENS_PER_SECOND"] {
            assert!(!is_secret(name), "{name}");
        }
        assert!(value("KEY", "abcd").secret);
        assert!(!value("KEY", "/etc/key").secret && !value("USE_PASSWORD", "True").secret);
    }
}
