use crate::records::object::object;

object! {
    /// The object of the data model that a record belongs to.
    pub struct ObjectMetadata {
        /// The object's id.
        id: Option<String> = "id",
        /// The object's API name: `person`, `opportunity`, or a custom object's.
        name_singular: Option<String> = "nameSingular",
    }
}
