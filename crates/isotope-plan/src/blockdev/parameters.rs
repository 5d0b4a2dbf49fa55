//! The parameter file of `dib-block-device` (DIB_BLOCK_DEVICE_PARAMS_YAML): where the configuration of a build is, and what its command
//! line says of it.
//!
//! Keys are upstream's: `config`, `build-dir`, `image-dir`, `mount-base`, `root-fs-type`, `root-label`, `root-fs-opts`, `image-size`. One
//! is ours: `seed`, a UUID from which those are derived that the configuration does not say. Others are passed over.

use super::{Params, Share};
use crate::{PlanErrors, Problem};
use isotope_element::yaml::{At, Key, Kind, Node, Text};
use isotope_element::{Bytes, Diagnostic};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The parameters of a build's block devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The configuration.
    pub config: PathBuf,
    /// The build's directory: its tree is in `built`, its state in `states/block-device`.
    pub build_dir: PathBuf,
    /// Where the target's `/` is mounted.
    pub mount_base: Option<PathBuf>,
    /// The seed, where the file has one.
    pub seed: Option<Uuid>,
    /// What it says of the layout; its seed is nil where the file has none.
    pub params: Params,
}

impl Parameters {
    /// Reads the file. `block_size` is DIB_BLOCK_SIZE.
    ///
    /// # Errors
    /// It is no map, a directory is missing, or a value is not what it should be.
    pub fn parse(file: &Path, text: &str, block_size: Option<String>) -> Result<Self, PlanErrors> {
        let reader = Reader { source: Text { path: file, text } };
        reader.read(block_size).map_err(|diagnostic| PlanErrors { problems: vec![Problem::from(diagnostic)] })
    }

    /// Where the state of the block devices is kept between calls.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.build_dir.join("states/block-device")
    }
}

struct Reader<'t> {
    source: Text<'t>,
}

impl Reader<'_> {
    fn read(&self, block_size: Option<String>) -> Result<Parameters, Diagnostic> {
        let top = At { line: 1, column: 1, width: 1 };
        let root = self.source.parse_as_python(&mut Vec::new())?;
        let Some(Node { kind: Kind::Map(values), .. }) = &root else {
            return Err(self.source.error(top, "the parameters of block devices are a map, as in `build-dir: /tmp/x`"));
        };
        let needed = |name: &str| {
            let found = self.text(values, name)?;
            found.map(PathBuf::from).ok_or_else(|| self.source.error(top, format!("`{name}` is missing")))
        };
        let usual = Params::default();
        let seed = match find(values, "seed") {
            Some(node) => Some(self.uuid(node)?),
            None => None,
        };
        let params = Params {
            image_size: find(values, "image-size").map(|node| self.size(node)).transpose()?,
            image_dir: self.text(values, "image-dir")?.map(PathBuf::from).unwrap_or_default(),
            root_fs_type: self.text(values, "root-fs-type")?.unwrap_or(usual.root_fs_type),
            root_fs_opts: self.text(values, "root-fs-opts")?,
            root_label: self.text(values, "root-label")?,
            block_size,
            seed: seed.unwrap_or_default(),
        };
        Ok(Parameters {
            config: needed("config")?,
            build_dir: needed("build-dir")?,
            mount_base: self.text(values, "mount-base")?.map(PathBuf::from),
            seed,
            params,
        })
    }

    fn text(&self, values: &[(Key, Node)], name: &str) -> Result<Option<String>, Diagnostic> {
        let Some(node) = find(values, name) else { return Ok(None) };
        let wrong = || self.source.error(node.at, format!("`{name}` is {}, not a text", node.what()));
        node.text().map(|text| Some(text.to_owned())).ok_or_else(wrong)
    }

    fn size(&self, node: &Node) -> Result<Bytes, Diagnostic> {
        match Share::parse(node.text().unwrap_or_default()) {
            Ok(Share::Fixed(bytes)) => Ok(bytes),
            Ok(Share::Free(_)) => Err(self.source.error(node.at, "the size of the image is no share of anything")),
            Err(error) => Err(self.source.error(node.at, format!("image-size: {error}"))),
        }
    }

    fn uuid(&self, node: &Node) -> Result<Uuid, Diagnostic> {
        let parsed = Uuid::try_parse(node.text().unwrap_or_default());
        parsed.map_err(|_| self.source.error(node.at, "`seed` is a UUID"))
    }
}

/// A value; nothing is no value.
fn find<'n>(values: &'n [(Key, Node)], name: &str) -> Option<&'n Node> {
    values.iter().find(|(key, _)| key.name == name).map(|(_, node)| node).filter(|node| !node.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Parameters, PlanErrors> {
        Parameters::parse(Path::new("params.yaml"), text, None)
    }

    #[test]
    fn upstreams_file_is_read() {
        let text = "config: /b/c.yaml\nimage-dir: /i\nroot-fs-type: xfs\nroot-label: \nmount-base: /b/mnt\nbuild-dir: /b\nimage-size: 1048576KiB\nroot-fs-opts: '-i 4096 -J size=64'\n";
        let read = parse(text).unwrap();
        assert_eq!(
            (read.config.to_str(), read.state_dir().to_str()),
            (Some("/b/c.yaml"), Some("/b/states/block-device"))
        );
        assert_eq!(read.mount_base, Some(PathBuf::from("/b/mnt")));
        let Params { image_size, image_dir, root_fs_type, root_fs_opts, root_label, .. } = read.params;
        assert_eq!((image_size, image_dir), (Some(Bytes::gib(1)), PathBuf::from("/i")));
        assert_eq!((root_fs_type.as_str(), root_fs_opts.as_deref()), ("xfs", Some("-i 4096 -J size=64")));
        assert_eq!((root_label, read.seed), (None, None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, message) in [
            ("- a\n", "are a map"),
            ("config: a\n", "`build-dir` is missing"),
            ("build-dir: a\n", "`config` is missing"),
            ("config: a\nbuild-dir: [x]\n", "params.yaml:2:12"),
            ("config: a\nbuild-dir: b\nimage-size: 50%\n", "no share"),
            ("config: a\nbuild-dir: b\nimage-size: 5XB\n", "image-size"),
            ("config: a\nbuild-dir: b\nseed: 5\n", "is a UUID"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
