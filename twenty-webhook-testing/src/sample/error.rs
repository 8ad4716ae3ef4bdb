use super::Form;

/// Why an event cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The text is not the name of an event.
    #[error(
        "`{written}` is not the name of an event: write OBJECT.ACTION, for example person.created, or metadata.NAME.ACTION"
    )]
    Name {
        /// The text.
        written: String,
    },
    /// The form has no event with this name.
    #[error("there is no {name} in the form `{form}`: {}", why(.name, *.form))]
    Form {
        /// The event's name.
        name: String,
        /// The form.
        form: Form,
    },
}

fn why(name: &str, form: Form) -> &'static str {
    if form.is_metadata() {
        "it is for changes of the data model, for example metadata.fieldMetadata.updated"
    } else if name.starts_with("metadata.") {
        "a change of the data model has the forms `metadata` and `early-metadata`"
    } else {
        "in 2024, the actions were created, updated, deleted, restored and destroyed"
    }
}
