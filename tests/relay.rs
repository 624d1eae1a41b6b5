//! The relay on an outbox in memory: what it publishes, in which order, and what it does when store or broker fail.

mod relay {
    mod many;
    mod order;
    mod outage;
    mod refusal;
    mod stop;
    mod time;
    mod world;
}
