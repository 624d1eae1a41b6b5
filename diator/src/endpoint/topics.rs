/// Topics that an endpoint reads: a list, a slice or any other iterator of texts.
///
/// # Example
///
/// ```
/// use diator::endpoint::Endpoint;
/// use diator::prelude::*;
///
/// let of_config = vec!["orders".to_owned(), "bills".to_owned()];
/// let _billing = Endpoint::new("billing", InMemoryBroker::new()).topics(of_config);
/// let _audit = Endpoint::new("audit", InMemoryBroker::new()).topics(["orders", "bills"]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of topics: write `.topics([\"orders\"])` for one topic",
    label = "not a list of topics",
    note = "an endpoint reads any number of topics"
)]
pub trait Topics {
    #[doc(hidden)]
    fn into_vec(self) -> Vec<String>;
}

// So that the error speaks of topics, and not of iterators alone.
#[diagnostic::do_not_recommend]
impl<T: IntoIterator<Item: Into<String>>> Topics for T {
    fn into_vec(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}
