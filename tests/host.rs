//! The host: what it starts, what it starts again, in which order it ends, and what it says of all that.

mod host {
    mod ends;
    mod fronts;
    mod health;
    mod starts;
    mod wiring;
    mod world;
}
