//! A page's metadata: a small ordered map of bytes to bytes, and the pages that it derives from.

use crate::bail;
use crate::error::Result;
use crate::limits::{META_BYTES_MAX, META_KEY_BYTES_MAX, META_VALUE_BYTES_MAX};
use crate::types::{EdgeKind, Link, PageId};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a page has beside its content: keys and values, ascending by key, and its parents in the
/// order in which the edges were added.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    pairs: BTreeMap<Box<[u8]>, Box<[u8]>>,
    parents: SmallVec<[Link; 1]>,
}

/// In digests and images the parents stand under this key, which no caller can use.
pub const PARENTS_KEY: &[u8] = b"";
const LINK_BYTES: usize = 9;

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
        self.pairs.get(key).map(|value| &**value)
    }

    /// Sets `key` to `value`, or takes it away.
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.pairs.insert(key.into(), value.into()),
            None => self.pairs.remove(key),
        };
    }

    /// Keys and values, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Keys and values, copied, ascending by key.
    pub fn pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// Whether there is neither a key nor a parent.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.parents.is_empty()
    }

    /// The pages that this one derives from, in the order in which the edges were added.
    pub fn parents(&self) -> &[Link] {
        &self.parents
    }

    /// Adds or takes away an edge from a parent; whether that changed anything.
    pub fn set_parent(&mut self, link: Link, there: bool) -> bool {
        let place = self.parents.iter().position(|&other| other == link);
        match (place, there) {
            (None, true) => self.parents.push(link),
            (Some(place), false) => drop(self.parents.remove(place)),
            _ => return false,
        }
        true
    }

    /// Keys and values as digests and images hold them, ascending: the parents first, if there are
    /// any, under [`PARENTS_KEY`], 9 bytes each: u64 id, u8 kind.
    pub fn stored(&self) -> impl ExactSizeIterator<Item = (&[u8], Cow<'_, [u8]>)> {
        let mut links = Vec::with_capacity(self.parents.len() * LINK_BYTES);
        for link in &self.parents {
            links.extend(link.page.0.to_le_bytes());
            links.push(link.kind as u8);
        }
        let parents = (!links.is_empty()).then_some((PARENTS_KEY, Cow::from(links)));
        let pairs = self.iter().map(|(key, value)| (key, Cow::from(value)));
        let stored: SmallVec<[_; 4]> = parents.into_iter().chain(pairs).collect();
        stored.into_iter()
    }

    /// Takes in one of what [`stored`](Self::stored) gave; `false` if it is no such thing.
    pub fn take_stored(&mut self, key: &[u8], value: &[u8]) -> bool {
        if key != PARENTS_KEY {
            self.set(key, Some(value));
            return true;
        }
        let links = value.chunks(LINK_BYTES).map(|link| {
            let (&kind, id) = link.split_last()?;
            let page = PageId(u64::from_le_bytes(id.try_into().ok()?));
            Some(Link { page, kind: EdgeKind::from_u8(kind)? })
        });
        match links.collect::<Option<_>>() {
            Some(links) => self.parents = links,
            None => return false,
        }
        true
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}
