/// Identifies messages that are handled one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn<'a> {
    /// The topic that the message came from.
    pub topic: &'a str,
    /// The key of the message.
    pub key: &'a str,
}
