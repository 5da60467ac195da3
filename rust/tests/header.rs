//! `include/mmsb.h` is what cbindgen makes of `rust/ffi`. `make header` writes it anew.

use std::path::Path;

#[test]
fn the_header_is_the_one_that_the_code_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::generate_with_config(root, config).unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = root.join("include/mmsb.h");
    if std::env::var_os("MMSB_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "include/mmsb.h is out of date: run `make header`");
}
