//! Checks the fuzzer's properties for its corpus, with the stable compiler.

#[path = "../../checks/fuzz/properties/mod.rs"]
mod properties;

use std::fs;
use std::path::PathBuf;

#[test]
fn chunks() {
    replay("chunks", properties::chunks::check);
}

#[test]
fn events() {
    replay("events", properties::events::check);
}

#[test]
fn headers() {
    replay("headers", properties::headers::check);
}

#[test]
fn patterns() {
    replay("patterns", properties::patterns::check);
}

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../checks/fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 9, "the corpus is there");
    for file in files {
        // Shown if the check panics.
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}
