//! The cursor codec: half of the input says what to read from the other half.

use mmsb::stdx::codec::{Dec, Enc, VARINT_BYTES_MAX};

pub fn codec(data: &[u8]) {
    let (reads, bytes) = data.split_at(data.len() / 2);
    let mut dec = Dec::new(bytes);
    for &read in reads {
        let at = dec.pos();
        let got = match read % 8 {
            0 => dec.u8().is_some(),
            1 => dec.u16().is_some(),
            2 => dec.u32().is_some(),
            3 => dec.u64().is_some(),
            4 => dec.bytes(usize::MAX - read as usize).is_some(),
            5 => dec.bytes(read as usize >> 3).is_some(),
            _ => dec.varint().inspect(|&value| is_shortest(value, &bytes[at..dec.pos()])).is_some(),
        };
        assert!(got || dec.pos() == at, "a failed read moved the cursor");
        assert_eq!(dec.rest(), &bytes[dec.pos()..]);
    }
}

/// A number is written in one way, the way in which it was read.
fn is_shortest(value: u64, spelled: &[u8]) {
    let mut buf = [0; VARINT_BYTES_MAX];
    let mut enc = Enc::new(&mut buf);
    enc.varint(value);
    let len = enc.pos();
    assert_eq!(spelled, &buf[..len]);
}
