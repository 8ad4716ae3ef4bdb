use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use twenty_webhook_testing::{EventBuilder, Form};

use crate::events::{self, EventParser};
use crate::terminal;

/// Which sample: `send` and `sample` have it.
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// The event: OBJECT.ACTION [default: person.created]
    #[arg(value_parser = EventParser, hide_possible_values = true)]
    pub(crate) event: Option<Box<EventBuilder>>,
    /// The body's form [default: the one that Twenty sends today]
    #[arg(long, value_parser = form())]
    pub(crate) form: Option<Form>,
}

impl SampleArgs {
    /// The event to make samples of. Warns on stderr about a name that looks misspelled.
    pub(crate) fn sample(&self) -> EventBuilder {
        let is_metadata = self.form.is_some_and(Form::is_metadata);
        let usual = if is_metadata { "metadata.fieldMetadata.updated" } else { "person.created" };
        let event = self.event.as_deref().cloned().unwrap_or_else(|| twenty_webhook_testing::event(usual));
        if let Some(meant) = events::meant(&event.name()) {
            terminal::warn(&format!(
                "Twenty has no event `{}`, and it is used as it is. Did you mean `{meant}`?",
                event.name()
            ));
        }
        match self.form {
            Some(form) => event.form(form),
            None => event,
        }
    }
}

fn form() -> impl TypedValueParser<Value = Form> {
    let describe = |form: Form| {
        PossibleValue::new(form.as_str()).help(match form {
            Form::Record => "A change of a record, as Twenty sends it today",
            Form::Metadata => "A change of the data model, as Twenty sends it today",
            Form::Documented => "The form in Twenty's documentation, which Twenty never sends",
            Form::Batch => "Several records in one body, as in October 2025",
            Form::EarlyMetadata => "A change of the data model in the form of a record's change, as in early versions",
            Form::August2024 => "`company.create`, with edges and type names, as in August 2024",
            Form::January2024 => "`eventType: create.company`, as in January 2024",
            _ => "",
        })
    };
    PossibleValuesParser::new(Form::ALL.map(describe)).try_map(|name| name.parse())
}
