//! A page's metadata: a small ordered map of bytes to bytes.

use crate::bail;
use crate::error::Result;
use crate::limits::{META_BYTES_MAX, META_KEY_BYTES_MAX, META_VALUE_BYTES_MAX};
use std::collections::BTreeMap;

/// Keys and values of one page, ascending by key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta(BTreeMap<Box<[u8]>, Box<[u8]>>);

impl Meta {
    /// Refuses a key or value beyond its limit.
    pub fn check(key: &[u8], value: &[u8]) -> Result<()> {
        if key.is_empty() {
            bail!(
                InvalidArgument,
                "a metadata key of 0 bytes; keys have 1 to {META_KEY_BYTES_MAX}"
            );
        }
        if key.len() > META_KEY_BYTES_MAX {
            let n = key.len();
            bail!(TooLong, "a metadata key of {n} bytes; the limit is {META_KEY_BYTES_MAX}");
        }
        if value.len() > META_VALUE_BYTES_MAX {
            let n = value.len();
            bail!(TooLong, "a metadata value of {n} bytes; the limit is {META_VALUE_BYTES_MAX}");
        }
        Ok(())
    }

    /// Refuses a map beyond what a page may hold.
    pub fn check_total(&self) -> Result<()> {
        let total = self.bytes();
        if total > META_BYTES_MAX {
            bail!(TooLarge, "{total} bytes of metadata on one page; the limit is {META_BYTES_MAX}");
        }
        Ok(())
    }

    /// The value under `key`.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(|value| &**value)
    }

    /// Sets `key` to `value`, or takes it away.
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.0.insert(key.into(), value.into()),
            None => self.0.remove(key),
        };
    }

    /// Keys and values, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Keys and values, copied, ascending by key.
    pub fn pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}
