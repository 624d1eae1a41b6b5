//! Builds what handlers need of a scope, before a message does.

use super::build_handler::Factory;
use super::events::EventHandlers;
use super::{Handler, Mediator};
use crate::BuildError;
use crate::message::MessageInfo;
use crate::registry::{Problem, ProblemKind};
use crate::shown::Chain;

impl Mediator {
    /// Resolves the services of each handler once, in a scope that it then drops.
    ///
    /// Without this check, only the first message shows that the factory of a scoped service fails. Call it in a test,
    /// or when the program starts; the command line of `diator-catalog` does so with `check --scopes`.
    ///
    /// # Guarantees
    ///
    /// - No handler runs. Factories run as they do for a message with an empty `Meta`, and whatever they begin rolls
    ///   back. A factory that connects to a database needs the database here, too.
    /// - The check tries all handlers, one after the other. It leaves out handlers that need only singletons: `build()`
    ///   has built them.
    ///
    /// # Errors
    ///
    /// The report has one problem for each handler whose services cannot be resolved, with the place of the handler. If
    /// a service is not registered, the text names the place of the service that needs it. A retry can help if a
    /// service connects to something.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use diator::prelude::*;
    ///
    /// struct Pool;
    /// struct SqlOrders(Arc<Pool>);
    ///
    /// #[derive(Debug, Command)]
    /// struct PlaceOrder;
    ///
    /// #[request_handler(PlaceOrder)]
    /// struct PlaceOrderHandler { orders: Arc<SqlOrders> }
    ///
    /// impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    ///     async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
    ///         let _pool = &self.orders.0;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let services = Services::new().scoped(|scope| Ok(SqlOrders(scope.get()?)));
    /// let mediator = Mediator::builder().handlers(handlers![PlaceOrderHandler]).container(services).build()?;
    /// let error = mediator.check_scopes().await.unwrap_err();
    /// assert!(error.to_string().contains("Pool` is not registered"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_scopes(&self) -> Result<(), BuildError> {
        let mut problems = Vec::new();
        let mut crates = Vec::new();
        for (factory, info) in self.built_for_messages() {
            crates.extend(info.location.map(|location| location.crate_name()));
            let Err(error) = factory.try_for(&*self.0.container, info.kind).await else { continue };
            let remedy = "correct that service's registration, or what its factory needs";
            problems.push(Problem::new(ProblemKind::Container, info.location, Chain(&error).to_string(), remedy));
        }
        if problems.is_empty() { Ok(()) } else { Err(BuildError::of_scopes(problems, crates)) }
    }

    /// The handlers that are built for each message.
    fn built_for_messages(&self) -> impl Iterator<Item = (&Factory, &MessageInfo)> {
        let requests = self.0.routes.values().filter_map(|route| match &route.handler {
            Handler::ForMessage(factory) => Some((factory, &route.pipeline.info)),
            Handler::Built(_) => None,
        });
        let events = self.0.events.values().flat_map(EventHandlers::all);
        requests.chain(events.filter_map(|entry| Some((entry.factory.as_ref()?, &entry.pipeline.info))))
    }
}
