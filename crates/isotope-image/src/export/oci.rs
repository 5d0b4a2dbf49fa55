//! A container image of one layer: an archive that is at once an OCI image layout (OCI image specification 1.1, "Image Layout")
//! and, by its `manifest.json`, what `docker save` writes (Docker image specification 1.2). `docker load`, `podman load` and
//! `skopeo` take it. The same tree and clock give the same bytes.

use super::archive;
use super::compress::Compressed;
use super::{ExportError, ExportOptions, ExportProgress};
use crate::digest::{self, Hasher};
use crate::output::PendingOutput;
use isotope_plan::calendar::Moment;
use isotope_plan::{Checksum, Compression, Container, Export};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Makes it.
pub(super) fn make(
    root: &Path,
    export: &Export,
    path: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<PendingOutput, ExportError> {
    let output = PendingOutput::create(path)?;
    let unknown = Container { name: "image:latest".to_owned(), arch: "amd64".to_owned(), manifest: None };
    let container = export.container.as_ref().unwrap_or(&unknown);
    // Its digest and size stand before it in the archive, so it is made first, in a file that never gets a name.
    let (layer, diff_id) = layer(root, export, path, options, progress)?;
    let failed = |error| output.error("write", error);
    let layer = Blob::of_file(layer.file()).map_err(failed)?;
    let created = created(options.epoch);
    let config = Blob::of_json(&json!({
        "created": created,
        "architecture": container.arch,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]},
        "history": [{"created": created, "created_by": "isotope"}],
    }));
    let manifest = Blob::of_json(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor(media_type(export.compression))],
    }));
    let mut entry = manifest.descriptor(MANIFEST);
    entry["annotations"] = json!({
        "io.containerd.image.name": container.name,
        "org.opencontainers.image.ref.name": container.name,
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    let docker = json!([{"Config": config.path(), "RepoTags": [container.name], "Layers": [layer.path()]}]);

    let file = output.file().try_clone().map_err(failed)?;
    let mut tar = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, file));
    let mut write = || {
        archive::text(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, options.epoch)?;
        archive::text(&mut tar, "index.json", index.to_string().as_bytes(), options.epoch)?;
        archive::text(&mut tar, "manifest.json", docker.to_string().as_bytes(), options.epoch)?;
        for blob in [&manifest, &config, &layer] {
            blob.write(&mut tar, options.epoch)?;
        }
        tar.get_mut().flush()
    };
    write().and_then(|()| tar.into_inner()?.flush()).map_err(failed)?;
    Ok(output)
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

const fn media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.oci.image.layer.v1.tar",
    }
}

/// RFC 3339; without a clock, its beginning.
fn created(epoch: u64) -> String {
    let moment = Moment::of(if epoch == u64::MAX { 0 } else { epoch });
    let Moment { year, month, day, hour, minute, second } = moment;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The tree, and the digest of its archive before compression.
fn layer(
    root: &Path,
    export: &Export,
    path: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<(PendingOutput, String), ExportError> {
    if matches!(export.compression, Compression::Xz | Compression::Zlib) {
        let (format, file_name) = (export.format, export.file_name.clone());
        return Err(ExportError::Compression {
            format,
            compression: export.compression,
            file_name,
            takes: "none, gzip or zstd",
        });
    }
    let pending = PendingOutput::create(path)?;
    let failed = |error| pending.error("write", error);
    let Some(stream) = Compressed::new(export, options, &pending)? else { return Ok((pending, String::new())) };
    let hashed = Hashed { stream, hasher: Hasher::new(&[Checksum::Sha256]) };
    let tar = archive::write(root, Path::new("."), tar::Builder::new(hashed), &pending, options, progress)?;
    let Hashed { stream, hasher } = tar.into_inner().map_err(failed)?;
    stream.finish().map_err(failed)?;
    let diff_id = hasher.finish().pop().map(|digest| digest.hex).unwrap_or_default();
    Ok((pending, diff_id))
}

/// What goes through is hashed.
struct Hashed {
    stream: Compressed,
    hasher: Hasher,
}

impl Write for Hashed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(data)?;
        self.hasher.update(&data[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Content that is found by its digest.
struct Blob {
    sha256: String,
    size: u64,
    data: Data,
}

enum Data {
    Bytes(Vec<u8>),
    File(File),
}

impl Blob {
    fn of_json(value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        let mut hasher = Hasher::new(&[Checksum::Sha256]);
        hasher.update(&bytes);
        let sha256 = hasher.finish().pop().map(|digest| digest.hex).unwrap_or_default();
        Self { sha256, size: bytes.len() as u64, data: Data::Bytes(bytes) }
    }

    fn of_file(file: &File) -> io::Result<Self> {
        let sha256 = digest::of_file(file, &[Checksum::Sha256])?.pop().map(|digest| digest.hex).unwrap_or_default();
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { sha256, size: file.metadata()?.len(), data: Data::File(file) })
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.sha256)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", self.sha256), "size": self.size})
    }

    fn write<W: Write>(&self, tar: &mut tar::Builder<W>, epoch: u64) -> io::Result<()> {
        match &self.data {
            Data::Bytes(bytes) => archive::text(tar, &self.path(), bytes, epoch),
            Data::File(file) => {
                let mut header = archive::header(self.size, epoch);
                tar.append_data(&mut header, self.path(), io::Read::take(file, self.size))
            }
        }
    }
}
