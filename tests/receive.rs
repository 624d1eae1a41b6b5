//! Events that arrive: found by kind and name, decoded, and handled by each handler in a unit of work of its own.

mod receive {
    mod arrival;
    mod failures;
    mod finding;
    mod handling;
    mod own;
    mod world;
}
