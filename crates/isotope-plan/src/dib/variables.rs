//! What hooks find in their environment (facts/diskimage-builder.md §1.5), but for the paths of the build directory.

use super::secret::value;
use super::{Input, Program};
use crate::EnvValue;
use crate::blockdev::Values;
use isotope_element::dib::ElementSet;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What hooks are told of the disk.
pub(super) struct Disk {
    pub values: Values,
    /// The root filesystem's.
    pub root_uuid: Option<Uuid>,
}

/// The caller's whole environment, and what `disk-image-create` exports.
pub(super) fn environment(input: &Input<'_>, disk: &Disk) -> BTreeMap<String, EnvValue> {
    let values = &disk.values;
    let request = input.request;
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let caller = |name: &str| request.environment.get(name).cloned();
    let mut table: Vec<(&str, String)> = vec![
        ("ARCH", request.arch.clone()),
        ("DIB_ARGS", request.arguments.join(" ")),
        ("DIB_BOOT_LABEL", values.boot_label.clone()),
        ("DIB_CHECKSUM", caller("DIB_CHECKSUM").unwrap_or_else(|| flag(!request.checksums.is_empty()))),
        ("DIB_DEBUG_TRACE", request.trace.to_string()),
        ("DIB_ENV", declared(&request.environment)),
        ("DIB_IMAGE_CACHE", request.image_cache.display().to_string()),
        ("DIB_LOCKFILES", request.lockfiles.display().to_string()),
        ("DIB_MIN_TMPFS", request.min_tmpfs.to_string()),
        ("DIB_MOUNTPOINTS", values.mount_points.clone()),
        ("DIB_NO_TMPFS", flag(request.no_tmpfs)),
        ("DIB_OFFLINE", offline(input)),
        ("DIB_PYTHON_EXEC", caller("DIB_PYTHON_EXEC").unwrap_or_else(|| input.python.clone())),
        ("DIB_ROOT_FSTYPE", values.root_fstype.clone()),
        ("DIB_ROOT_LABEL", values.root_label.clone()),
        ("ELEMENTS_PATH", input.path.join()),
        ("FS_TYPE", request.fs_type.clone()),
        ("IMAGE_ELEMENT", input.set.line()),
        ("IMAGE_ELEMENT_YAML", input.set.yaml()),
        ("IMAGE_NAME", request.name.clone()),
        // Upstream's default, whatever is asked for.
        ("IMAGE_TYPE", "qcow2".to_owned()),
        ("LC_ALL", "C".to_owned()),
        ("OUT_IMAGE_PATH", String::new()),
        ("PS4", "+ ".to_owned()),
    ];
    if request.skip_base {
        table.push(("SKIP_BASE", "1".to_owned()));
    }
    if let Some(size) = request.image_size {
        // In GiB until the size is settled, then in KiB.
        table.push(("DIB_IMAGE_SIZE", caller("DIB_IMAGE_SIZE").unwrap_or_else(|| size.to_string())));
    }
    if request.program == Program::Ramdisk {
        table.push(("RAMDISK_ELEMENT", request.ramdisk_element.clone()));
    }
    if let Some(uuid) = disk.root_uuid {
        // Upstream's until 2.4; elements of that time read it under `set -u`.
        table.push(("DIB_IMAGE_ROOT_FS_UUID", uuid.to_string()));
    }
    let own = table.into_iter().map(|(name, text)| (name.to_owned(), text));
    let mut all: BTreeMap<String, String> = request.environment.clone();
    all.extend(own);
    all.into_iter().map(|(name, text)| (name.clone(), value(&name, &text))).collect()
}

/// Always set, often empty.
fn offline(input: &Input<'_>) -> String {
    match input.request.environment.get("DIB_OFFLINE") {
        Some(value) if !value.is_empty() && value != "0" => value.clone(),
        _ if input.request.offline => "1".to_owned(),
        _ => String::new(),
    }
}

/// Functions of bash that hooks on the host can call.
pub(super) fn functions(set: &ElementSet) -> BTreeMap<String, String> {
    let array = set.array().replace('\'', r"'\''");
    let functions = [
        ("get_image_element_array", format!("printf '%s\\n' '{array}'")),
        ("die", "local status=$?\nset +o xtrace\necho \"$*\"\nexit $((status == 0 ? 1 : status))".to_owned()),
    ];
    functions.into_iter().map(|(name, body)| (name.to_owned(), body)).collect()
}

/// What `declare -p` says of the variables `DIB_*`, without secrets: elements write it into the image.
fn declared(environment: &BTreeMap<String, String>) -> String {
    let lines = environment.iter().filter(|(name, _)| name.starts_with("DIB_")).map(|(name, text)| {
        let text = if value(name, text).secret { "***" } else { text };
        let quoted: String = text
            .chars()
            .flat_map(|char| matches!(char, '\\' | '"' | '$' | '`').then_some('\\').into_iter().chain([char]))
            .collect();
        format!("declare -x {name}=\"{quoted}\"")
    });
    lines.collect::<Vec<_>>().join("\n")
}
