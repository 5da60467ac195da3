//! Makes the checksums and lengths of damaged bytes fit, so that damage reaches what lies behind
//! them. Layouts are those of docs/file_format.md.

use mmsb::log::record::{HEADER_BYTES, RECORD_BYTES_MIN};
use mmsb::log::segment::{FRAME_HEADER_BYTES, FRAME_MAGIC, SEGMENT_HEADER_BYTES};
use mmsb::stdx::crc::crc32c;

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Writes to bytes 12..16 the checksum of all bytes with these four as zeros: manifests, headers
/// and footers.
fn mend_word_12(bytes: &mut [u8]) {
    put(bytes, 12, &[0; 4]);
    let crc = crc32c(bytes);
    put(bytes, 12, &crc.to_le_bytes());
}

pub fn manifest(bytes: &mut [u8]) {
    if bytes.len() >= 16 {
        mend_word_12(bytes);
    }
}

/// A record that fills `bytes`.
pub fn record(bytes: &mut [u8]) {
    if bytes.len() >= HEADER_BYTES {
        put(bytes, 0, &(bytes.len() as u32).to_le_bytes());
        let crc = crc32c(&bytes[8..]);
        put(bytes, 4, &crc.to_le_bytes());
    }
}

pub fn frame_header(bytes: &mut [u8], number: u64) {
    put(bytes, 0, &FRAME_MAGIC.to_le_bytes());
    let mut covered = [0; FRAME_HEADER_BYTES];
    put(&mut covered, 0, &number.to_le_bytes());
    put(&mut covered, 8, &bytes[8..FRAME_HEADER_BYTES]);
    put(bytes, 4, &crc32c(&covered).to_le_bytes());
}

/// The header of a segment: its magic and format version too.
pub fn segment_header(bytes: &mut [u8]) {
    put(bytes, 0, b"MMSBLOG\0\x01\0\0\0");
    mend_word_12(&mut bytes[..64]);
}

/// A whole segment: its header, then frames and their records as far as they say that they go.
pub fn segment(bytes: &mut [u8]) {
    let start = SEGMENT_HEADER_BYTES as usize;
    if bytes.len() < start {
        return;
    }
    segment_header(bytes);
    let number = u64_at(bytes, 32);
    let mut at = start;
    while bytes.len() - at >= FRAME_HEADER_BYTES && bytes[at..at + 48].iter().any(|&b| b != 0) {
        let left = bytes.len() - at - FRAME_HEADER_BYTES;
        let len = (u64_at(bytes, at + 40) as usize).min(left);
        put(bytes, at + 40, &(len as u64).to_le_bytes());
        frame_header(&mut bytes[at..], number);
        at += FRAME_HEADER_BYTES;
        records(&mut bytes[at..at + len]);
        at += len;
    }
}

/// Records one after the other. A length that cannot be is made that of what is left.
fn records(mut bytes: &mut [u8]) {
    while bytes.len() >= RECORD_BYTES_MIN {
        let len = u32_at(bytes, 0) as usize;
        let len = if (RECORD_BYTES_MIN..=bytes.len()).contains(&len) { len } else { bytes.len() };
        let (head, rest) = std::mem::take(&mut bytes).split_at_mut(len);
        record(head);
        bytes = rest;
    }
}

/// A whole image: header, footer, entries, contents, metadata.
pub fn image(bytes: &mut [u8]) {
    const HEADER: usize = 4096;
    const ENTRY: usize = 64;
    const FOOTER: usize = 64;
    let len = bytes.len();
    if len < HEADER + FOOTER {
        return;
    }
    put(bytes, 0, b"MMSBIMG\0\x01\0\0\0");
    mend_word_12(&mut bytes[..HEADER]);
    let footer = len - FOOTER;
    let pages = (u64_at(bytes, footer + 16) as usize).min((footer - HEADER) / ENTRY);
    let entries = footer - pages * ENTRY;
    put(bytes, footer, b"MMSBEND\0");
    put(bytes, footer + 16, &(pages as u64).to_le_bytes());
    put(bytes, footer + 40, &(entries as u64).to_le_bytes());
    put(bytes, footer + 48, &(len as u64).to_le_bytes());
    mend_word_12(&mut bytes[footer..]);
    for at in (entries..footer).step_by(ENTRY) {
        for (offset, len, crc) in [(24, 40, 48), (32, 44, 52)] {
            let (from, len) = (u64_at(bytes, at + offset), u32_at(bytes, at + len) as usize);
            let sum = usize::try_from(from).ok().and_then(|from| bytes.get(from..)?.get(..len));
            if let Some(sum) = sum.map(crc32c) {
                put(bytes, at + crc, &sum.to_le_bytes());
            }
        }
        let sum = crc32c(&bytes[at..at + 60]);
        put(bytes, at + 60, &sum.to_le_bytes());
    }
}
