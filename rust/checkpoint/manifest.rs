//! The manifest: the one file that says what a directory is and which files count.
//!
//! ```text
//!  0 "MMSBMAN\0"
//!  8 u32 format version
//! 12 u32 checksum of all other bytes
//! 16 [16] identity
//! 32 u8 kind: 1 a state, 2 a log by itself
//! 33 u8 1 if the directory was closed in order
//! 34 u16 zero
//! 36 u32 images
//! 40 u64 closed LSN that the log is known to reach
//! 48 u64 number of the first log segment that is needed
//! 56 images, oldest first: u64 LSN, u64 bytes of the file, u8 length, name ("" if it has none)
//! ```
//!
//! Written beside the old one, synced, renamed.

use crate::bail;
use crate::env::{OpenMode, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::stdx::canary::{Canary, sings};
use crate::stdx::codec::{Dec, Enc};
use crate::stdx::crc::crc32c;
use crate::types::Lsn;
use std::io::IoSlice;

/// The manifest's name.
pub const MANIFEST: &str = "MANIFEST";
const ASIDE: &str = "MANIFEST.new";
const MAGIC: &[u8; 8] = b"MMSBMAN\0";
const FORMAT_VERSION: u32 = 1;
const FIXED_BYTES: usize = 56;
/// More bytes than any manifest has: a thousand images with the longest names.
const BYTES_MAX: u64 = 1 << 20;

/// What lives in a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A state: images and its log.
    State = 1,
    /// A log by itself.
    Log = 2,
}

/// A checkpoint that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageRef {
    /// The closed LSN that it stands at.
    pub lsn: Lsn,
    /// Bytes of its file.
    pub bytes: u64,
    /// The name that the caller gave it; empty if none.
    pub name: String,
}

impl ImageRef {
    /// The name of the image's file.
    pub fn file_name(&self) -> String {
        format!("{:016x}.image", self.lsn.0)
    }
}

/// What a directory is and which files count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Which state or log.
    pub identity: [u8; 16],
    /// What lives here.
    pub kind: Kind,
    /// Closed in order, and not opened since: the log ends exactly at `durable`.
    pub clean: bool,
    /// The log reaches at least this closed LSN.
    pub durable: Lsn,
    /// The number of the first log segment that is needed; those before it may be there or not.
    pub first: u64,
    /// Checkpoints, oldest first.
    pub images: Vec<ImageRef>,
}

impl Manifest {
    /// The manifest of a new directory.
    pub fn new(identity: [u8; 16], kind: Kind) -> Manifest {
        Manifest { identity, kind, clean: false, durable: Lsn::ZERO, first: 1, images: Vec::new() }
    }

    /// Whether the file `name` is one of its images.
    pub fn names(&self, name: &str) -> bool {
        self.images.iter().any(|image| image.file_name() == name)
    }

    /// Reads the directory's manifest; `None` if there is none.
    ///
    /// # Errors
    /// `Corrupt`, `UnknownFormat`, and what the storage says.
    pub fn read(storage: &dyn Storage) -> Result<Option<Manifest>> {
        let path = storage.describe(MANIFEST);
        let fail = |error| Error::io(format_args!("read {path:?}"), error);
        let file = match storage.open(MANIFEST, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let len = file.len().map_err(fail)?;
        if len > BYTES_MAX {
            bail!(
                Corrupt,
                "{path:?} is damaged at offset {BYTES_MAX}: {len} bytes are too many for a manifest"
            );
        }
        let mut bytes = vec![0; len as usize];
        let got = file.read_at(0, &mut bytes).map_err(fail)?;
        bytes.truncate(got);
        Manifest::decode(&bytes, &path).map(Some)
    }

    /// Makes this the directory's manifest, durably.
    pub fn write(&self, storage: &dyn Storage) -> Result<()> {
        let path = storage.describe(ASIDE);
        let fail = |error| Error::io(format_args!("write {path:?}"), error);
        match storage.remove(ASIDE) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => (),
        }
        let file = storage.open(ASIDE, OpenMode::Create).map_err(fail)?;
        file.write_at(0, &[IoSlice::new(&self.encode())]).map_err(fail)?;
        let synced = if sings(Canary::UnsyncedManifest) { Ok(()) } else { file.sync() };
        synced.map_err(fail)?;
        storage.rename(ASIDE, MANIFEST).map_err(fail)?;
        storage.sync_dir().map_err(fail)
    }

    fn encode(&self) -> Vec<u8> {
        let names: usize = self.images.iter().map(|image| 17 + image.name.len()).sum();
        let mut bytes = vec![0; FIXED_BYTES + names];
        let mut enc = Enc::new(&mut bytes);
        enc.bytes(MAGIC);
        enc.u32(FORMAT_VERSION);
        enc.u32(0);
        enc.bytes(&self.identity);
        enc.u8(self.kind as u8);
        enc.u8(self.clean.into());
        enc.u16(0);
        enc.u32(self.images.len() as u32);
        enc.u64(self.durable.0);
        enc.u64(self.first);
        for image in &self.images {
            enc.u64(image.lsn.0);
            enc.u64(image.bytes);
            enc.u8(image.name.len() as u8);
            enc.bytes(image.name.as_bytes());
        }
        let crc = crc32c(&bytes);
        Enc::new(&mut bytes[12..]).u32(crc);
        bytes
    }

    fn decode(bytes: &[u8], path: &str) -> Result<Manifest> {
        let damaged = |at: usize, reason: &str| {
            let said = format!("{path:?} is damaged at offset {at}: {reason}");
            Error::new(ErrorKind::Corrupt, said)
        };
        let mut dec = Dec::new(bytes);
        if bytes.len() < FIXED_BYTES || dec.bytes(8) != Some(MAGIC) {
            return Err(damaged(0, "it does not begin as a manifest"));
        }
        let version = dec.u32().unwrap_or(0);
        let mut zeroed = bytes.to_vec();
        zeroed[12..16].fill(0);
        if dec.u32() != Some(crc32c(&zeroed)) {
            return Err(damaged(12, "its checksum does not match"));
        }
        if version != FORMAT_VERSION {
            bail!(
                UnknownFormat,
                "{path:?} has manifest format {version}; this build reads {FORMAT_VERSION}"
            );
        }
        Manifest::decode_body(dec).ok_or_else(|| damaged(16, "its fields do not fit"))
    }

    fn decode_body(mut dec: Dec<'_>) -> Option<Manifest> {
        let mut identity = [0; 16];
        identity.copy_from_slice(dec.bytes(16)?);
        let kind = match dec.u8()? {
            1 => Kind::State,
            2 => Kind::Log,
            _ => return None,
        };
        let clean = dec.u8()? == 1;
        dec.u16()?;
        let count = dec.u32()?;
        let mut manifest = Manifest { clean, ..Manifest::new(identity, kind) };
        (manifest.durable, manifest.first) = (Lsn(dec.u64()?), dec.u64()?);
        for _ in 0..count {
            let (lsn, bytes) = (Lsn(dec.u64()?), dec.u64()?);
            let len = dec.u8()?;
            let name = std::str::from_utf8(dec.bytes(len.into())?).ok()?.to_owned();
            manifest.images.push(ImageRef { lsn, bytes, name });
        }
        dec.rest().is_empty().then_some(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::MemStorage;

    #[test]
    fn round_trip_and_every_flip_is_noticed() {
        let storage = MemStorage::new();
        assert_eq!(Manifest::read(&storage).unwrap(), None);
        let mut manifest = Manifest::new([3; 16], Kind::State);
        (manifest.durable, manifest.first) = (Lsn(77), 5);
        manifest.images.push(ImageRef { lsn: Lsn(70), bytes: 9, name: "start".into() });
        manifest.write(&storage).unwrap();
        manifest.clean = true;
        manifest.write(&storage).unwrap();
        assert_eq!(Manifest::read(&storage).unwrap(), Some(manifest.clone()));
        let bytes = manifest.encode();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(Manifest::decode(&bytes, "m").is_err(), "byte {at}");
        }
        assert!(Manifest::decode(&bytes[..20], "m").is_err());
    }
}
