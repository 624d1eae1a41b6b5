//! What handlers, containers and middleware may do to each other, in thousands of ways, against a model of what is kept.
//!
//! A case is drawn from a seed: a script for the handlers, a middleware that gets in their way, and a database that fails.
//! The model knows what each run of a handler did, and to which run each success was told.
//!
//! | of | the model asks that |
//! |---|---|
//! | each scope | it ends once; if a future was forgotten, no more than that |
//! | each savepoint | it is undone and released in an open scope, and while it is set |
//! | each commit | it holds what one attempt wrote, and all runs whose success it was told of; nothing else, and nothing half done |
//! | what is handled after the commit | it is all that these runs emitted, once each, in order, and only if they are committed |
//! | `Ok` | the attempt that is the answer is committed, and all that follows has happened |
//! | an error that is not committed | nothing was committed, and nothing handled after a commit |
//! | an error that is committed | a commit has happened, or an attempt had nothing to commit |
//! | `SendError::RolledBack` | a future was dropped or forgotten, or the container offers no savepoints that work |
//! | a limit of the cascade | it is not met: no script is that deep |
//! | a shutdown | it is clean |
//! | memory | all of it is given back, unless a future was forgotten |
//!
//! Each eighth case is also dropped by its sender at each of its waits. `INTERLEAVINGS=20000` in the environment asks for so
//! many cases.

mod interleavings {
    mod chaos;
    mod database;
    mod model;
    mod random;
    mod script;
    mod search;
}
