use super::Form;

/// Why there is no sample of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The text is no event's name.
    #[error("`{written}` is no event: write OBJECT.ACTION, as person.created, or metadata.NAME.ACTION")]
    Name {
        /// The text.
        written: String,
    },
    /// The form has no event of this name.
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
        "that is for changes of the data model, as metadata.fieldMetadata.updated"
    } else if name.starts_with("metadata.") {
        "a change of the data model has the forms `metadata` and `early-metadata`"
    } else {
        "in 2024 actions were created, updated, deleted, restored and destroyed"
    }
}
