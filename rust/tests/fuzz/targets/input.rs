//! Reads numbers and bytes off a fuzzer's input; zeros when it has ended.

use mmsb::stdx::codec::Dec;

pub struct Input<'a>(Dec<'a>);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Input<'a> {
        Input(Dec::new(data))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        self.0.u8().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        self.0.u16().unwrap_or(self.0.remaining() as u16)
    }

    pub fn u64(&mut self) -> u64 {
        self.0.u64().unwrap_or(self.0.remaining() as u64)
    }

    /// Below `n`, which is not 0 and at most 65,536.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 256 { self.u8() as usize % n } else { self.u16() as usize % n }
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u8) -> bool {
        // Not for 0, which is what an ended input gives.
        self.u8() % n == n - 1
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// At most `n` bytes.
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        self.0.bytes(n.min(self.0.remaining())).unwrap_or(&[])
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }
}
