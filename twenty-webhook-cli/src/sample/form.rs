use clap::ValueEnum;

/// The forms that a body has, or has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A record's change, as Twenty sends it today
    Record,
    /// A change of the data model, as Twenty sends it today
    Metadata,
    /// What Twenty's docs show, and Twenty does not send
    Documented,
    /// Several records in one body, as in October 2025
    Batch,
    /// A change of the data model in the form of a record's, as it was at first
    EarlyMetadata,
    /// `company.create`, with edges and type names, as in August 2024
    #[value(name = "2024-08")]
    August2024,
    /// `eventType: create.company`, as in January 2024
    #[value(name = "2024-01")]
    January2024,
}
