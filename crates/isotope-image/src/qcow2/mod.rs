//! QEMU's copy-on-write format, version 3: a writer for compressed images and a reader for any image without a backing file.
//!
//! Specification: `docs/interop/qcow2.rst` of QEMU.

mod assembler;
mod codec;
mod deflate;
mod earlier;
mod format;
mod huffman;
mod index;
mod pack;
mod reader;
mod refcount;
mod writer;

pub use earlier::Earlier;
pub use format::Qcow2Error;
pub use index::{Index, IndexError};
pub use reader::Reader;
pub use writer::{Chunk, Codec, Options, Summary, Writer};
