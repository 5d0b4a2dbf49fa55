//! Buffers that are used again: a disk of gigabytes passes through a few megabytes whose pages the kernel has cleared once.
//!
//! [`Pool::take`] gives a [`Buffer`]; dropping it gives it back. A [`Chunk`] is a filled buffer that several consumers share.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that wait to be used again.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Empty.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A buffer of `length` bytes; what is in them is of no meaning.
    #[must_use]
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let mut data = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if data.len() < length {
            data = vec![0; length];
        }
        Buffer { data, length, pool: Some(Arc::clone(self)) }
    }
}

/// Bytes that go back to their pool.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<u8>,
    length: usize,
    pool: Option<Arc<Pool>>,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.data[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.data));
        }
    }
}

/// Bytes that follow each other on a disk, shared by those who take them.
#[derive(Debug, Clone)]
pub struct Chunk(Arc<Buffer>);

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Buffer> for Chunk {
    fn from(buffer: Buffer) -> Self {
        Self(Arc::new(buffer))
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(data: Vec<u8>) -> Self {
        Self(Arc::new(Buffer { length: data.len(), data, pool: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back() {
        let pool = Pool::new();
        let mut buffer = pool.take(100);
        buffer.fill(7);
        let chunk = Chunk::from(buffer);
        let shared = chunk.clone();
        drop(chunk);
        assert_eq!(*shared, [7; 100]);
        drop(shared);
        assert_eq!(pool.take(50).len(), 50);
        let (one, other) = (pool.take(200), pool.take(10));
        assert_eq!((one.len(), other.len()), (200, 10));
    }
}
