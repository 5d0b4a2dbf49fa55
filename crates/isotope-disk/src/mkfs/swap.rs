//! A swap area by mkswap, for pages of 4 KiB.

use super::{Format, Spec};

pub(super) struct Swap;

impl Format for Swap {
    fn program(&self) -> &'static str {
        "mkswap"
    }

    fn probe(&self) -> &'static [&'static str] {
        &["-V"]
    }

    fn args(&self, spec: &Spec<'_>, _probed: &str) -> Vec<String> {
        let mut args: Vec<String> = ["-p", "4096", "-U"].map(Into::into).into();
        args.push(spec.filesystem.uuid.to_string());
        if let Some(label) = &spec.filesystem.label {
            args.extend(["-L".into(), label.clone()]);
        }
        args
    }

    fn env(&self, _spec: &Spec<'_>) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn mount(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}
