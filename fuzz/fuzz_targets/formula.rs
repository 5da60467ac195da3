#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mmsb_fuzz::targets::formula(data));
