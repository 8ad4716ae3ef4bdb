use twenty_webhook_inbox::CatchUpStore;

use crate::CatchUpError;
use crate::ids::ALL;
use crate::objects::Object;
use crate::page::Page;
use crate::session::Session;

pub(crate) enum LookUp {
    /// The record does not exist at this time, in Unix milliseconds by the server's clock.
    Gone(i64),
    Exists,
    Unknown,
}

/// A record that this key can read now.
pub(crate) enum Control {
    Record(String),
    /// The list is empty.
    None,
}

/// Requests one record together with a control, a record that exists. A response without the control proves nothing, because the role or the
/// filter may hide both.
pub(crate) async fn look_up<S: CatchUpStore>(
    session: &Session<'_, S>,
    object: &Object,
    id: &str,
    control: &mut Option<Control>,
) -> Result<LookUp, CatchUpError> {
    // The control may have been destroyed meanwhile. Then another one is chosen, once.
    for _ in 0..2 {
        if control.is_none() {
            let (page, _) = read(session, object, ALL, 1).await?;
            let first = page.rows.into_iter().next();
            *control = Some(first.map_or(Control::None, |row| Control::Record(row.id)));
        }
        let (filter, expected) = match control {
            Some(Control::Record(known)) => {
                (format!("and(or(id[eq]:\"{id}\",id[eq]:\"{known}\"),{ALL})"), Some(known.as_str()))
            }
            // The object has no records, or the role hides them all.
            _ if !session.config.accepts_destroys => return Ok(LookUp::Unknown),
            _ => (format!("and(id[eq]:\"{id}\",{ALL})"), None),
        };
        let (page, date) = read(session, object, &filter, 2).await?;
        let is_there = page.rows.iter().any(|row| row.id == id);
        let has_control = expected.is_none_or(|known| page.rows.iter().any(|row| row.id == known));
        let has_others = page.rows.iter().any(|row| row.id != id && Some(row.id.as_str()) != expected);
        if has_others {
            return Err(CatchUpError::InvalidResponse("it contains records that the filter excludes".to_owned()));
        }
        if is_there {
            return Ok(LookUp::Exists);
        }
        if has_control {
            return Ok(LookUp::Gone(date));
        }
        *control = None;
    }
    Ok(LookUp::Unknown)
}

async fn read<S>(
    session: &Session<'_, S>,
    object: &Object,
    filter: &str,
    limit: u32,
) -> Result<(Page, i64), CatchUpError> {
    let limit = limit.to_string();
    let query = [("filter", filter), ("order_by", "id[AscNullsFirst]"), ("limit", limit.as_str()), ("depth", "0")];
    let answer = session.get(&[&object.plural], &query).await?;
    Ok((Page::read(&answer.body, &object.plural)?, answer.date))
}
