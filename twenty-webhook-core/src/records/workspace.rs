use super::FullName;
use super::object::record;
use crate::RawJson;

record! {
    /// A member of the workspace: a user, as seen from inside it.
    pub struct WorkspaceMember: "workspaceMember" {
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
        /// How dates are written, as `YEAR_FIRST`.
        date_format: Option<String> = "dateFormat",
        /// How times are written, as `HOUR_24`.
        time_format: Option<String> = "timeFormat",
        /// The job title.
        job_title: Option<String> = "jobTitle",
        /// The first day of the week, as a number.
        calendar_start_day: Option<i64> = "calendarStartDay",
        /// How numbers are written, as `COMMAS_AND_DOT`.
        number_format: Option<String> = "numberFormat",
        /// How large the user interface is.
        ui_scale: Option<RawJson> = "uiScale",
        /// Where a record is opened.
        open_record_in: Option<String> = "openRecordIn",
    }
}

record! {
    /// A dashboard.
    pub struct Dashboard: "dashboard" {
        /// The title.
        title: Option<String> = "title",
        /// The id of its page layout.
        page_layout_id: Option<String> = "pageLayoutId",
    }
}

record! {
    /// An address or domain whose messages and events are not imported.
    pub struct Blocklist: "blocklist" {
        /// The address, or `@` and the domain.
        handle: Option<String> = "handle",
        /// The scope, as Twenty has it.
        scope: Option<String> = "scope",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that it belongs to.
        workspace_member_id: Option<String> = "workspaceMemberId",
    }
}
