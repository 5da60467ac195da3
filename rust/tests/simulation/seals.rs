//! Whether every seal has a nonce of its own: two contents under one give both away, whatever a crash
//! took from whoever counts them. Found in what is written, wherever it stands there.

use crate::checker::KEY;
use std::collections::BTreeMap;

/// As docs/file_format.md has it: a fingerprint, then salt and count, then the tag.
const FINGERPRINT_DOMAIN: &str = "MMSB 2026-11-27 fingerprint of a key for private pages";
const FINGERPRINT_BYTES: usize = 8;
const COUNT_AT: usize = FINGERPRINT_BYTES + 16;
const TAG_AT: usize = COUNT_AT + 8;
const CONTENT_AT: usize = TAG_AT + 16;

/// The seals that were written in a run, to any disk: salt and count of each, and its tag.
pub struct Seals {
    fingerprint: [u8; FINGERPRINT_BYTES],
    tags: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Default for Seals {
    fn default() -> Seals {
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        let digest = blake3::derive_key(FINGERPRINT_DOMAIN, &KEY);
        fingerprint.copy_from_slice(&digest[..FINGERPRINT_BYTES]);
        Seals { fingerprint, tags: BTreeMap::new() }
    }
}

impl Seals {
    /// Takes in what is written. `Err` if a seal in it has the nonce of another one.
    pub fn take_in(&mut self, bytes: &[u8]) -> Result<(), String> {
        // The record of a page that comes back leaves out zeros, those of the count as well.
        let is_whole = |seal: &&[u8]| {
            seal.starts_with(&self.fingerprint) && seal[COUNT_AT + 4..TAG_AT] == [0; 4]
        };
        for seal in bytes.windows(CONTENT_AT).filter(is_whole) {
            let (nonce, tag) = (&seal[FINGERPRINT_BYTES..TAG_AT], &seal[TAG_AT..]);
            let known = self.tags.entry(nonce.to_vec()).or_insert_with(|| tag.to_vec());
            if known != tag {
                return Err(format!("two seals have the salt and count {nonce:x?}"));
            }
        }
        Ok(())
    }
}
