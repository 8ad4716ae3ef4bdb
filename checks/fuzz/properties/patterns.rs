use twenty_webhook_core::{EventName, EventPattern};

/// The first line is a pattern, the second the name of an event. A pattern prints as written, and matches an event exactly if it is one of
/// the texts that Twenty looks up in a webhook's subscriptions.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, "person.created"));
    let name = EventName::from(name);
    let Ok(parsed) = pattern.parse::<EventPattern>() else { return };
    assert_eq!(parsed.to_string(), pattern);

    let parts: Vec<_> = name.as_str().split('.').collect();
    let subscriptions = match parts[..] {
        ["metadata", object, action] => vec![
            format!("metadata.{object}.{action}"),
            format!("metadata.{object}.*"),
            format!("metadata.*.{action}"),
            "metadata.*.*".to_owned(),
            "*.*".to_owned(),
        ],
        [object, action] => {
            vec![format!("{object}.{action}"), format!("*.{action}"), format!("{object}.*"), "*.*".to_owned()]
        }
        // Twenty does not send such a name.
        _ => return,
    };
    assert_eq!(
        parsed.matches(&name),
        subscriptions.iter().any(|subscription| subscription == pattern),
        "{pattern} {name}"
    );
}
