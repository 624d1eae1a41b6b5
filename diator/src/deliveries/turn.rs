/// What messages that are handled one after the other have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn<'a> {
    /// The topic that the message came from.
    pub topic: &'a str,
    /// Its key.
    pub key: &'a str,
}
