//! Words for GRUB's script language and for shell assignments.

use crate::error::BootError;

/// A word of grub.cfg that stands for exactly `text`; bare where it can be.
pub fn word(what: &'static str, text: &str) -> Result<String, BootError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { Ok(text.to_owned()) } else { quoted(what, text) }
}

/// As [`word`], always in quotes.
pub fn quoted(what: &'static str, text: &str) -> Result<String, BootError> {
    if text.chars().any(char::is_control) {
        return Err(BootError::Unquotable { what, value: text.to_owned() });
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Kernel arguments as they stand behind `linux` in grub.cfg.
pub fn arguments(arguments: &[String]) -> Result<String, BootError> {
    let words: Vec<String> = arguments.iter().map(|a| word("kernel argument", a)).collect::<Result<_, _>>()?;
    Ok(words.join(" "))
}

/// The inside of a double-quoted shell string.
pub fn shell_inside(text: &str) -> String {
    text.chars().flat_map(|c| "\\\"$`".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_mean_something_to_grub_are_quoted() {
        let all = ["console=ttyS0,115200n8", "ds=nocloud;s=http://x/", "a'b", "x=$y"].map(str::to_owned);
        assert_eq!(arguments(&all).unwrap(), r"console=ttyS0,115200n8 'ds=nocloud;s=http://x/' 'a'\''b' 'x=$y'");
        assert!(arguments(&["a\nb".to_owned()]).unwrap_err().to_string().contains("control characters"));
        assert_eq!(shell_inside(r#"'x=$y' "q" \ `"#), r#"'x=\$y' \"q\" \\ \`"#);
    }
}
