//! The environment of hooks: the plan's, with the paths of this build.

use super::Dib;
use super::hooks::IN_TARGET;
use isotope_plan::Place;
use isotope_sys::command::TOOL_PATH;
use std::collections::BTreeMap;

impl Dib {
    /// For hooks of a phase. In the target it is the same, but for what means nothing there.
    pub(super) fn environment(&self, place: Place, target_root: bool) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> =
            self.plan.environment.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
        let paths = [
            ("TMP_BUILD_DIR", self.dir.clone()),
            ("TMP_IMAGE_DIR", self.images.clone()),
            ("TMP_HOOKS_PATH", self.hooks()),
            ("TMP_MOUNT_PATH", self.mount()),
            ("DIB_BLOCK_DEVICE_PARAMS_YAML", self.parameters()),
            ("_LIB", self.lib()),
        ];
        env.extend(paths.into_iter().map(|(name, path)| (name.to_owned(), path.display().to_string())));
        env.extend(self.vars.clone());
        if target_root {
            env.insert("TARGET_ROOT".to_owned(), self.mount().display().to_string());
        }
        match place {
            Place::Host => self.on_host(&mut env),
            Place::Target => in_target(&mut env),
        }
        env
    }

    /// Our programs first, and what functions there are.
    fn on_host(&self, env: &mut BTreeMap<String, String>) {
        let behind = |dir: &str, own: Option<&String>| match own {
            Some(own) if !own.is_empty() => format!("{dir}:{own}"),
            _ => dir.to_owned(),
        };
        let tools = TOOL_PATH.to_owned();
        let bin = self.lib().join("bin").display().to_string();
        env.insert("PATH".to_owned(), behind(&bin, Some(env.get("PATH").unwrap_or(&tools))));
        let python = self.lib().join("python").display().to_string();
        env.insert("PYTHONPATH".to_owned(), behind(&python, env.get("PYTHONPATH")));
        // As bash itself exports functions.
        let functions = self.plan.functions.iter();
        env.extend(functions.map(|(name, body)| (format!("BASH_FUNC_{name}%%"), format!("() {{\n{body}\n}}"))));
    }
}

/// Without functions and what the dynamic linker reads, as sudo has it; without the host's directories.
fn in_target(env: &mut BTreeMap<String, String>) {
    let of_host = ["TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"];
    env.retain(|name, _| {
        !name.starts_with("BASH_FUNC_") && !name.starts_with("LD_") && !of_host.contains(&name.as_str())
    });
    env.insert("HOME".to_owned(), "/root".to_owned());
    env.entry("APT_CONFIG".to_owned()).or_insert_with(|| format!("{IN_TARGET}/.isotope/apt.conf"));
    env.insert("PATH".to_owned(), TOOL_PATH.to_owned());
}
