use super::object::record;
use crate::FullName;

record! {
    /// A member of the workspace: a user, as seen from inside it. See [`Person`](crate::Person) for what all records have in common.
    pub struct WorkspaceMember {
        /// The name.
        name: Option<FullName> = "name",
        /// The email address that the user signs in with.
        user_email: Option<String> = "userEmail",
        /// The user's id, which is the same in every workspace.
        user_id: Option<String> = "userId",
        /// The language, as `fr-FR`.
        locale: Option<String> = "locale",
        /// The time zone, as `Europe/Paris`, or `system`.
        time_zone: Option<String> = "timeZone",
        /// The colours: `Light`, `Dark` or `System`.
        color_scheme: Option<String> = "colorScheme",
        /// The URL of a picture.
        avatar_url: Option<String> = "avatarUrl",
        /// How dates are written.
        date_format: Option<String> = "dateFormat",
        /// How times are written.
        time_format: Option<String> = "timeFormat",
    }
}
