/// A mediator, or the builder of one, that takes handlers at run time.
pub(crate) trait Fill: Sized {
    /// Registers the handler of a request that is never sent, `Filler<A, B>`.
    fn filler<const A: u8, const B: u8>(self) -> Self;

    /// Registers 16 of them.
    fn row<const A: u8>(self) -> Self {
        macro_rules! fillers {
            ($($number:literal)*) => { self$(.filler::<A, $number>())* };
        }
        fillers!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }

    /// Registers 256 of them.
    fn fill(self) -> Self {
        macro_rules! rows {
            ($($number:literal)*) => { self$(.row::<$number>())* };
        }
        rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }
}

/// A request that is never sent.
pub(crate) struct Filler<const A: u8, const B: u8>;
