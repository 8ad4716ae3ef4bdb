use maud::{DOCTYPE, Markup, html};

use crate::dashboard::assets::{SCRIPT_QUERY, STYLE_QUERY};
use crate::dashboard::text::age;
use crate::{Counts, State};

pub(super) fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href={ "?" (STYLE_QUERY) };
            }
            body { (content) }
        }
    }
}

pub(super) fn message(title: &str, text: &str) -> Markup {
    page(
        title,
        &html! {
            h1 { (title) }
            p { (text) }
            p { a href="?" { "All jobs" } }
        },
    )
}

/// A tile for each state: how many jobs, and how old the oldest is.
pub(super) fn counts(counts: &Counts, paused: bool) -> Markup {
    html! {
        @for state in State::ALL {
            a class=(format!("{state}{}", if counts.of(state) > 0 { " some" } else { "" })) href={ "?state=" (state) } {
                (state)
                b { (counts.of(state)) }
                small {
                    @match counts.oldest(state) {
                        Some(oldest) => { "oldest " (age(oldest)) }
                        None => { "\u{a0}" }
                    }
                }
            }
        }
        @if paused { p.dead { "Paused: workers claim nothing." } }
    }
}

pub(super) fn live(counts: &Markup) -> Markup {
    html! {
        div #counts { (counts) }
        script src={ "?" (SCRIPT_QUERY) } defer {}
    }
}
