//! Headers: of frames, and of segments.

use super::mend;
use mmsb::env::{MemStorage, OpenMode, Storage};
use mmsb::log::segment::{FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES, Segment};
use std::io::IoSlice;

pub fn frame(data: &[u8]) {
    let Some((&[flags, number], rest)) = data.split_first_chunk() else { return };
    let mut bytes = rest.to_vec();
    if bytes.len() >= FRAME_HEADER_BYTES && flags & 1 == 0 {
        mend::frame_header(&mut bytes, number.into());
    }
    if let Some(header) = FrameHeader::decode(&bytes, number.into()) {
        let again = header.encode(number.into());
        assert_eq!(FrameHeader::decode(&again, number.into()), Some(header));
        assert_eq!(FrameHeader::decode(&again, u64::from(number) + 1), None);
    }
    segment_header(rest, flags & 2 == 0);
}

fn segment_header(fields: &[u8], mended: bool) {
    let mut block = [0; SEGMENT_HEADER_BYTES as usize];
    let len = fields.len().min(block.len());
    block[..len].copy_from_slice(&fields[..len]);
    if mended {
        block[64..].fill(0);
        block[47] &= 0x7F; // a base that a log can reach
        mend::segment_header(&mut block);
    }
    let storage = MemStorage::new();
    let file = storage.open("x.log", OpenMode::Create).unwrap();
    file.write_at(0, &[IoSlice::new(&block)]).unwrap();
    let opened = Segment::open(&storage, "x.log", OpenMode::Read).unwrap();
    assert!(opened.is_ok() || !mended, "a mended header was refused");
}
