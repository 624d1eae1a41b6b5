use super::labels::{Labels, words};
use super::{Catalog, EventEntry};

/// When the handlers of an event run that comes from the message broker.
pub(super) const ON_ARRIVAL: &str = "when it arrives from the broker, not when this program emits it";

impl Catalog {
    /// Notes, in a sentence each, what is not a mistake and yet may not be what somebody expects.
    ///
    /// The notes are about notification and ECST events with handlers in this program: the handlers run when the event
    /// arrives from the broker, not when the program emits it. If [`ObservedCauses`](super::ObservedCauses) shows that
    /// the program emits the event, the note names the handlers that do.
    ///
    /// # Example
    ///
    /// ```standalone_crate
    /// use diator::prelude::*;
    /// use diator_catalog::Catalog;
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
    /// struct OrderPlaced;
    ///
    /// #[event_handler(OrderPlaced)]
    /// struct Charge;
    ///
    /// impl EventHandler<OrderPlaced> for Charge {
    ///     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() {
    /// let [note] = &Catalog::linked().notes()[..] else { panic!("there is one such event") };
    /// assert!(note.starts_with("the notification event `OrderPlaced` is handled here when it arrives from the broker"));
    /// # }
    /// ```
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let labels = Labels::of(self);
        let arriving = self.events.iter().filter(|event| event.arrives());
        arriving
            .map(|event| self.note_of_what_is_emitted(event, &labels).unwrap_or_else(|| note(event, &labels)))
            .collect()
    }

    /// The note of an event that was observed to be emitted here.
    pub(super) fn note_of_what_is_emitted(&self, event: &EventEntry, labels: &Labels) -> Option<String> {
        let by = self.causers(&event.type_name, labels);
        if !event.arrives() || by.is_empty() {
            return None;
        }
        Some(format!(
            "the {} is emitted here (by {}), but its handlers here do not run then: they run when it arrives from the broker",
            title(event, labels),
            by.join(", ")
        ))
    }

    /// The messages whose handlers were observed to cause this one.
    pub(super) fn causers(&self, type_name: &str, labels: &Labels) -> Vec<String> {
        let messages = self.messages();
        let causing = messages.iter().filter(|message| message.causes().any(|cause| cause == type_name));
        causing.map(|message| labels.label(message.type_name)).collect()
    }
}

fn note(event: &EventEntry, labels: &Labels) -> String {
    format!(
        "the {} is handled here when it arrives from the broker: its handlers do not run when this program emits it",
        title(event, labels)
    )
}

fn title(event: &EventEntry, labels: &Labels) -> String {
    format!("{} `{}`", words(event.kind)[0], labels.label(&event.type_name))
}
