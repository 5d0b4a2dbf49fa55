//! Why a disk could not be made bootable.

/// Why a disk could not be made bootable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// Reading or writing the raw disk failed.
    #[error("cannot {deed} the disk's boot area")]
    Disk {
        /// `read` or `write`.
        deed: &'static str,
        /// The cause.
        source: std::io::Error,
    },
}
