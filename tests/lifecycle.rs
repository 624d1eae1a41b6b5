//! The life of a message: one suite over every way of sending.

mod lifecycle {
    mod events;
    mod handler;
    mod messages;
    mod meta;
    mod world;
}
