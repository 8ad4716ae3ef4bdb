//! The tests of docs/getting-started.md and docs/testing.md, as those pages show them.

#[allow(dead_code, reason = "the receiver's `main`")]
mod getting_started;
mod handler;
mod outage;
mod route;

#[test]
fn getting_started_shows_this_receiver() {
    let page = include_str!("../../../docs/getting-started.md");
    let source = include_str!("getting_started.rs");
    assert!(
        page.contains(&format!("```rust,no_run\n{source}```")),
        "docs/getting-started.md differs from getting_started.rs"
    );
}

#[test]
fn the_page_shows_these_tests() {
    let page = include_str!("../../../docs/testing.md");
    for (name, source) in [
        ("handler", include_str!("handler.rs")),
        ("route", include_str!("route.rs")),
        ("outage", include_str!("outage.rs")),
    ] {
        assert!(page.contains(&format!("```rust\n{source}```")), "docs/testing.md does not show {name}.rs as it is");
    }
    let readme = include_str!("../../../twenty-webhook-testing/README.md");
    let source = include_str!("route.rs");
    assert!(
        readme.contains(&format!("```rust\n{source}```")),
        "the README of twenty-webhook-testing differs from route.rs"
    );
}
