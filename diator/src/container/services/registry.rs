//! What was registered with the built-in container.

use std::sync::Arc;

use super::close::CloseRegistration;
use super::provider::{META, Provider};
use super::state::State;
use crate::Meta;
use crate::container::{DependencyKey, Enlisted, Enlistment, Lifetime, Misregistered, TypeMap};
use crate::location::Location;

/// What was registered.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) providers: TypeMap<Registration>,
    pub(super) closes: TypeMap<CloseRegistration>,
    // Where singletons are built: a scope of its own, in which no other services can be had.
    pub(super) singletons: Arc<State>,
}

/// How a service is had, and where somebody said so.
#[derive(Clone)]
pub(super) struct Registration {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) location: Location,
}

impl Clone for Registry {
    fn clone(&self) -> Self {
        let providers = self.providers.iter().map(|(id, registration)| (*id, registration.unbuilt())).collect();
        Self { providers, closes: self.closes.clone(), singletons: Arc::default() }
    }
}

impl Registration {
    fn unbuilt(&self) -> Self {
        Self { provider: self.provider.unbuilt().unwrap_or_else(|| self.provider.clone()), ..*self }
    }
}

impl Registry {
    pub(super) fn provider(&self, key: &DependencyKey) -> Option<&dyn Provider> {
        match self.providers.get(&key.id()) {
            Some(registration) => Some(&*registration.provider),
            None if *key == DependencyKey::of::<Meta>() => Some(&META),
            None => None,
        }
    }

    pub(super) fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match self.target(*key) {
            Some(target) => self.provider(&target).map_or(Lifetime::Missing, Provider::lifetime),
            None => Lifetime::Unknown,
        }
    }

    /// Where the service was registered.
    pub(super) fn location(&self, key: &DependencyKey) -> Option<Location> {
        self.providers.get(&key.id()).map(|registration| registration.location)
    }

    /// What is registered in the place of a service that is missing.
    pub(super) fn hint(&self, key: &DependencyKey) -> Option<String> {
        let Registration { provider, location } = self.providers.get(&key.in_an_arc())?;
        Some(format!(
            "`{}` is registered instead, at {location}: give that `Arc` to `.singleton::<{}>(…)`; a factory returns the service \
             itself, and no `Arc`",
            provider.name(),
            key.name()
        ))
    }

    /// What the aliases lead to; `None` if they lead in a circle.
    fn target(&self, mut key: DependencyKey) -> Option<DependencyKey> {
        // An alias may stand for an alias; more steps than providers lead in a circle.
        for _ in 0..=self.providers.len() {
            match self.provider(&key).and_then(Provider::target) {
                Some(target) => key = target,
                None => return Some(key),
            }
        }
        None
    }

    /// Whether the service, or what it is an alias of, is closed with its message.
    pub(super) fn enlisted(&self, key: &DependencyKey) -> Enlisted {
        let Some(service) = self.target(*key).and_then(|target| self.providers.get_key_value(&target.id())) else {
            return Enlisted::CannotTell;
        };
        match self.closes.contains_key(service.0) {
            true => Enlisted::Yes,
            false => Enlisted::No { registered: Some(service.1.location) },
        }
    }

    pub(super) fn units_of_work(&self) -> impl Iterator<Item = DependencyKey> {
        self.closes.values().filter(|closes| closes.close.is_unit()).map(|closes| closes.service)
    }

    /// What will never be closed, because no scope keeps it.
    pub(super) fn unclosable(&self) -> impl Iterator<Item = Misregistered> {
        let kept = |provider: &dyn Provider| provider.target().is_none() && provider.lifetime() == Lifetime::Scoped;
        let mut closes: Vec<_> =
            self.closes.values().filter(|closes| !self.provider(&closes.service).is_some_and(kept)).collect();
        closes.sort_by_key(|closes| closes.service.name());
        closes.into_iter().map(|closes| {
            let (name, register) = (closes.service.name(), closes.close.how_to_register());
            let source = format!("`{name}` never closes: register `{name}` with {register}");
            Misregistered { location: closes.location, source: source.into() }
        })
    }

    /// An [`Enlistment`] as other containers have it; here nobody closes it, unless the program says how.
    pub(super) fn unclosed_enlistment(&self) -> Option<Misregistered> {
        let enlistment = DependencyKey::of::<Enlistment>();
        let registration = self.providers.get(&enlistment.id())?;
        if self.closes.contains_key(&enlistment.id()) {
            return None;
        }
        let source = format!(
            "`{}` never closes, and so nothing that is enlisted in it commits: register the transaction itself, with \
             `unit_of_work`",
            enlistment.name()
        );
        Some(Misregistered { location: registration.location, source: source.into() })
    }
}
