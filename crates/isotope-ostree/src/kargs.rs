//! Kernel arguments, checked before they reach a boot entry.

use crate::OstreeError;

/// Checks kernel arguments: each is one line of one or more words, quotes closed; `ostree=` is the deployment's own.
///
/// An argument may hold spaces only between double quotes (`key="a b"`), as the kernel's parser has it.
///
/// # Errors
/// [`OstreeError::BadKernelArg`] with the first argument that cannot stand in a boot entry.
pub fn check_kernel_args(args: &[String]) -> Result<(), OstreeError> {
    for arg in args {
        if let Some(why) = wrong(arg) {
            return Err(OstreeError::BadKernelArg { arg: arg.clone(), why });
        }
    }
    Ok(())
}

fn wrong(arg: &str) -> Option<&'static str> {
    if arg.contains(['\n', '\r']) {
        return Some("it holds a line break; give each argument as one of its own");
    }
    if arg.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if arg.is_empty() {
        return Some("it is empty");
    }
    if arg.split('=').next() == Some("ostree") {
        return Some("the deployment writes `ostree=` itself; leave it out");
    }
    let mut quoted = false;
    for byte in arg.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b' ' if !quoted => return Some("it holds a space outside of double quotes; give each argument by itself"),
            _ => {}
        }
    }
    quoted.then_some("a double quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_boot_entry_is_refused() {
        for good in ["quiet", "root=LABEL=atomic-root", "console=ttyS0,115200n8", "dyndbg=\"file a.c +p\"", "rw"] {
            assert!(check_kernel_args(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["a\nb", "a\rb", "", "a b", "x=\"y", "ostree=/ostree/boot.1/x", "ostree", "tab\there", "nul\0"] {
            let error = check_kernel_args(&["quiet".to_owned(), bad.to_owned()]).unwrap_err();
            assert!(matches!(&error, OstreeError::BadKernelArg { arg, .. } if arg == bad), "{bad:?}: {error}");
        }
    }
}
