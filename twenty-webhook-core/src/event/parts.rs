use crate::NotAnEvent;
use crate::json::{for_each_element, for_each_member};

/// The most parts that an event may have. A part is what is kept decoded: a member of the body, of an item or of a change of the data model,
/// an item, or the name of a changed field. What is inside a record is no part.
///
/// A part takes up to a few hundred bytes, and as text as few as three, so without a limit a body of 32 MiB could take a gigabyte. Twenty's
/// events have a few dozen parts, and a batch a few for each record.
const MAX: usize = 256 * 1024;

/// How deep parts are nested: body, items, item, names.
const DEPTH: u8 = 4;

/// Checks the number of parts of `body` before any of them is kept.
pub(super) fn check(body: &str) -> Result<(), NotAnEvent> {
    // One of these is before each part. This pass is fast, and enough for nearly all bodies.
    let before_a_part = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    if body.len() <= MAX || body.bytes().filter(before_a_part).count() <= MAX {
        return Ok(());
    }
    let parts = of_object(body, DEPTH).map_err(|_| NotAnEvent::not_an_object(body))?;
    if parts > MAX { Err(NotAnEvent::TooManyParts { parts, limit: MAX }) } else { Ok(()) }
}

fn of_object(object: &str, depth: u8) -> Result<usize, serde_json::Error> {
    let mut inner = 0;
    let members = for_each_member(object, |name, value| {
        if matches!(&*name, "items" | "updatedFields" | "event" | "properties") {
            inner += of_value(value, depth - 1);
        }
    })?;
    Ok(members + inner)
}

/// 0 for a text or a number.
fn of_value(value: &str, depth: u8) -> usize {
    match value.as_bytes() {
        _ if depth == 0 => 0,
        [b'{', ..] => of_object(value, depth).unwrap_or_default(),
        [b'[', ..] => {
            let mut parts = 0;
            // It is the value of a valid member, so this cannot fail.
            let _ = for_each_element(value, |element| parts += 1 + of_value(element, depth - 1));
            parts
        }
        _ => 0,
    }
}
