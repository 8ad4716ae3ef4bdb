use anyhow::{Context, bail};

use super::fresh::{self, Fresh};
use super::template::{fill, quoted};
use super::{EventName, Form};

/// What to make samples of.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) event: EventName,
    pub(crate) form: Form,
    pub(crate) target_url: String,
}

impl Sample {
    /// A body: another one each time.
    pub(crate) fn body(&self) -> anyhow::Result<String> {
        let fresh = Fresh::new();
        let name = self.event.to_string();
        if self.event.metadata().is_none() && matches!(self.form, Form::Metadata | Form::EarlyMetadata) {
            bail!(
                "{name} is a record's event; this form is for changes of the data model, as metadata.fieldMetadata.updated"
            );
        }
        if self.event.metadata().is_some() && !matches!(self.form, Form::Metadata | Form::EarlyMetadata) {
            bail!("{name} is a change of the data model; for it there is --form metadata and --form early-metadata");
        }
        let now = fresh.now();
        match self.form {
            Form::Record | Form::EarlyMetadata => {
                let record = self.record(&fresh)?;
                self.envelope(&now, "eventName", &name, &format!("\"record\":{record}{}", self.updated_fields()))
            }
            Form::Batch => {
                let mut items = Vec::new();
                for _ in 0..2 {
                    items.push(format!("{{\"record\":{}{}}}", self.record(&fresh)?, self.updated_fields()));
                }
                let items = format!("\"items\":[{}],\"batchSize\":{}", items.join(","), items.len());
                self.envelope(&now, "eventName", &name, &items)
            }
            Form::Metadata => self.metadata(&fresh),
            Form::Documented => {
                let data = [("id", quoted(&fresh::id()?)), ("seconds_date", quoted(&fresh.in_seconds()))];
                let data = fill(include_str!("../../samples/documented.json"), &data);
                let (event, sent) = (quoted(&name), quoted(&fresh.in_seconds()));
                Ok(format!("{{\"event\":{event},\"data\":{data},\"timestamp\":{sent}}}"))
            }
            Form::August2024 | Form::January2024 => {
                let verb = self.event.verb().with_context(|| format!("in 2024 there was no {name}"))?;
                let object = &self.event.object;
                let values = [
                    ("id", quoted(&fresh::id()?)),
                    ("old_date", quoted(&fresh.with_offset())),
                    ("object", quoted(object)),
                ];
                let record = format!("\"record\":{}", fill(include_str!("../../samples/2024.json"), &values));
                if self.form == Form::August2024 {
                    self.envelope(&now, "eventName", &format!("{object}.{verb}"), &record)
                } else {
                    self.envelope(&now, "eventType", &format!("{verb}.{object}"), &record)
                }
            }
        }
    }

    /// What a record's event has around the record.
    fn envelope(&self, date: &str, key: &str, name: &str, rest: &str) -> anyhow::Result<String> {
        let object = self.event.metadata().unwrap_or(&self.event.object);
        let author = if self.form == Form::January2024 || self.form == Form::August2024 {
            String::new()
        } else {
            format!("\"userId\":\"{}\",\"workspaceMemberId\":\"{}\",", fresh::id()?, fresh::id()?)
        };
        Ok(format!(
            "{{\"targetUrl\":{},\"{key}\":{},\"objectMetadata\":{{\"id\":\"{}\",\"nameSingular\":{}}},\"workspaceId\":\"{}\",\
             \"webhookId\":\"{}\",\"eventDate\":\"{date}\",{author}{rest}}}",
            quoted(&self.target_url),
            quoted(name),
            fresh::id()?,
            quoted(object),
            fresh::id()?,
            fresh::id()?,
        ))
    }

    fn record(&self, fresh: &Fresh) -> anyhow::Result<String> {
        let template = match self.event.object.as_str() {
            "person" => include_str!("../../samples/person.json"),
            "company" => include_str!("../../samples/company.json"),
            "opportunity" => include_str!("../../samples/opportunity.json"),
            "task" => include_str!("../../samples/task.json"),
            "note" => include_str!("../../samples/note.json"),
            "workspaceMember" => include_str!("../../samples/workspaceMember.json"),
            _ => include_str!("../../samples/custom.json"),
        };
        let created = if self.event.action == "created" { fresh.now() } else { fresh.days_ago(30) };
        let deleted = if self.event.action == "deleted" { quoted(&fresh.now()) } else { "null".into() };
        let values = [
            ("id", quoted(&fresh::id()?)),
            ("other_id", quoted(&fresh::id()?)),
            ("member_id", quoted(&fresh::id()?)),
            ("user_id", quoted(&fresh::id()?)),
            ("created_at", quoted(&created)),
            ("updated_at", quoted(&fresh.now())),
            ("deleted_at", deleted),
            ("due_at", quoted(&fresh.days_ago(-14))),
        ];
        Ok(fill(template, &values))
    }

    /// As Twenty has them: on `updated`, and on `deleted` and `restored` lately.
    fn updated_fields(&self) -> String {
        let fields = match (self.event.action.as_str(), self.event.object.as_str()) {
            ("updated", "person") => "\"emails\",\"jobTitle\"",
            ("updated", "company") => "\"employees\",\"address\"",
            ("updated", "opportunity") => "\"stage\",\"amount\"",
            ("updated", "task") => "\"status\"",
            ("updated", "note") => "\"title\",\"bodyV2\"",
            ("updated", "workspaceMember") => "\"colorScheme\"",
            ("updated", _) => "\"name\"",
            ("deleted" | "restored", _) => "\"deletedAt\"",
            _ => return String::new(),
        };
        format!(",\"updatedFields\":[{fields}]")
    }

    fn metadata(&self, fresh: &Fresh) -> anyhow::Result<String> {
        let (name, id) = (self.event.metadata().unwrap_or_default(), quoted(&fresh::id()?));
        let state = |label: &str, updated: String| {
            let values = [
                ("other_id", id.clone()),
                ("label", quoted(label)),
                ("created_at", quoted(&fresh.days_ago(30))),
                ("updated_at", quoted(&updated)),
            ];
            fill(include_str!("../../samples/metadata.json"), &values)
        };
        let (before, after) = (state("Start", fresh.days_ago(30)), state("Launch date", fresh.now()));
        let properties = match self.event.action.as_str() {
            "created" => format!("\"after\":{after}"),
            "deleted" => format!("\"before\":{before}"),
            _ => format!(
                "\"updatedFields\":[\"label\"],\"diff\":{{\"label\":{{\"before\":\"Start\",\"after\":\"Launch date\"}}}},\
                 \"before\":{before},\"after\":{after}"
            ),
        };
        Ok(format!(
            "{{\"targetUrl\":{},\"eventName\":{},\"workspaceId\":\"{}\",\"webhookId\":\"{}\",\"eventDate\":\"{}\",\"userId\":\"{}\",\
             \"event\":{{\"type\":{},\"metadataName\":{},\"recordId\":{id},\"properties\":{{{properties}}}}}}}",
            quoted(&self.target_url),
            quoted(&self.event.to_string()),
            fresh::id()?,
            fresh::id()?,
            fresh.now(),
            fresh::id()?,
            quoted(&self.event.action),
            quoted(name),
        ))
    }
}
