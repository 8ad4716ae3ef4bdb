//! The tests that docs/testing.md shows.

mod handler;
mod outage;
mod route;

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
