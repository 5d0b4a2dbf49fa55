//! Artifacts: a manifest under a tag, a small description, and one archive.
//!
//! Form (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"): an image manifest with `artifactType`, whose `config` is the description
//! and whose only layer is the archive.

use crate::auth::Credentials;
use crate::client::{Access, Ask, Client, Payload, unexpected, unreachable};
use crate::download::Blob;
use crate::{At, Digest, Kind, Place, RegistryError, archive, upload};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use ureq::http::{Method, StatusCode};

/// The media type of archives.
const ARCHIVE_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The media type of manifests.
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The longest manifest that registries have to take (distribution-spec, "Pushing Manifests"); descriptions are kept to it, too.
const LONGEST: u64 = 4 << 20;
/// Bytes of a blob that go in one request.
const CHUNK: u64 = 32 << 20;

/// A blob: what it is, its digest, its size.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What stands under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Of the manifest.
    pub digest: Digest,
    /// The description: these are the bytes that its digest names.
    pub description: Vec<u8>,
    /// The archive.
    pub archive: Descriptor,
}

/// What came of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pushed {
    /// The registry had it already.
    AlreadyThere,
    /// It has it now.
    Sent {
        /// Bytes that went: none where it had the archive, but not under this tag.
        bytes: u64,
    },
}

/// A repository of artifacts in a registry.
#[derive(Debug)]
pub struct Registry {
    pub(crate) client: Client,
    chunk: u64,
    /// What was refused: a push replaces it, though something stands there.
    pub(crate) refused: Mutex<BTreeSet<String>>,
}

impl Registry {
    /// Reads `[http://]HOST[:PORT]/REPOSITORY`, and notes from the environment where credentials are. Nothing is asked yet.
    ///
    /// # Errors
    /// See [`Place::parse`].
    pub fn parse(text: &str, env: &BTreeMap<String, String>) -> Result<Self, RegistryError> {
        Ok(Self::new(Place::parse(text)?, Credentials::from_environment(env)))
    }

    /// With credentials from wherever.
    #[must_use]
    pub fn new(place: Place, credentials: Credentials) -> Self {
        Self { client: Client::new(place, credentials), chunk: CHUNK, refused: Mutex::default() }
    }

    /// Sends blobs in pieces of so many bytes.
    #[must_use]
    pub fn with_chunk(mut self, bytes: u64) -> Self {
        self.chunk = bytes.max(1);
        self
    }

    /// The repository.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.client.place
    }

    /// Whether something stands under a tag. It may still be refused when it is read.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn has_tag(&self, tag: &str) -> Result<bool, RegistryError> {
        let at = self.client.at(tag);
        let ask = self.ask_manifest(Method::HEAD, &at, Access::Read);
        let response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(unexpected(&ask, response)),
        }
    }

    fn ask_manifest<'a>(&self, method: Method, at: &'a At, access: Access) -> Ask<'a> {
        let url = self.client.place.url(&format!("manifests/{}", at.reference));
        Ask::new(method, url, access, at).header("Accept", MANIFEST_TYPE)
    }

    /// Reads manifest and description of what stands under a tag; None if nothing does.
    ///
    /// # Errors
    /// The registry cannot be asked; or what it holds is no artifact of that kind ([`RegistryError::Refused`]).
    pub fn fetch(&self, kind: Kind, tag: &str) -> Result<Option<Artifact>, RegistryError> {
        let at = self.client.at(tag);
        let refused = |why: String| RegistryError::Refused { at: at.clone(), why };
        let ask = self.ask_manifest(Method::GET, &at, Access::Read);
        let response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(unexpected(&ask, response)),
        }
        let said = response.headers().get("Docker-Content-Digest").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        let body = response.into_body().into_reader();
        body.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreachable(&at, 1, error))?;
        if bytes.len() as u64 > LONGEST {
            return Err(refused("its manifest is longer than 4 MiB".to_owned()));
        }
        let digest = Digest::of(&bytes);
        if said.as_ref().is_some_and(|said| said != digest.as_str()) {
            return Err(refused("the bytes of its manifest are not what their digest says".to_owned()));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| refused(format!("its manifest is none of ours: {error}")))?;
        let archive = archive_of(&manifest, kind).map_err(refused)?;
        let description = Blob::open(&self.client, &manifest.config).bytes()?;
        Ok(Some(Artifact { digest, description, archive }))
    }

    /// Unpacks the archive of an artifact into `into`, an empty directory. After an error what is there is of no use.
    ///
    /// # Errors
    /// The registry cannot be read; its bytes are not what the digest says, or are no archive of ours
    /// ([`RegistryError::Refused`]); or this machine does not let us make what is in it.
    pub fn unpack(&self, artifact: &Artifact, into: &Path) -> Result<(), RegistryError> {
        let mut blob = Blob::open(&self.client, &artifact.archive);
        let unpacked = archive::unpack(io::BufReader::with_capacity(1 << 17, &mut blob), into);
        // Whatever a decoder makes of damaged bytes: that they are damaged is what there is to tell.
        let local = matches!(unpacked, Err(archive::UnpackError::Make { .. }));
        if !local {
            blob.finish()?;
        }
        let at = || self.client.at(artifact.archive.digest.as_str());
        unpacked.map_err(|error| match error {
            archive::UnpackError::Make { path, source } => {
                use std::os::unix::ffi::OsStrExt as _;
                let path = into.join(std::ffi::OsStr::from_bytes(path.strip_prefix(b"./").unwrap_or(&path)));
                RegistryError::Local { what: "unpack", path, source }
            }
            other => RegistryError::Refused { at: at(), why: other.to_string() },
        })
    }

    /// Gives the registry an artifact: the archive of the directory `upper`, which is written to a nameless file in `scratch`
    /// first, the description, and the tag, which may have stood for something else.
    ///
    /// # Errors
    /// The directory cannot be packed, or the registry does not take it.
    pub fn store(
        &self,
        (kind, tag): (Kind, &str),
        description: &[u8],
        upper: &Path,
        scratch: &Path,
    ) -> Result<Pushed, RegistryError> {
        let at = self.client.at(tag);
        let unwritten = |source| RegistryError::Local { what: "write an archive in", path: scratch.to_owned(), source };
        let file = tempfile::tempfile_in(scratch).map_err(unwritten)?;
        let mut writer = io::BufWriter::with_capacity(1 << 17, &file);
        let packed = archive::pack(upper, &mut writer)?;
        writer.flush().map_err(unwritten)?;
        drop(writer);
        let archive = Descriptor { media_type: ARCHIVE_TYPE.to_owned(), digest: packed.digest, size: packed.size };
        let mut sent = 0;
        if upload::upload(&self.client, &file, &archive, self.chunk)? {
            sent += archive.size;
        }
        drop(file);
        let config = Descriptor {
            media_type: kind.description_type().to_owned(),
            digest: Digest::of(description),
            size: description.len() as u64,
        };
        if upload::upload(&self.client, &small(description).map_err(unwritten)?, &config, self.chunk)? {
            sent += config.size;
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            artifact_type: Some(kind.artifact_type().to_owned()),
            config,
            layers: vec![archive],
            annotations: BTreeMap::new(),
        };
        self.tag(&at, &manifest)?;
        Ok(Pushed::Sent { bytes: sent })
    }

    fn tag(&self, at: &At, manifest: &Manifest) -> Result<(), RegistryError> {
        let bytes = serde_json::to_vec(manifest).map_err(|error| RegistryError::Refused {
            at: at.clone(),
            why: format!("its manifest cannot be written: {error}"),
        })?;
        let url = self.client.place.url(&format!("manifests/{}", at.reference));
        let ask = Ask::new(Method::PUT, url, Access::Write, at)
            .header("Content-Type", MANIFEST_TYPE)
            .payload(Payload::Bytes(&bytes));
        let response = self.client.send(&ask)?;
        if response.status() == StatusCode::CREATED { Ok(()) } else { Err(unexpected(&ask, response)) }
    }

    /// Whether the registry has all blobs of an artifact, in their sizes.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn is_complete(&self, artifact: &Artifact) -> Result<bool, RegistryError> {
        upload::has(&self.client, &artifact.archive)
    }
}

/// The file that an upload wants.
fn small(bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn archive_of(manifest: &Manifest, kind: Kind) -> Result<Descriptor, String> {
    if manifest.artifact_type.as_deref() != Some(kind.artifact_type()) || manifest.media_type != MANIFEST_TYPE {
        return Err(format!("it is no {} of Isotope", kind.name()));
    }
    if manifest.schema_version != 2 || manifest.config.media_type != kind.description_type() {
        return Err("its description is of a form that this Isotope does not know".to_owned());
    }
    if manifest.config.size > LONGEST {
        return Err("its description is longer than 4 MiB".to_owned());
    }
    match &manifest.layers[..] {
        [archive] if archive.media_type == ARCHIVE_TYPE => Ok(archive.clone()),
        _ => Err("it has something else than one archive".to_owned()),
    }
}
