//! Seals: the content of private pages, which only their key opens.
//!
//! ```text
//!  0  [8]   fingerprint of the key
//!  8  [16]  salt
//! 24  u64   count
//! 32  [16]  tag
//! 48        content, encrypted: as long as it is open
//! ```
//!
//! AES-256-GCM (NIST SP 800-38D) with the count as nonce, under a key that BLAKE3 derives of the caller's and
//! of the salt. The salt is random, drawn when the key is given, and the count never comes twice under it: so
//! no nonce does under a key, whatever a crash takes away. The page's number is authenticated, so that one
//! page's content does not pass for another's.
//!
//! A page is sealed as a whole, whenever it changes. What is sealed is content as any other: it stands in
//! memory, in records and in images as it is, and nobody needs the key to apply, copy or compare it.

use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::KEY_BYTES;
use crate::stdx::codec::Dec;
use crate::types::PageId;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::{Zeroize, Zeroizing};

/// Bytes that a seal takes beside the content.
pub const SEAL_BYTES: u32 = 48;

const FINGERPRINT_DOMAIN: &str = "MMSB 2026-11-27 fingerprint of a key for private pages";
const KEY_DOMAIN: &str = "MMSB 2026-11-27 key for private pages of a salt";
const FINGERPRINT_BYTES: usize = 8;
const SALT_BYTES: usize = 16;
const SALT_AT: usize = FINGERPRINT_BYTES;
const COUNT_AT: usize = SALT_AT + SALT_BYTES;
const TAG_AT: usize = COUNT_AT + 8;
const CONTENT_AT: usize = SEAL_BYTES as usize;

/// Content of a private page, open; wiped when it is dropped.
pub type Plain = Zeroizing<Vec<u8>>;

/// A key, ready for use. Wiped when it is dropped.
pub struct Sealer {
    key: Zeroizing<[u8; KEY_BYTES]>,
    fingerprint: [u8; FINGERPRINT_BYTES],
    /// What it seals with: no other has that salt.
    salt: [u8; SALT_BYTES],
    cipher: Aes256Gcm,
    /// Seals so far.
    count: AtomicU64,
}

impl Sealer {
    /// What seals and opens with `key`; `salt` is random.
    ///
    /// # Errors
    /// `LengthMismatch` unless the key has [`KEY_BYTES`].
    pub fn new(key: &[u8], salt: [u8; SALT_BYTES]) -> Result<Sealer> {
        let Ok(key) = <&[u8; KEY_BYTES]>::try_from(key) else {
            bail!(LengthMismatch, "a key of {} bytes; keys have {KEY_BYTES}", key.len());
        };
        let digest = blake3::derive_key(FINGERPRINT_DOMAIN, key);
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        fingerprint.copy_from_slice(&digest[..FINGERPRINT_BYTES]);
        let (cipher, count) = (cipher(key, &salt), AtomicU64::new(0));
        Ok(Sealer { key: Zeroizing::new(*key), fingerprint, salt, cipher, count })
    }

    /// Whether both are of one key.
    pub fn is_same_key(&self, other: &Sealer) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// Seals `plain` as content of a page into `sealed`, which has [`SEAL_BYTES`] more.
    pub fn seal(&self, id: PageId, plain: &[u8], sealed: &mut [u8]) -> Result<()> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let (head, content) = sealed.split_at_mut(CONTENT_AT);
        let buffer = InOutBuf::new(plain, content)
            .map_err(|_| Error::new(ErrorKind::Internal, "a seal of another length"))?;
        let tag = self.cipher.encrypt_inout_detached(&nonce(count), &id.0.to_le_bytes(), buffer);
        let tag = tag.map_err(|_| Error::new(ErrorKind::Internal, "content cannot be sealed"))?;
        head[..SALT_AT].copy_from_slice(&self.fingerprint);
        head[SALT_AT..COUNT_AT].copy_from_slice(&self.salt);
        head[COUNT_AT..TAG_AT].copy_from_slice(&count.to_le_bytes());
        head[TAG_AT..].copy_from_slice(&tag);
        Ok(())
    }

    /// The content of a page that was sealed.
    ///
    /// # Errors
    /// `WrongKey` if another key sealed it; `Corrupt` if it is not what this one sealed as content of that
    /// page.
    pub fn open(&self, id: PageId, sealed: &[u8]) -> Result<Plain> {
        let Some((head, content)) = sealed.split_at_checked(CONTENT_AT) else {
            return Err(broken(id));
        };
        if head[..SALT_AT] != self.fingerprint {
            return Err(self.wrong_key(id, &head[..SALT_AT]));
        }
        let (salt, count) = (&head[SALT_AT..COUNT_AT], Dec::new(&head[COUNT_AT..]).u64());
        let tag = Tag::<Aes256Gcm>::try_from(&head[TAG_AT..]).map_err(|_| broken(id))?;
        let earlier = (salt != self.salt).then(|| cipher(&self.key, salt));
        let mut plain = Zeroizing::new(vec![0; content.len()]);
        let buffer = InOutBuf::new(content, &mut plain).map_err(|_| broken(id))?;
        earlier
            .as_ref()
            .unwrap_or(&self.cipher)
            .decrypt_inout_detached(&nonce(count.unwrap_or(0)), &id.0.to_le_bytes(), buffer, &tag)
            .map_err(|_| broken(id))?;
        Ok(plain)
    }

    #[cold]
    fn wrong_key(&self, id: PageId, other: &[u8]) -> Error {
        let (own, other) = (hex(&self.fingerprint), hex(other));
        let message = format!(
            "{id} was sealed with another key: its fingerprint is {other}, that of the key that was \
             given is {own}"
        );
        Error::new(ErrorKind::WrongKey, message)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", hex(&self.fingerprint))
    }
}

/// What seals and opens under a salt.
fn cipher(key: &[u8; KEY_BYTES], salt: &[u8]) -> Aes256Gcm {
    let mut hasher = blake3::Hasher::new_derive_key(KEY_DOMAIN);
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    hasher.update(key).update(salt).finalize_xof().fill(&mut *derived);
    hasher.zeroize();
    Aes256Gcm::new((&*derived).into())
}

fn nonce(count: u64) -> Nonce<Aes256Gcm> {
    let mut nonce = Nonce::<Aes256Gcm>::default();
    nonce[..8].copy_from_slice(&count.to_le_bytes());
    nonce
}

#[cold]
fn broken(id: PageId) -> Error {
    let message = format!("the content of {id} is not what its key sealed as that");
    Error::new(ErrorKind::Corrupt, message)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: PageId = PageId(7);

    fn sealer(key: u8, salt: u8) -> Sealer {
        Sealer::new(&[key; KEY_BYTES], [salt; 16]).unwrap()
    }

    fn sealed(sealer: &Sealer, plain: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; plain.len() + SEAL_BYTES as usize];
        sealer.seal(PAGE, plain, &mut sealed).unwrap();
        sealed
    }

    #[test]
    fn what_was_sealed_comes_back() {
        let (first, later) = (sealer(3, 0), sealer(3, 1));
        for len in [1, 2, 63, 64, 65, 1000, 100_000] {
            let plain: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let bytes = sealed(&first, &plain);
            assert_eq!(*first.open(PAGE, &bytes).unwrap(), plain, "{len} bytes");
            assert_eq!(*later.open(PAGE, &bytes).unwrap(), plain, "another life, the same key");
        }
    }

    #[test]
    fn no_two_seals_are_alike() {
        let (a, b) = (sealer(3, 0), sealer(3, 1));
        let seals = [sealed(&a, b"same"), sealed(&a, b"same"), sealed(&b, b"same")];
        assert!(seals[0] != seals[1] && seals[1] != seals[2] && seals[0] != seals[2]);
        assert!(seals.iter().all(|seal| !seal.windows(4).any(|part| part == b"same")));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealer = sealer(3, 0);
        let bytes = sealed(&sealer, b"some content");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                let error = sealer.open(PAGE, &other).unwrap_err().kind();
                let kind = if at < 8 { ErrorKind::WrongKey } else { ErrorKind::Corrupt };
                assert_eq!(error, kind, "byte {at} bit {bit}");
            }
        }
        let moved = sealer.open(PageId(8), &bytes).unwrap_err();
        assert_eq!(moved.kind(), ErrorKind::Corrupt, "another page's content");
        for len in 0..bytes.len() {
            assert!(sealer.open(PAGE, &bytes[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn other_keys_are_told_apart() {
        let bytes = sealed(&sealer(3, 0), b"some content");
        let error = sealer(4, 0).open(PAGE, &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongKey);
        for len in [0, 16, 31, 33, 64] {
            let error = Sealer::new(&vec![1; len], [0; 16]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LengthMismatch);
            assert!(error.message().contains(&format!("{len} bytes")), "{}", error.message());
        }
    }

    /// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
    #[test]
    fn the_cipher_is_what_it_says() {
        let from = |hex: &str| -> Vec<u8> {
            let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(digit).collect()
        };
        let key = from(&"feffe9928665731c6d6a8f9467308308".repeat(2));
        let nonce = Nonce::<Aes256Gcm>::try_from(&from("cafebabefacedbaddecaf888")[..]).unwrap();
        let aad = from("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let mut text = from(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let cipher = Aes256Gcm::new(key[..].try_into().unwrap());
        let tag = cipher.encrypt_inout_detached(&nonce, &aad, text.as_mut_slice().into()).unwrap();
        assert_eq!(
            text,
            from(
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            )
        );
        assert_eq!(tag[..], from("76fc6ece0f4e1768cddf8853bb2d551b"));
    }
}
