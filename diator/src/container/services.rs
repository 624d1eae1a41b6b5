//! Placeholder.
use super::*;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
/// x
#[derive(Debug, Clone, Default)]
pub struct Services(HashMap<TypeId, Arc<dyn Any + Send + Sync>>, HashMap<TypeId, PutFn>);
type PutFn = fn(&(dyn Any + Send + Sync), &mut Place<'_>) -> Result<(), BoxError>;
/// x
#[derive(Debug, Clone)]
pub struct ServiceScope;
impl Services {
    /// x
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// x
    #[must_use]
    pub fn singleton<T: ?Sized + Send + Sync + 'static>(mut self, t: Arc<T>) -> Self {
        self.0.insert(TypeId::of::<T>(), Arc::new(t));
        self.1.insert(TypeId::of::<T>(), |any, place| place.put::<T>(any.downcast_ref::<Arc<T>>().ok_or("x")?.clone()));
        self
    }
    /// x
    #[must_use]
    pub fn value<T: Send + Sync + 'static>(self, t: T) -> Self {
        self.singleton::<T>(Arc::new(t))
    }
}
impl Container for Services {
    fn lifetime(&self, k: &DependencyKey) -> Lifetime {
        if self.0.contains_key(&k.id()) { Lifetime::Singleton } else { Lifetime::Missing }
    }
    fn singleton(&self, k: &DependencyKey, mut into: Place<'_>) -> Result<(), BoxError> {
        (self.1[&k.id()])(&*self.0[&k.id()], &mut into)
    }
    fn open<'a>(&'a self, _: &'a Meta) -> Opening<'a> {
        Opening::Ready(Err("no".into()))
    }
}
