use super::object::record;
use super::{File, Links, RichText};
use crate::RawJson;

record! {
    /// An event in a calendar.
    pub struct CalendarEvent: "calendarEvent" {
        /// The title.
        title: Option<String> = "title",
        /// Whether it is cancelled.
        is_canceled: Option<bool> = "isCanceled",
        /// Whether it is an all-day event.
        is_full_day: Option<bool> = "isFullDay",
        /// When it begins.
        starts_at: Option<jiff::Timestamp> = "startsAt",
        /// When it ends.
        ends_at: Option<jiff::Timestamp> = "endsAt",
        /// When it was created in the external calendar.
        external_created_at: Option<jiff::Timestamp> = "externalCreatedAt",
        /// When it last changed in the external calendar.
        external_updated_at: Option<jiff::Timestamp> = "externalUpdatedAt",
        /// The description.
        description: Option<String> = "description",
        /// Where it takes place.
        location: Option<String> = "location",
        /// Its iCalendar UID.
        ical_uid: Option<String> = "iCalUid",
        /// The video call service.
        conference_solution: Option<String> = "conferenceSolution",
        /// The link to the video call.
        conference_link: Option<Links> = "conferenceLink",
    }
}

record! {
    /// A person that takes part in an event.
    pub struct CalendarEventParticipant: "calendarEventParticipant" {
        /// The email address.
        handle: Option<String> = "handle",
        /// The name.
        display_name: Option<String> = "displayName",
        /// Whether it is the organizer.
        is_organizer: Option<bool> = "isOrganizer",
        /// The answer to the invitation, as `ACCEPTED`.
        response_status: Option<String> = "responseStatus",
        /// The id of the [`CalendarEvent`].
        calendar_event_id: Option<String> = "calendarEventId",
        /// The id of the [`Person`](super::Person), if it is one.
        person_id: Option<String> = "personId",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember), if it is one.
        workspace_member_id: Option<String> = "workspaceMemberId",
    }
}

record! {
    /// Links an event to a record. The id of a custom object's record is in `extra`, as `target<Object>Id`.
    pub struct CalendarEventTarget: "calendarEventTarget" {
        /// The id of the [`CalendarEvent`].
        calendar_event_id: Option<String> = "calendarEventId",
        /// Whether Twenty assigned it automatically.
        is_automatically_assigned: Option<bool> = "isAutomaticallyAssigned",
        /// Whether a user assigned it.
        is_manually_assigned: Option<bool> = "isManuallyAssigned",
        /// The id of the [`Person`](super::Person), if it is one.
        target_person_id: Option<String> = "targetPersonId",
        /// The id of the [`Company`](super::Company), if it is one.
        target_company_id: Option<String> = "targetCompanyId",
        /// The id of the [`Opportunity`](super::Opportunity), if it is one.
        target_opportunity_id: Option<String> = "targetOpportunityId",
    }
}

record! {
    /// Links an event to the calendar channel that contains it.
    pub struct CalendarChannelEventAssociation: "calendarChannelEventAssociation" {
        /// The id of the calendar's channel.
        calendar_channel_id: Option<String> = "calendarChannelId",
        /// The id of the [`CalendarEvent`].
        calendar_event_id: Option<String> = "calendarEventId",
        /// The event's id in that calendar.
        event_external_id: Option<String> = "eventExternalId",
        /// The id, in that calendar, of the series that it belongs to.
        recurring_event_external_id: Option<String> = "recurringEventExternalId",
    }
}

record! {
    /// The recording of a call.
    pub struct CallRecording: "callRecording" {
        /// The title.
        title: Option<String> = "title",
        /// The status.
        status: Option<String> = "status",
        /// The status of the recording request.
        recording_request_status: Option<String> = "recordingRequestStatus",
        /// The id of the application that records it.
        application_id: Option<String> = "applicationId",
        /// The id of the bot, at the recording service.
        external_bot_id: Option<String> = "externalBotId",
        /// The id of the recording, at the recording service.
        external_recording_id: Option<String> = "externalRecordingId",
        /// When it began.
        started_at: Option<jiff::Timestamp> = "startedAt",
        /// When it ended.
        ended_at: Option<jiff::Timestamp> = "endedAt",
        /// The video files.
        video: Vec<File> = "video",
        /// The audio files.
        audio: Vec<File> = "audio",
        /// The transcript.
        transcript: Option<RawJson> = "transcript",
        /// The summary.
        summary: Option<RichText> = "summary",
        /// The id of the [`CalendarEvent`].
        calendar_event_id: Option<String> = "calendarEventId",
    }
}
