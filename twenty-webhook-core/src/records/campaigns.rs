use super::object::{bare_record, record};

record! {
    /// A message campaign.
    pub struct MessageCampaign: "messageCampaign" {
        /// The name.
        name: Option<String> = "name",
        /// The subject.
        subject: Option<String> = "subject",
        /// The text, with placeholders for each person's data.
        body_template: Option<String> = "bodyTemplate",
        /// The sender's address.
        from_address: Option<String> = "fromAddress",
        /// The status.
        status: Option<String> = "status",
        /// When it is to be sent.
        scheduled_at: Option<jiff::Timestamp> = "scheduledAt",
        /// When it was sent.
        sent_at: Option<jiff::Timestamp> = "sentAt",
        /// The number of sent messages.
        sent_count: Option<i64> = "sentCount",
        /// The number of delivered messages.
        delivered_count: Option<i64> = "deliveredCount",
        /// The number of failed messages.
        failed_count: Option<i64> = "failedCount",
        /// The number of bounced messages.
        bounced_count: Option<i64> = "bouncedCount",
        /// The number of spam complaints.
        complained_count: Option<i64> = "complainedCount",
        /// The number of skipped recipients.
        skipped_count: Option<i64> = "skippedCount",
        /// The id of the topic that receivers can unsubscribe from.
        unsubscribe_topic_id: Option<String> = "unsubscribeTopicId",
        /// The id of the [`MessageList`] that it goes to.
        list_id: Option<String> = "listId",
    }
}

record! {
    /// A list of people that campaigns go to.
    pub struct MessageList: "messageList" {
        /// The name.
        name: Option<String> = "name",
        /// The description.
        description: Option<String> = "description",
    }
}

record! {
    /// The membership of a person in a list.
    pub struct MessageListMember: "messageListMember" {
        /// The id of the [`Person`](super::Person).
        person_id: Option<String> = "personId",
        /// The id of the [`MessageList`].
        list_id: Option<String> = "listId",
    }
}

bare_record! {
    /// An address that no campaign is sent to.
    pub struct MessageSuppression: "messageSuppression" {
        /// The address.
        email_address: Option<String> = "emailAddress",
        /// The reason.
        reason: Option<String> = "reason",
        /// The source of the suppression.
        source: Option<String> = "source",
        /// The id of the event at the email provider.
        provider_event_id: Option<String> = "providerEventId",
        /// The id of the topic, if it applies to one topic only.
        unsubscribe_topic_id: Option<String> = "unsubscribeTopicId",
    }
}

bare_record! {
    /// A message of a campaign, to one person.
    pub struct CampaignDelivery: "campaignDelivery" {
        /// The id of the [`MessageCampaign`].
        campaign_id: Option<String> = "campaignId",
        /// The id of the [`Person`](super::Person).
        person_id: Option<String> = "personId",
        /// The address.
        recipient_email: Option<String> = "recipientEmail",
        /// The status.
        state: Option<String> = "state",
        /// Why it was skipped.
        skip_reason: Option<String> = "skipReason",
        /// Why it could not be sent.
        failure_reason: Option<String> = "failureReason",
        /// The id of the message at the email provider.
        provider_message_id: Option<String> = "providerMessageId",
        /// When it was sent.
        sent_at: Option<jiff::Timestamp> = "sentAt",
        /// When it was delivered.
        delivered_at: Option<jiff::Timestamp> = "deliveredAt",
        /// When it bounced.
        bounced_at: Option<jiff::Timestamp> = "bouncedAt",
        /// When it was reported as spam.
        complained_at: Option<jiff::Timestamp> = "complainedAt",
        /// When the email provider rejected it.
        rejected_at: Option<jiff::Timestamp> = "rejectedAt",
    }
}
