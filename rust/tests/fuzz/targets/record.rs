//! The record codec, with length and checksum that fit.

use super::mend;
use mmsb::Note;
use mmsb::log::record::{len_max, peek, write};
use mmsb::log::{Entry, Record};

pub fn record(data: &[u8]) {
    let mut bytes = data.to_vec();
    mend::record(&mut bytes);
    let Ok(record) = Record::parse(&bytes) else { return };
    assert_eq!((record.len(), peek(&bytes)), (bytes.len(), (bytes.len(), record.lsn)));
    // An iterator that has failed has ended.
    assert!(record.entries().count() <= bytes.len());
    if let Ok(entries) = record.entries().collect::<Result<Vec<_>, _>>() {
        comes_back(&record, &entries);
    }
}

/// What could be read can be written, and then reads the same.
fn comes_back(record: &Record<'_>, entries: &[Entry<'_>]) {
    let note = Note { source: record.source(), intent: record.intent() };
    let bodies = entries.iter().map(|entry| entry.body.len()).sum();
    let mut buf = vec![0; len_max(note, entries.len(), bodies)];
    let len = write(&mut buf, record.lsn, record.time_ms(), note, entries.len(), |out| {
        for entry in entries {
            out.entry(entry.head, entry.body.len()).bytes(entry.body);
        }
    });
    // Without entries it may be shorter than any record: labels that are no UTF-8 are replaced.
    let Ok(again) = Record::parse(&buf[..len]) else {
        assert!(entries.is_empty());
        return;
    };
    assert_eq!((again.lsn, again.time_ms()), (record.lsn, record.time_ms()));
    assert_eq!((again.source(), again.intent()), (note.source, note.intent));
    for (read, written) in again.entries().zip(entries) {
        let read = read.unwrap();
        assert_eq!((read.head, read.body), (written.head, written.body));
    }
    assert_eq!(again.entries().count(), entries.len());
}
