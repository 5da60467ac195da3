//! The manifest, with a checksum that fits.

use super::mend;
use mmsb::checkpoint::Manifest;
use mmsb::checkpoint::manifest::MANIFEST;
use mmsb::env::sim::SimStorage;

pub fn manifest(data: &[u8]) {
    let Some((&flags, fields)) = data.split_first() else { return };
    let mut bytes = fields.to_vec();
    if flags & 1 == 0 {
        mend::manifest(&mut bytes);
    }
    let disk = SimStorage::new(1);
    disk.write_file(MANIFEST, &bytes).unwrap();
    let Ok(Some(manifest)) = Manifest::read(&disk) else { return };
    manifest.write(&disk).unwrap();
    assert_eq!(Manifest::read(&disk).unwrap(), Some(manifest));
}
