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
        /// The user's id, the same in all workspaces.
        user_id: Option<String> = "userId",
        /// The language, as `fr-FR`.
        locale: Option<String> = "locale",
        /// The time zone, as `Europe/Paris`, or `system`.
        time_zone: Option<String> = "timeZone",
        /// The colour scheme: `Light`, `Dark` or `System`.
        color_scheme: Option<String> = "colorScheme",
        /// The URL of a picture.
        avatar_url: Option<String> = "avatarUrl",
        /// The date format, as `YEAR_FIRST`.
        date_format: Option<String> = "dateFormat",
        /// The time format, as `HOUR_24`.
        time_format: Option<String> = "timeFormat",
        /// The job title.
        job_title: Option<String> = "jobTitle",
        /// The first day of the week, as a number.
        calendar_start_day: Option<i64> = "calendarStartDay",
        /// The number format, as `COMMAS_AND_DOT`.
        number_format: Option<String> = "numberFormat",
        /// The scale of the user interface.
        ui_scale: Option<RawJson> = "uiScale",
        /// Where Twenty opens a record.
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
        /// The scope.
        scope: Option<String> = "scope",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that it belongs to.
        workspace_member_id: Option<String> = "workspaceMemberId",
    }
}
