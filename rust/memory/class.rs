//! Size classes: which sizes blocks come in.
//!
//! Sixteen-byte steps up to 128, then eight steps to each doubling up to 1 MiB:
//!
//! ```text
//!   16 32 .. 128 | 144 160 .. 256 | 288 .. 512 | .. | 576 KiB .. 1 MiB
//! ```
//!
//! So a block wastes less than 16 bytes, or less than an eighth of itself. Every class is a multiple
//! of 16, and a class in `(2^t, 2^(t+1)]` one of `2^(t-3)`: blocks follow each other from the start
//! of a slab, so that is how they are aligned.

/// Bytes of a slab, and what slabs are aligned to.
pub const SLAB_BYTES: usize = 2 << 20;
/// The largest class; what is larger takes slabs of its own, a span.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;
/// The strictest alignment that a block can be asked for.
pub const BLOCK_ALIGN_MAX: usize = 4096;
/// Number of classes.
pub const CLASSES: usize = 8 + 13 * 8;

const STEP: usize = 16;
/// Requests up to this size look their class up.
const LOOKUP_BYTES_MAX: usize = 1024;
/// Bytes of blocks that a thread keeps of a class, at most.
const MAGAZINE_BYTES: usize = 256 << 10;
/// Blocks that it keeps, at most.
const MAGAZINE_MAX: usize = 512;

/// Bytes of a block of each class.
pub static BLOCK_BYTES: [u32; CLASSES] = {
    let mut bytes = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        bytes[class] = bytes_of(class) as u32;
        class += 1;
    }
    bytes
};

/// Blocks that a thread keeps of each class. None of the largest: a block goes straight back to its
/// slab.
pub static MAGAZINE: [u32; CLASSES] = {
    let mut blocks = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let fit = MAGAZINE_BYTES / bytes_of(class);
        blocks[class] = if fit > MAGAZINE_MAX { MAGAZINE_MAX as u32 } else { fit as u32 };
        class += 1;
    }
    blocks
};

/// Blocks of all magazines of a thread.
pub const MAGAZINES: usize = {
    let mut sum = 0;
    let mut class = 0;
    while class < CLASSES {
        let fit = MAGAZINE_BYTES / bytes_of(class);
        sum += if fit > MAGAZINE_MAX { MAGAZINE_MAX } else { fit };
        class += 1;
    }
    sum
};

/// 2^32 divided by a class's size, rounded up: which block an offset in a slab is of takes a
/// multiplication instead of a division.
static RECIPROCAL: [u32; CLASSES] = {
    let mut reciprocals = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        reciprocals[class] = (1u64 << 32).div_ceil(bytes_of(class) as u64) as u32;
        class += 1;
    }
    reciprocals
};

static LOOKUP: [u8; LOOKUP_BYTES_MAX / STEP + 1] = {
    let mut classes = [0; LOOKUP_BYTES_MAX / STEP + 1];
    let mut at = 1;
    while at < classes.len() {
        classes[at] = computed(at * STEP) as u8;
        at += 1;
    }
    classes
};

const fn bytes_of(class: usize) -> usize {
    if class < 8 {
        return (class + 1) * STEP;
    }
    // Eight steps above 2^t, with t = 7 for the first doubling.
    let doubling = (class - 8) / 8;
    (9 + (class - 8) % 8) << (4 + doubling)
}

/// The class of `size`, 1 to [`BLOCK_BYTES_MAX`].
const fn computed(size: usize) -> usize {
    if size <= 128 {
        return (size - 1) / STEP;
    }
    let top = (size - 1).ilog2() as usize;
    let steps = size.div_ceil(1 << (top - 3));
    8 + (top - 7) * 8 + (steps - 9)
}

/// The class whose blocks hold `size` bytes; `None` above [`BLOCK_BYTES_MAX`]. A size of zero counts
/// as one.
#[inline]
pub fn class_of(size: usize) -> Option<usize> {
    if size <= LOOKUP_BYTES_MAX {
        return Some(LOOKUP[size.div_ceil(STEP)].into());
    }
    (size <= BLOCK_BYTES_MAX).then(|| computed(size))
}

/// The class whose blocks hold `size` bytes and start at multiples of `align`, a power of two up to
/// [`BLOCK_ALIGN_MAX`]; `None` above [`BLOCK_BYTES_MAX`].
#[inline]
pub fn class_aligned(size: usize, align: usize) -> Option<usize> {
    if align <= STEP {
        return class_of(size);
    }
    let first = class_of(size.next_multiple_of(align))?;
    (first..CLASSES).find(|&class| block_bytes(class).is_multiple_of(align))
}

/// Bytes of a block of `class`.
#[inline]
pub fn block_bytes(class: usize) -> usize {
    BLOCK_BYTES[class] as usize
}

/// Places for blocks of `class` in a slab. The first [`map_blocks`] of them hold its map.
pub fn blocks_per_slab(class: usize) -> u32 {
    (SLAB_BYTES / block_bytes(class)) as u32
}

/// Blocks that a slab's map of free blocks takes: none where one word is enough, which stands beside
/// the slab.
pub fn map_blocks(class: usize) -> u32 {
    match map_words(class) {
        1 => 0,
        words => (words * size_of::<u64>()).div_ceil(block_bytes(class)) as u32,
    }
}

/// Words of a slab's map of free blocks.
pub fn map_words(class: usize) -> usize {
    (blocks_per_slab(class) as usize).div_ceil(64)
}

/// The block that begins at `offset`, a multiple of the class's size.
#[inline]
pub fn block_at(class: usize, offset: usize) -> u32 {
    ((offset as u64 * u64::from(RECIPROCAL[class])) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for size in 1..=BLOCK_BYTES_MAX {
            let class = class_of(size).unwrap();
            let bytes = block_bytes(class);
            assert!(bytes >= size && (class == 0 || block_bytes(class - 1) < size), "{size}");
            assert!(bytes - size < 16 || (bytes - size) * 8 <= bytes, "{size} in {bytes}");
        }
        assert_eq!((class_of(0), class_of(BLOCK_BYTES_MAX + 1)), (Some(0), None));
        assert_eq!(block_bytes(CLASSES - 1), BLOCK_BYTES_MAX);
    }

    #[test]
    fn offsets_and_blocks_agree() {
        for class in 0..CLASSES {
            for block in 0..blocks_per_slab(class) {
                assert_eq!(block_at(class, block as usize * block_bytes(class)), block);
            }
            let waste = map_blocks(class) * 100;
            assert!(waste <= 2 * blocks_per_slab(class), "maps take {waste} % of class {class}");
        }
    }

    #[test]
    fn aligned_classes_are_multiples_of_the_alignment() {
        for size in (0..70_000).chain([BLOCK_BYTES_MAX - 1, BLOCK_BYTES_MAX]) {
            for align in [1, 16, 32, 64, 256, BLOCK_ALIGN_MAX] {
                let bytes = block_bytes(class_aligned(size, align).unwrap());
                assert!(bytes >= size && bytes.is_multiple_of(align), "{size} at {align}");
                let wanted = size.max(1).next_multiple_of(align);
                assert!((bytes - wanted) * 8 <= bytes || bytes - wanted < 16, "{size} at {align}");
            }
        }
    }
}
