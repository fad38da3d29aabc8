//! What a scope must not let pass, and why the compiler says it does not.
//!
//! The compiler's words change from version to version, so they are compared for the one that the files were
//! written with. The doc tests of `group/src/scope.rs` have the same programs rejected by any compiler, for
//! whatever reason.

/// The version whose words are in the files. When it changes: `TRYBUILD=overwrite`, and read the difference.
const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn what_borrows_for_too_long_does_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().expect("there is a compiler");
    let version = String::from_utf8_lossy(&version.stdout);
    if version.starts_with(WRITTEN_WITH) {
        trybuild::TestCases::new().compile_fail("tests/scope_rejected/*.rs");
    } else {
        println!("the messages of {} are not known here", version.trim());
    }
}
