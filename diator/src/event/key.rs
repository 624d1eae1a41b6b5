use std::fmt::Display;

/// What `#[event(key = …)]` can name: each type that is [`Display`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of an event: a key is a text that every event has, so name a field that `Display` shows and that is no `Option`",
    label = "it cannot be shown as a text",
    note = "each event of the type has a key, so that an `Option` is none; a type of your own can implement `Display`"
)]
pub trait Key {
    fn text(&self) -> String;
}

// So that the error speaks of the key, and not of `Display` alone.
#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Key for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// The text of an event's key.
pub fn key_text<K: Key + ?Sized>(key: &K) -> String {
    key.text()
}
