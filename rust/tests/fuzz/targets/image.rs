//! Images, with checksums that fit: read by themselves, and as what a state begins with.
//!
//! The input is a flag, the header's first 32 bytes, and everything after the header.

use super::mend;
use super::state::{SMALL, exercise, open};
use mmsb::PageId;
use mmsb::checkpoint::manifest::Kind;
use mmsb::checkpoint::{Image, ImageRef, Manifest};
use mmsb::env::sim::SimStorage;
use mmsb::page::table::Backing;

const HEADER_BYTES: usize = 4096;
const FIELDS_BYTES: usize = 32;

pub fn image(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else { return };
    let (fields, rest) = data.split_at(data.len().min(FIELDS_BYTES));
    let mut bytes = fields.to_vec();
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(rest);
    if flags & 1 == 0 {
        mend::image(&mut bytes);
    }
    let disk = SimStorage::new(1);
    disk.write_file("x.image", &bytes).unwrap();
    let Ok(image) = Image::open(&disk, "x.image") else { return };
    read(&image);
    begin(&disk, &image, &bytes);
}

/// What verification finds sound can be read.
fn read(image: &Image) {
    let sound = image.verify(|_| Ok(())).is_ok();
    let mut pages = 0;
    for id in 0..image.next_id().min(SMALL) {
        let copy = image.read_page(PageId(id));
        let backed = image.page(PageId(id));
        assert!(!sound || (copy.is_ok() && backed.is_ok()));
        if let (Ok(Some(copy)), Ok(Some(backed))) = (copy, backed) {
            assert_eq!((copy.bytes.len(), copy.epoch), (backed.size as usize, backed.epoch));
            pages += 1;
        }
    }
    assert!(!sound || image.next_id() > SMALL || pages == image.pages());
}

/// A directory whose newest checkpoint this image is, without a log after it.
fn begin(disk: &SimStorage, image: &Image, bytes: &[u8]) {
    let image_ref = ImageRef { lsn: image.lsn, bytes: bytes.len() as u64, name: String::new() };
    disk.write_file(&image_ref.file_name(), bytes).unwrap();
    let mut manifest = Manifest::new(image.identity, Kind::State);
    manifest.images.push(image_ref);
    manifest.write(disk).unwrap();
    if let Ok(state) = open(disk) {
        exercise(disk, state);
    }
}
