use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Services;
use crate::BoxError;

/// A compile-time container whose services [`Services::provide_from`] registers.
///
/// Name each service as handlers ask for it: `.singleton::<dyn Clock>(…)`.
#[must_use]
pub struct ProvidedFrom<S> {
    services: Services,
    source: Arc<S>,
}

impl<S: Send + Sync + 'static> ProvidedFrom<S> {
    /// Registers a service that the container shares; the call takes it out at once.
    #[track_caller]
    pub fn singleton<T: ?Sized + Send + Sync + 'static>(mut self, get: impl FnOnce(&S) -> Arc<T>) -> Self {
        self.services = self.services.singleton(get(&self.source));
        self
    }

    /// Registers a scoped service: the container makes it anew for each message.
    ///
    /// The container's error need not be `Send`, because that of shaku is not; only its text is kept.
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

    /// Registers a service that the container makes anew each time somebody asks for it; its error is as for
    /// [`scoped`](Self::scoped).
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
    /// Registers the services of a compile-time container, such as a shaku module or an nject provider, with a line for
    /// each service.
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
