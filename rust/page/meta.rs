//! A page's metadata: a small ordered map of bytes to bytes, the pages that it derives from, and how.

use super::links::Links;
use crate::bail;
use crate::error::Result;
use crate::limits::{META_BYTES_MAX, META_KEY_BYTES_MAX, META_VALUE_BYTES_MAX};
use crate::stdx::codec::{Dec, Enc};
use crate::types::{EdgeKind, Link, PageId, Rule, Staleness};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a page has beside its content: keys and values, ascending by key, its parents in the
/// order in which the edges were added, and the rule that it is computed by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    pairs: BTreeMap<Box<[u8]>, Box<[u8]>>,
    parents: Links,
    rule: Option<Rule>,
    /// Of the content, as the rule goes.
    pub staleness: Staleness,
}

/// In digests and images rule and parents stand under this key, which no caller can use.
pub const ORIGIN_KEY: &[u8] = b"";
/// Staleness, kind of the rule, length of its text.
const RULE_BYTES: usize = 4;
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

    /// Whether there is neither a key nor a parent nor a rule.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.has_no_origin()
    }

    fn has_no_origin(&self) -> bool {
        self.parents().is_empty() && self.rule.is_none()
    }

    /// How the content is computed, if it is.
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref()
    }

    /// Has the content computed by `rule` from now on, or no longer computed.
    pub fn set_rule(&mut self, rule: Option<Rule>) {
        self.rule = rule;
        self.staleness = Staleness::Fresh;
    }

    /// The pages that a rule computes from, in order: parents over edges for data.
    pub fn sources(&self) -> impl Iterator<Item = PageId> {
        self.parents().iter().filter(|link| link.kind == EdgeKind::Data).map(|link| link.page)
    }

    /// The pages that this one derives from, in the order in which the edges were added.
    pub fn parents(&self) -> &[Link] {
        self.parents.as_slice()
    }

    /// Adds or takes away an edge from a parent; whether that changed anything.
    pub fn set_parent(&mut self, link: Link, there: bool) -> bool {
        self.parents.set(link, there)
    }

    /// Keys and values as digests and images hold them, ascending: where the page derives from
    /// others first, under [`ORIGIN_KEY`]: u8 staleness, u8 kind of rule or 0, u16 length of its
    /// text, the text; then per parent u64 id, u8 kind.
    pub fn stored(&self) -> impl ExactSizeIterator<Item = (&[u8], Cow<'_, [u8]>)> {
        let origin = (!self.has_no_origin()).then(|| (ORIGIN_KEY, Cow::from(self.encode_origin())));
        let pairs = self.iter().map(|(key, value)| (key, Cow::from(value)));
        let stored: SmallVec<[_; 4]> = origin.into_iter().chain(pairs).collect();
        stored.into_iter()
    }

    fn encode_origin(&self) -> Vec<u8> {
        let (kind, text) = self.rule.as_ref().map_or((0, ""), Rule::parts);
        let mut bytes = vec![0; RULE_BYTES + text.len() + self.parents().len() * LINK_BYTES];
        let mut enc = Enc::new(&mut bytes);
        enc.u8(self.staleness as u8);
        enc.u8(kind);
        enc.u16(text.len() as u16);
        enc.bytes(text.as_bytes());
        for link in self.parents() {
            enc.u64(link.page.0);
            enc.u8(link.kind as u8);
        }
        bytes
    }

    /// Takes in one of what [`stored`](Self::stored) gave; `false` if it is no such thing.
    pub fn take_stored(&mut self, key: &[u8], value: &[u8]) -> bool {
        if key != ORIGIN_KEY {
            self.set(key, Some(value));
            return true;
        }
        self.decode_origin(value).is_some()
    }

    fn decode_origin(&mut self, bytes: &[u8]) -> Option<()> {
        let mut dec = Dec::new(bytes);
        let staleness = Staleness::from_u8(dec.u8()?)?;
        let (kind, len) = (dec.u8()?, dec.u16()?);
        let text = std::str::from_utf8(dec.bytes(len.into())?).ok()?;
        self.rule = match kind {
            0 => None,
            _ => Some(Rule::from_parts(kind, text)?),
        };
        self.staleness = staleness;
        while !dec.rest().is_empty() {
            let page = PageId(dec.u64()?);
            let link = Link { page, kind: EdgeKind::from_u8(dec.u8()?)? };
            self.parents.set(link, true).then_some(())?;
        }
        Some(())
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}
