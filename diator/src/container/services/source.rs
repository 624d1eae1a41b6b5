use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Services;
use crate::BoxError;

/// A compile-time container while [`Services::provide_from`] says what handlers get from it.
///
/// Name each service as handlers ask for it: `.singleton::<dyn Clock>(…)`.
#[must_use]
pub struct ProvidedFrom<S> {
    services: Services,
    source: Arc<S>,
}

impl<S: Send + Sync + 'static> ProvidedFrom<S> {
    /// A service that the container shares; it is taken out now.
    #[track_caller]
    pub fn singleton<T: ?Sized + Send + Sync + 'static>(mut self, get: impl FnOnce(&S) -> Arc<T>) -> Self {
        self.services = self.services.singleton(get(&self.source));
        self
    }

    /// A service that the container makes anew, of which each message has its own.
    ///
    /// The container's error need not be `Send`, for shaku's is not; what it says is kept.
    #[track_caller]
    pub fn scoped<T>(mut self, make: impl Fn(&S) -> Result<Box<T>, Box<dyn Error>> + Send + Sync + 'static) -> Self
    where
        T: ?Sized + Send + Sync + 'static,
    {
        let source = self.source.clone();
        self.services =
            self.services.scoped(move |_| Made::new(make(&source))).alias::<T, Made<T>>(|made| made.0.clone());
        self
    }

    /// A service that the container makes anew each time it is asked for; its error is as for [`scoped`](Self::scoped).
    #[track_caller]
    pub fn transient<T>(mut self, make: impl Fn(&S) -> Result<Box<T>, Box<dyn Error>> + Send + Sync + 'static) -> Self
    where
        T: ?Sized + Send + Sync + 'static,
    {
        let source = self.source.clone();
        self.services =
            self.services.transient(move |_| Made::new(make(&source))).alias::<T, Made<T>>(|made| made.0.clone());
        self
    }
}

impl Services {
    /// Registers what a compile-time container has, such as a shaku module or an nject provider: a line for each service.
    ///
    /// For shared services alone `.singleton::<dyn Clock>(module.resolve())` does as well.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use diator::Services;
    ///
    /// trait Clock: Send + Sync {}
    /// trait Orders: Send + Sync {}
    /// # struct SystemClock;
    /// # impl Clock for SystemClock {}
    /// # struct SqlOrders(Arc<dyn Clock>);
    /// # impl Orders for SqlOrders {}
    /// // What a macro of the container writes:
    /// struct Module { clock: Arc<dyn Clock> }
    /// impl Module {
    ///     fn clock(&self) -> Arc<dyn Clock> { self.clock.clone() }
    ///     fn orders(&self) -> Box<dyn Orders> { Box::new(SqlOrders(self.clock())) }
    /// }
    ///
    /// let module = Arc::new(Module { clock: Arc::new(SystemClock) });
    /// let services = Services::new().provide_from(module, |from| {
    ///     from.singleton::<dyn Clock>(Module::clock).scoped::<dyn Orders>(|module| Ok(module.orders()))
    /// });
    /// # let _ = (services, |orders: SqlOrders| orders.0);
    /// ```
    #[must_use]
    pub fn provide_from<S: Send + Sync + 'static>(
        self,
        source: Arc<S>,
        provide: impl FnOnce(ProvidedFrom<S>) -> ProvidedFrom<S>,
    ) -> Self {
        provide(ProvidedFrom { services: self, source }).services
    }
}

/// Gives a trait object a size: a scope keeps nothing that has none.
struct Made<T: ?Sized>(Arc<T>);

impl<T: ?Sized> Made<T> {
    fn new(made: Result<Box<T>, Box<dyn Error>>) -> Result<Self, BoxError> {
        // Only its words go on: the error itself may be bound to this thread.
        made.map(|made| Self(made.into())).map_err(|error| error.to_string().into())
    }
}

impl<S> fmt::Debug for ProvidedFrom<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProvidedFrom").field(&self.services).finish()
    }
}
