//! What the fuzzers found, each by its name.

use crate::targets::state::open;
use mmsb::checkpoint::manifest::Kind;
use mmsb::checkpoint::{Image, ImagePage, ImageRef, ImageWriter, Manifest};
use mmsb::env::Storage;
use mmsb::env::sim::{PowerLoss, SimStorage};
use mmsb::ffi::allocator::{rust_allocator_free, rust_allocator_list_pages, rust_allocator_new};
use mmsb::ffi::status::MmsbStatus;
use mmsb::ffi::{MmsbAllocator, MmsbPage, allocator};
use mmsb::log::record::{self, EntryHead};
use mmsb::log::segment::{FRAME_HEADER_BYTES, FrameHeader};
use mmsb::{Epoch, ErrorKind, Location, Lsn, Note, Ownership, PageId, State};
use std::ptr;

const IDENTITY: [u8; 16] = *b"found by fuzzing";

/// An image of one page, which was changed last at `changed`.
fn image(lsn: Lsn, changed: Lsn, epoch: Epoch, next_id: u64) -> (SimStorage, u64) {
    let disk = SimStorage::new(1);
    let name = ImageRef { lsn, bytes: 0, name: String::new() }.file_name();
    let mut writer = ImageWriter::create(&disk, &name, IDENTITY).unwrap();
    let (id, location, bytes) = (PageId(1), Location::Cpu, &[7; 10][..]);
    let ownership = Ownership::Shared;
    let private = false;
    let page =
        ImagePage { id, epoch, lsn: changed, location, ownership, private, bytes, meta: None };
    writer.add(&page).unwrap();
    let len = writer.finish(next_id, lsn).unwrap();
    (disk, len)
}

/// The state that begins with that image.
fn state(lsn: Lsn, next_id: u64) -> mmsb::Result<State> {
    let (disk, bytes) = image(lsn, Lsn(500), 1, next_id);
    let mut manifest = Manifest::new(IDENTITY, Kind::State);
    manifest.images.push(ImageRef { lsn, bytes, name: String::new() });
    manifest.write(&disk).unwrap();
    open(&disk)
}

/// A closed state of which every id was looked at, from the first to the last.
#[test]
fn a_state_that_gave_out_many_ids_closes_at_once() {
    let state = state(Lsn(1023), 1 << 40).unwrap();
    assert_eq!(state.read_all(PageId(1)).unwrap(), [7; 10]);
    state.close().unwrap();
}

/// The LSNs after it wrapped around to 0: what was written then could not be opened.
#[test]
fn an_lsn_without_room_after_it_is_damage() {
    assert!(state(Lsn::LIMIT, 2).unwrap_err().is_corrupt());
    let last = state(Lsn::end_of((Lsn::LIMIT.0 >> Lsn::LANE_BITS) - 1), 2).unwrap();
    last.update(PageId(1), &[8; 10], Note::NONE).unwrap();
    last.close().unwrap();
}

/// The epoch after it was 0.
#[test]
fn an_epoch_beyond_the_lsns_is_damage() {
    let opened = |lsn, changed, epoch| {
        let (disk, _) = image(lsn, changed, epoch, 2);
        let name = disk.list().unwrap().pop().unwrap();
        Image::open(&disk, &name).unwrap().read_page(PageId(1)).map(drop)
    };
    opened(Lsn(1023), Lsn(500), 500).unwrap();
    assert!(opened(Lsn(1023), Lsn(500), 501).unwrap_err().is_corrupt());
    assert!(opened(Lsn(1023), Lsn(1024), 1).unwrap_err().is_corrupt());
    let entry = |epoch| {
        let head = EntryHead { kind: 2, object: 1, prev: Lsn::ZERO, epoch };
        let mut buf = [0; 100];
        let len = record::write(&mut buf, Lsn(500), 0, Note::NONE, 1, |entries| {
            entries.entry(head, 0);
        });
        mmsb::log::Record::parse(&buf[..len]).unwrap().entries().next().unwrap().map(drop)
    };
    entry(500).unwrap();
    entry(501).unwrap_err();
}

/// The id after it was 0.
#[test]
fn a_page_with_the_last_of_all_ids_is_refused() {
    let disk = SimStorage::new(1);
    let state = open(&disk).unwrap();
    state.create_page(10, Note::NONE).unwrap();
    state.flush().unwrap();
    let disk = disk.crash(PowerLoss::KeepAll);
    let name = "0000000000000001.log";
    let mut log = disk.read_file(name).unwrap();
    let frame = FrameHeader::decode(&log[4096..], 1).unwrap();
    let at = 4096 + FRAME_HEADER_BYTES + frame.bytes as usize;
    let lsn = Lsn(frame.closed.0 + 1);
    let body = &mut log[at + FRAME_HEADER_BYTES..];
    let len = record::write(body, lsn, 0, Note::NONE, 1, |entries| {
        let head = EntryHead { kind: 1, object: u64::MAX, prev: Lsn::ZERO, epoch: 0 };
        entries.entry(head, 5).bytes(&[10, 0, 0, 0, 0]);
    });
    let next = FrameHeader {
        closed: Lsn::end_of(lsn.tick()),
        prev_closed: frame.closed,
        synced: Lsn::ZERO,
        records: 1,
        bytes: len as u64,
    };
    log[at..at + FRAME_HEADER_BYTES].copy_from_slice(&next.encode(1));
    disk.write_file(name, &log).unwrap();
    let error = open(&disk).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(error.message().contains(&u64::MAX.to_string()), "{error}");
}

/// A call that failed for want of a buffer told a length all the same.
#[test]
fn a_null_buffer_is_told_no_length() {
    let mut pages = MmsbAllocator { id: 0 };
    let (mut page, mut len) = (MmsbPage { owner: 0, id: 0 }, 77);
    // SAFETY: the places are valid, or null where that is refused.
    unsafe {
        assert_eq!(rust_allocator_new(&mut pages), MmsbStatus::Ok);
        let made = allocator::rust_allocator_allocate(pages, 10, 0, &mut page);
        assert_eq!(made, MmsbStatus::Ok);
        let status = rust_allocator_list_pages(pages, ptr::null_mut(), 5, &mut len);
        assert_eq!((status, len), (MmsbStatus::NullHandle, 77));
        let status = rust_allocator_list_pages(pages, ptr::null_mut(), 0, &mut len);
        assert_eq!((status, len), (MmsbStatus::LengthMismatch, 1));
        assert_eq!(rust_allocator_free(&mut pages), MmsbStatus::Ok);
    }
}

/// It was read and written where it stood.
#[test]
fn a_handle_in_a_crooked_place_is_refused() {
    let mut places = [0u64; 2];
    let crooked = places.as_mut_ptr().wrapping_byte_add(1).cast();
    // SAFETY: the place lies inside `places`.
    let status = unsafe { rust_allocator_free(crooked) };
    assert_eq!(status, MmsbStatus::InvalidArgument);
}
