use super::object::record;

record! {
    /// An email or another message.
    pub struct Message: "message" {
        /// Its `Message-ID`.
        header_message_id: Option<String> = "headerMessageId",
        /// The subject.
        subject: Option<String> = "subject",
        /// The text.
        text: Option<String> = "text",
        /// When it was received.
        received_at: Option<jiff::Timestamp> = "receivedAt",
        /// Whether it is a draft.
        is_draft: Option<bool> = "isDraft",
        /// The id of the [`MessageThread`].
        message_thread_id: Option<String> = "messageThreadId",
        /// The id of the [`MessageCampaign`](super::MessageCampaign) that it was sent in.
        message_campaign_id: Option<String> = "messageCampaignId",
    }
}

record! {
    /// A thread of messages.
    pub struct MessageThread: "messageThread" {
        /// The subject.
        subject: Option<String> = "subject",
    }
}

record! {
    /// Links a thread to a record. The id of a custom object's record is in `extra`, as `target<Object>Id`.
    pub struct MessageThreadTarget: "messageThreadTarget" {
        /// The id of the [`MessageThread`].
        message_thread_id: Option<String> = "messageThreadId",
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
    /// A sender or receiver of a message.
    pub struct MessageParticipant: "messageParticipant" {
        /// The role: `FROM`, `TO`, `CC` or `BCC`.
        role: Option<String> = "role",
        /// The email address.
        handle: Option<String> = "handle",
        /// The name.
        display_name: Option<String> = "displayName",
        /// The id of the [`Message`].
        message_id: Option<String> = "messageId",
        /// The id of the [`Person`](super::Person), if it is one.
        person_id: Option<String> = "personId",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember), if it is one.
        workspace_member_id: Option<String> = "workspaceMemberId",
        /// The id of the [`MessageCampaign`](super::MessageCampaign) that it was sent in.
        message_campaign_id: Option<String> = "messageCampaignId",
    }
}

record! {
    /// Links a message to the mailbox that contains it.
    pub struct MessageChannelMessageAssociation: "messageChannelMessageAssociation" {
        /// The id of the mailbox's channel.
        message_channel_id: Option<String> = "messageChannelId",
        /// The id of the [`Message`].
        message_id: Option<String> = "messageId",
        /// The message's id in that mailbox.
        message_external_id: Option<String> = "messageExternalId",
        /// The id of the [`MessageThread`].
        message_thread_id: Option<String> = "messageThreadId",
        /// The thread's id in that mailbox.
        message_thread_external_id: Option<String> = "messageThreadExternalId",
        /// `INCOMING` or `OUTGOING`.
        direction: Option<String> = "direction",
    }
}
