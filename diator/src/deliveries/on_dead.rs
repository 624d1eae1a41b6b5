/// What happens to the later messages of a key after a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDead {
    /// They wait until an operator has replayed or discarded the dead letter. The key keeps its order. Other keys go
    /// on.
    Park,
    /// They go on. A replayed dead letter comes after them.
    Continue,
}
