//! The image format: page content first, then metadata, then one entry per page, then a footer.
//! Written front to back without knowing the end, mapped and read from the footer on.
//!
//! ```text
//! header, 4,096 bytes            entry, 64 bytes, ascending by id      footer, 64 bytes, last
//!  0 "MMSBIMG\0"                  0 u64 page id                         0 "MMSBEND\0"
//!  8 u32 format version           8 u64 epoch                           8 u32 zero
//! 12 u32 checksum of the rest    16 u64 LSN of its last change         12 u32 checksum of the rest
//! 16 [16] identity of the state  24 u64 offset of its content          16 u64 pages
//! 32 zeros                       32 u64 offset of its metadata         24 u64 next page id
//!                                40 u32 bytes of content               32 u64 LSN of the image
//! content of pages, each at a    44 u32 bytes of metadata, encoded     40 u64 offset of the entries
//! multiple of 64, zeros between  48 u32 checksum of the content        48 u64 bytes of the file
//!                                52 u32 checksum of the metadata       56 u64 pages with parents
//! metadata: per page, per key    56 u8  location, 3 bytes of who owns it,
//!                                       plus 2^23 of a private page
//! varint length, key, varint     60 u32 checksum of bytes 0..60
//! length, value; under the key of no bytes what it derives from, if anything: u8 staleness, u8 kind
//! of rule or 0, u16 length of its text, the text; then per parent u64 id, u8 kind of edge
//! ```

use crate::bail;
use crate::env::{File, Mapping, OpenMode, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::FRAME_ALIGN;
use crate::page::meta::Meta;
use crate::page::table::{Backed, Backing};
use crate::stdx::canary::{Canary, sings};
use crate::stdx::codec::{Dec, Enc, varint_len};
use crate::stdx::crc::crc32c;
use crate::types::{Epoch, Location, Lsn, Ownership, PageId};
use std::io::{self, IoSlice};
use std::ptr::NonNull;
use std::sync::Arc;

/// The version of the image format that this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"MMSBIMG\0";
const END_MAGIC: &[u8; 8] = b"MMSBEND\0";
const HEADER_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 64;
const FOOTER_BYTES: usize = 64;
/// Beside location and ownership of a page.
const PRIVATE: u32 = 1 << 31;
/// Content is collected and written in pieces of about this size.
const WRITE_BYTES: usize = 4 << 20;

/// A page as an image takes it.
pub struct ImagePage<'a> {
    /// Which page.
    pub id: PageId,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The last record that changed it.
    pub lsn: Lsn,
    /// Where it should live.
    pub location: Location,
    /// Who may change it.
    pub ownership: Ownership,
    /// The content is sealed.
    pub private: bool,
    /// Content.
    pub bytes: &'a [u8],
    /// Metadata; `None` is empty.
    pub meta: Option<&'a Meta>,
}

/// Writes an image, page by page in ascending order of ids.
pub struct ImageWriter {
    file: Arc<dyn File>,
    path: String,
    /// Where `buffer` goes.
    written: u64,
    buffer: Vec<u8>,
    entries: Vec<u8>,
    metas: Vec<u8>,
    pages: u64,
    /// Those with parents.
    linked: u64,
}

impl ImageWriter {
    /// Begins the image `name`.
    ///
    /// # Errors
    /// `InvalidArgument` if something of that name exists: it is left alone.
    pub fn create(storage: &dyn Storage, name: &str, identity: [u8; 16]) -> Result<ImageWriter> {
        let path = storage.describe(name);
        let file = storage.open(name, OpenMode::Create).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::new(
                ErrorKind::InvalidArgument,
                format!("{path:?} exists; an image is written to a file of its own"),
            ),
            _ => Error::io(format_args!("create {path:?}"), error),
        })?;
        let mut buffer = vec![0; HEADER_BYTES];
        let mut enc = Enc::new(&mut buffer);
        enc.bytes(MAGIC);
        enc.u32(FORMAT_VERSION);
        enc.u32(0);
        enc.bytes(&identity);
        let crc = crc32c(&buffer);
        Enc::new(&mut buffer[12..]).u32(crc);
        let (entries, metas) = (Vec::new(), Vec::new());
        Ok(ImageWriter { file, path, written: 0, buffer, entries, metas, pages: 0, linked: 0 })
    }

    /// Adds a page.
    pub fn add(&mut self, page: &ImagePage<'_>) -> Result<()> {
        let offset = (self.written + self.buffer.len() as u64).next_multiple_of(FRAME_ALIGN as u64);
        self.buffer.resize((offset - self.written) as usize, 0);
        let meta_at = self.metas.len();
        if let Some(meta) = page.meta {
            self.linked += u64::from(!meta.parents().is_empty());
            for (key, value) in meta.stored() {
                push_bytes(&mut self.metas, key);
                push_bytes(&mut self.metas, &value);
            }
        }
        let meta = &self.metas[meta_at..];
        let mut entry = [0; ENTRY_BYTES];
        let mut enc = Enc::new(&mut entry);
        enc.u64(page.id.0);
        enc.u64(page.epoch);
        enc.u64(page.lsn.0);
        enc.u64(offset);
        enc.u64(meta_at as u64); // made absolute by `finish`
        enc.u32(page.bytes.len() as u32);
        enc.u32(meta.len() as u32);
        enc.u32(crc32c(page.bytes));
        enc.u32(crc32c(meta));
        let private = if page.private { PRIVATE } else { 0 };
        enc.u32(page.location as u32 | page.ownership.code() << 8 | private);
        self.entries.extend_from_slice(&entry);
        self.pages += 1;
        if page.bytes.len() >= WRITE_BYTES {
            self.write_out()?;
            self.write(page.bytes)?;
        } else {
            self.buffer.extend_from_slice(page.bytes);
            if self.buffer.len() >= WRITE_BYTES {
                self.write_out()?;
            }
        }
        Ok(())
    }

    /// Writes the rest and makes the file durable. Returns its length.
    pub fn finish(mut self, next_id: u64, lsn: Lsn) -> Result<u64> {
        let metas_at = self.written + self.buffer.len() as u64;
        let metas = std::mem::take(&mut self.metas);
        self.buffer.extend_from_slice(&metas);
        let entries_at = (metas_at + metas.len() as u64).next_multiple_of(FRAME_ALIGN as u64);
        self.buffer.resize((entries_at - self.written) as usize, 0);
        let mut entries = std::mem::take(&mut self.entries);
        for entry in entries.chunks_exact_mut(ENTRY_BYTES) {
            let at = Dec::new(&entry[32..]).u64().unwrap_or(0);
            Enc::new(&mut entry[32..]).u64(at + metas_at);
            let crc = crc32c(&entry[..60]);
            Enc::new(&mut entry[60..]).u32(crc);
        }
        self.write_out()?;
        self.write(&entries)?;
        let len = self.written + FOOTER_BYTES as u64;
        let mut footer = [0; FOOTER_BYTES];
        let mut enc = Enc::new(&mut footer);
        enc.bytes(END_MAGIC);
        enc.u64(0);
        enc.u64(self.pages);
        enc.u64(next_id);
        enc.u64(lsn.0);
        enc.u64(entries_at);
        enc.u64(len);
        enc.u64(self.linked);
        let crc = crc32c(&footer);
        Enc::new(&mut footer[12..]).u32(crc);
        self.write(&footer)?;
        let synced = if sings(Canary::UnsyncedImage) { Ok(()) } else { self.file.sync() };
        synced.map_err(|error| Error::io(format_args!("sync {:?}", self.path), error))?;
        Ok(len)
    }

    fn write_out(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_at(self.written, &[IoSlice::new(bytes)])
            .map_err(|error| Error::io(format_args!("write {:?}", self.path), error))?;
        // The device writes while the next pages are gathered.
        self.file.start_sync(self.written, bytes.len() as u64);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let at = out.len();
    out.resize(at + varint_len(bytes.len() as u64), 0);
    Enc::new(&mut out[at..]).varint(bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A mapped image. Reads its footer at once, an entry and a page when they are asked for.
pub struct Image {
    mapping: Mapping,
    path: String,
    entries_at: usize,
    pages: u64,
    linked: u64,
    next_id: u64,
    /// The closed LSN that it stands at.
    pub lsn: Lsn,
    /// Which state it is of.
    pub identity: [u8; 16],
}

/// A page out of an image.
pub struct ImageCopy {
    /// Content.
    pub bytes: Vec<u8>,
    /// Epoch of the content.
    pub epoch: Epoch,
    /// The last record that changed it.
    pub lsn: Lsn,
    /// Metadata.
    pub meta: Meta,
    /// Who may change it.
    pub ownership: Ownership,
    /// The content is sealed.
    pub private: bool,
}

struct Entry {
    id: PageId,
    epoch: Epoch,
    lsn: Lsn,
    offset: usize,
    len: usize,
    meta: (usize, usize),
    crc: u32,
    meta_crc: u32,
    location: Location,
    ownership: Ownership,
    private: bool,
}

impl Image {
    /// Maps the file `name`, of which nobody knows that it is an image.
    ///
    /// # Errors
    /// `Foreign` for what never was one: it neither begins nor ends as images do. Both marks stand
    /// apart, so that damage to one, or an end that is missing, is `Corrupt` still. The others of
    /// [`open`](Image::open).
    pub fn open_any(storage: &dyn Storage, name: &str) -> Result<Image> {
        let path = storage.describe(name);
        let fail = |error| Error::io(format_args!("read {path:?}"), error);
        let file = storage.open(name, OpenMode::Read).map_err(fail)?;
        if !is_marked(&*file).map_err(fail)? {
            bail!(Foreign, "{path:?} is not an image of a state");
        }
        Image::open(storage, name)
    }

    /// Maps the image `name`, which should be there: a manifest names it, or somebody has seen it.
    ///
    /// # Errors
    /// `Corrupt` with place and reason, also if it is missing; `UnknownFormat`.
    pub fn open(storage: &dyn Storage, name: &str) -> Result<Image> {
        let path = storage.describe(name);
        let fail = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => damaged(&path, 0, "the image is missing"),
            _ => Error::io(format_args!("read {path:?}"), error),
        };
        let file = storage.open(name, OpenMode::Read).map_err(fail)?;
        let len = file.len().map_err(fail)?;
        if len < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            let reason = format!("{len} bytes are too few for an image");
            return Err(damaged(&path, 0, &reason));
        }
        let Ok(map_len) = usize::try_from(len) else {
            bail!(OutOfMemory, "{path:?}: {len} bytes cannot be mapped");
        };
        let mapping = file.map_private(map_len).map_err(fail)?;
        let mut image = Image {
            mapping,
            path,
            entries_at: 0,
            pages: 0,
            linked: 0,
            next_id: 1,
            lsn: Lsn::ZERO,
            identity: [0; 16],
        };
        image.read_header()?;
        image.read_footer(len)?;
        Ok(image)
    }

    /// Bytes of the file at `at`. The mapping is private: pages that the state changes later are
    /// not read through here any more.
    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        debug_assert!(at + len <= self.mapping.len());
        // SAFETY: callers stay within the mapping; header, entries, metadata and footer are never
        // written, and a page's content only after its slot was filled and verified.
        unsafe { std::slice::from_raw_parts(self.mapping.as_ptr().add(at), len) }
    }

    fn read_header(&mut self) -> Result<()> {
        let header = self.bytes(0, HEADER_BYTES);
        let mut dec = Dec::new(header);
        if dec.bytes(8) != Some(MAGIC) {
            return Err(self.damaged_at(0, "it does not begin as an image"));
        }
        let (version, crc) = (dec.u32().unwrap_or(0), dec.u32().unwrap_or(0));
        let mut zeroed = header.to_vec();
        zeroed[12..16].fill(0);
        if crc != crc32c(&zeroed) {
            return Err(self.damaged_at(0, "the header's checksum does not match"));
        }
        if version != FORMAT_VERSION {
            bail!(
                UnknownFormat,
                "{:?} has image format {version}; this build reads {FORMAT_VERSION}",
                self.path
            );
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(dec.bytes(16).unwrap_or(&[0; 16]));
        self.identity = identity;
        Ok(())
    }

    fn read_footer(&mut self, len: u64) -> Result<()> {
        let at = self.mapping.len() - FOOTER_BYTES;
        let footer = self.bytes(at, FOOTER_BYTES);
        let mut zeroed = footer.to_vec();
        zeroed[12..16].fill(0);
        let mut dec = Dec::new(footer);
        let magic = dec.bytes(8) == Some(END_MAGIC);
        dec.u32();
        if !magic || dec.u32() != Some(crc32c(&zeroed)) {
            return Err(self.damaged_at(at, "it does not end as an image"));
        }
        let mut field = || dec.u64().unwrap_or(u64::MAX);
        let (pages, next_id, lsn, entries_at, total, linked) =
            (field(), field(), field(), field(), field(), field());
        let fits = pages.checked_mul(ENTRY_BYTES as u64).and_then(|n| n.checked_add(entries_at));
        let counted = next_id != 0 && lsn < Lsn::LIMIT.0 && linked <= pages;
        if total != len || fits != Some(at as u64) || !counted {
            return Err(self.damaged_at(at, "the footer does not fit the file"));
        }
        (self.pages, self.next_id, self.lsn) = (pages, next_id, Lsn(lsn));
        (self.entries_at, self.linked) = (entries_at as usize, linked);
        Ok(())
    }

    fn raw_entry(&self, at: u64) -> &[u8] {
        self.bytes(self.entries_at + at as usize * ENTRY_BYTES, ENTRY_BYTES)
    }

    fn entry(&self, at: u64) -> Result<Entry> {
        let bytes = self.raw_entry(at);
        let place = self.entries_at + at as usize * ENTRY_BYTES;
        let mut dec = Dec::new(&bytes[60..]);
        if dec.u32() != Some(crc32c(&bytes[..60])) {
            return Err(self.damaged_at(place, "an entry's checksum does not match"));
        }
        let mut dec = Dec::new(bytes);
        let mut long = || dec.u64().unwrap_or(u64::MAX);
        let (id, epoch, lsn, offset, meta_at) = (long(), long(), long(), long(), long());
        let mut word = || dec.u32().unwrap_or(u32::MAX);
        let (len, meta_len, crc, meta_crc) = (word(), word(), word(), word());
        let placed = word();
        let private = placed & PRIVATE != 0;
        let (location, owned) =
            (Location::from_u8(placed as u8), Ownership::from_code((placed & !PRIVATE) >> 8));
        let within = |at: u64, len: u32| {
            at >= HEADER_BYTES as u64
                && at.checked_add(len.into()).is_some_and(|end| end <= self.entries_at as u64)
        };
        // Each change of a page has an LSN of its own, and the image stands above them all.
        let counted = epoch <= lsn && lsn <= self.lsn.0;
        let sound = counted && within(offset, len) && within(meta_at, meta_len);
        match (location, owned) {
            (Some(location), Some(ownership))
                if sound && offset.is_multiple_of(FRAME_ALIGN as u64) =>
            {
                Ok(Entry {
                    id: PageId(id),
                    epoch,
                    lsn: Lsn(lsn),
                    offset: offset as usize,
                    len: len as usize,
                    meta: (meta_at as usize, meta_len as usize),
                    crc,
                    meta_crc,
                    location,
                    ownership,
                    private,
                })
            }
            _ => Err(self.damaged_at(place, "an entry does not fit the file")),
        }
    }

    /// The place of the page `id` among the entries.
    fn find(&self, id: PageId) -> Result<Option<Entry>> {
        let (mut low, mut high) = (0, self.pages);
        while low < high {
            let middle = low + (high - low) / 2;
            // Each probe is checked: a damaged id must not lead the search past the page.
            let entry = self.entry(middle)?;
            match entry.id.cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(entry)),
            }
        }
        Ok(None)
    }

    fn meta(&self, entry: &Entry) -> Result<Meta> {
        let (at, len) = entry.meta;
        let bytes = self.bytes(at, len);
        if crc32c(bytes) != entry.meta_crc {
            return Err(self.damaged_at(at, "metadata's checksum does not match"));
        }
        let mut meta = Meta::default();
        let mut dec = Dec::new(bytes);
        while !dec.rest().is_empty() {
            let mut next = || {
                let len = dec.varint()?;
                dec.bytes(usize::try_from(len).ok()?)
            };
            let taken = match (next(), next()) {
                (Some(key), Some(value)) => meta.take_stored(key, value),
                _ => false,
            };
            if !taken {
                return Err(self.damaged_at(at, "metadata does not fit its entry"));
            }
        }
        Ok(meta)
    }

    /// The page `id`, copied and checked.
    pub fn read_page(&self, id: PageId) -> Result<Option<ImageCopy>> {
        let Some(entry) = self.find(id)? else { return Ok(None) };
        let bytes = self.bytes(entry.offset, entry.len);
        if crc32c(bytes) != entry.crc {
            return Err(self.damaged(id));
        }
        let (bytes, meta) = (bytes.to_vec(), self.meta(&entry)?);
        let Entry { epoch, lsn, ownership, private, .. } = entry;
        Ok(Some(ImageCopy { bytes, epoch, lsn, meta, ownership, private }))
    }

    /// Checks every byte: entries, metadata, content, and the zeros between. Only for an image
    /// that no table uses. `progress` is told the bytes of each page; its error ends the check.
    pub fn verify(&self, mut progress: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let mut last = 0;
        let mut end = HEADER_BYTES;
        for at in 0..self.pages {
            let entry = self.entry(at)?;
            if entry.id.0 <= last || entry.id.0 >= self.next_id || entry.offset < end {
                let place = self.entries_at + at as usize * ENTRY_BYTES;
                return Err(self.damaged_at(place, "entries are out of order"));
            }
            last = entry.id.0;
            self.zeros(end, entry.offset)?;
            if crc32c(self.bytes(entry.offset, entry.len)) != entry.crc {
                return Err(self.damaged(entry.id));
            }
            self.meta(&entry)?;
            end = entry.offset + entry.len;
            progress(entry.len as u64)?;
        }
        let metas: usize = (0..self.pages).map(|at| self.entry(at).map_or(0, |e| e.meta.1)).sum();
        self.zeros(end + metas, self.entries_at)
    }

    fn zeros(&self, from: usize, to: usize) -> Result<()> {
        let gap = to.checked_sub(from).filter(|&gap| gap < FRAME_ALIGN);
        match gap {
            Some(gap) if self.bytes(from, gap).iter().all(|&byte| byte == 0) => Ok(()),
            _ => Err(self.damaged_at(from, "bytes that belong to nothing")),
        }
    }

    fn damaged_at(&self, at: usize, reason: &str) -> Error {
        damaged(&self.path, at, reason)
    }
}

fn damaged(path: &str, at: usize, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{path:?} is damaged at offset {at}: {reason}"))
}

/// Whether a file begins as an image, as far as it goes, or ends as one.
fn is_marked(file: &dyn File) -> io::Result<bool> {
    let (mut begin, mut end) = ([0; MAGIC.len()], [0; END_MAGIC.len()]);
    let got = file.read_at(0, &mut begin)?;
    if MAGIC.starts_with(&begin[..got]) {
        return Ok(true);
    }
    let footer = file.len()?.saturating_sub(FOOTER_BYTES as u64);
    file.read_at(footer, &mut end)?;
    Ok(end == *END_MAGIC)
}

impl Backing for Image {
    fn page(&self, id: PageId) -> Result<Option<Backed>> {
        let Some(entry) = self.find(id)? else { return Ok(None) };
        // SAFETY: `entry` checked that the content lies within the mapping.
        let data = unsafe { self.mapping.as_ptr().add(entry.offset) };
        Ok(Some(Backed {
            size: entry.len as u32,
            location: entry.location,
            ownership: entry.ownership,
            private: entry.private,
            epoch: entry.epoch,
            lsn: entry.lsn,
            data: NonNull::new(data).unwrap_or(NonNull::dangling()),
            crc: entry.crc,
            meta: self.meta(&entry)?,
        }))
    }

    fn id_at(&self, place: u64) -> Result<PageId> {
        Ok(self.entry(place)?.id)
    }

    fn pages(&self) -> u64 {
        self.pages
    }

    fn linked(&self) -> u64 {
        self.linked
    }

    fn next_id(&self) -> u64 {
        self.next_id
    }

    fn damaged(&self, id: PageId) -> Error {
        let reason = format!("the content of {id} does not match its checksum");
        let at = self.find(id).ok().flatten().map_or(0, |entry| entry.offset);
        self.damaged_at(at, &reason)
    }
}
