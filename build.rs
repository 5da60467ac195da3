//! Gives the shared library its name on systems where a linker asks for one, and keeps it loaded: threads
//! that used it call it once more when they end, after any `dlclose`. `make build` puts a link
//! of that name beside the file, so that programs run from the build folder, too; a build script runs
//! too early for it, and in the builds of programs that depend on this crate.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Not `rustc-cdylib-link-arg`: that one also reaches shared libraries that the engine is
        // linked into, such as the Python module, which a loader would then take for this one.
        println!("cargo:rustc-link-arg=-Wl,-soname,libmmsb.so.0");
        println!("cargo:rustc-link-arg=-Wl,-z,nodelete");
    }
}
