//! Shutdown: new messages are refused, running ones come to their end, and what is left at the deadline is told.

mod shutdown {
    mod itself;
    mod load;
    mod losses;
    mod refusing;
    mod waiting;
    mod world;
}
