//! Link-time registration: what the attributes and derives put into the program, for `build()` to read.

mod build_error;
mod descriptor;
mod registered;
mod short_name;

pub use self::build_error::{BuildError, Problem, ProblemKind};
pub(crate) use self::descriptor::HandlerFunctions;
pub use self::descriptor::{HandlerDescriptor, HandlerId, HandlerRole};
pub use self::registered::{Inject, Registered, With};
pub use self::short_name::short_name;
pub use crate::inject::Dependency;
pub use crate::location::Location;

/// Handlers, listed by hand or read from the registry; made by [`handlers!`](crate::handlers).
///
/// Their order has no meaning: `build()` sorts them. A handler that is listed twice, or that the registry has too, is
/// added once.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
/// # #[derive(Debug, Command)] struct Ping;
/// # #[request_handler(Ping)] struct PingHandler;
/// # impl RequestHandler<Ping> for PingHandler {
/// #     async fn handle(&self, _: Ping, _: &mut RequestContext<'_, Ping>) -> Result<(), BoxError> { Ok(()) }
/// # }
///
/// let twice = Mediator::builder().handlers(handlers![PingHandler]).handlers(handlers![PingHandler]);
/// assert!(twice.build().is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Handlers(pub(crate) Vec<HandlerDescriptor>);

impl Handlers {
    #[doc(hidden)]
    #[must_use]
    pub fn of(sets: &[&[HandlerDescriptor]]) -> Self {
        let mut handlers = sets.concat();
        let mut rest = &mut *handlers;
        for set in sets {
            let (own, others) = rest.split_at_mut(set.len());
            mark_repeated(own);
            rest = others;
        }
        Self(handlers)
    }
}

/// Marks what one handler type says twice: whoever takes handlers in, takes each only once.
fn mark_repeated(handlers: &mut [HandlerDescriptor]) {
    for index in 0..handlers.len() {
        let id = handlers[index].message_id();
        handlers[index].repeated = handlers.iter().filter(|other| other.message_id() == id).count() > 1;
    }
}

/// The descriptors of one handler type, as the attribute submits them.
#[doc(hidden)]
#[derive(Debug)]
pub struct HandlerSet(pub &'static [HandlerDescriptor]);

inventory::collect!(HandlerSet);

/// A crate that [`link!`](crate::link) names.
#[doc(hidden)]
#[derive(Debug)]
pub struct LinkedCrate {
    /// As the program calls it.
    pub name: &'static str,
    /// As it calls itself, if that was said.
    pub own: Option<&'static str>,
    pub location: Location,
}

inventory::collect!(LinkedCrate);

impl LinkedCrate {
    /// The name that its handlers know.
    pub(crate) fn own_name(&self) -> &'static str {
        self.own.unwrap_or(self.name)
    }
}

/// The name, if one is given.
#[doc(hidden)]
#[must_use]
pub const fn own_name(given: &[&'static str]) -> Option<&'static str> {
    match given {
        [own, ..] => Some(own),
        [] => None,
    }
}

/// Lists handler types for [`MediatorBuilder::handlers`](crate::MediatorBuilder::handlers).
///
/// Link-time registration finds nothing on wasm and in static libraries; there, and in tests that want only some
/// handlers, a program lists its handlers by hand.
#[macro_export]
macro_rules! handlers {
    ($($handler:ty),* $(,)?) => {
        $crate::Handlers::of(&[$(<$handler as $crate::registry::Registered>::DESCRIPTORS),*])
    };
}

/// Links the crates that hold handlers, so that their handlers are registered.
///
/// The linker leaves out a crate that nothing names, and the crate's handlers are silently absent. `link!` names the
/// crate, and `build()` fails if the crate still contributed no handler. Write it at module level, with the names that
/// `use` takes. For a crate that `Cargo.toml` renames, add the crate's own name: `link!(old_billing = billing);`.
///
/// Each version of this library has a registry of its own. If a crate depends on another version than the program, the
/// program does not see the handlers of that crate: `build()` reports it as a crate without handlers.
/// `cargo tree --duplicates` shows both versions.
///
/// # Example
///
/// ```ignore
/// diator::link!(orders, old_billing = billing);
/// ```
#[macro_export]
macro_rules! link {
    ($($name:ident $(= $own:ident)?),+ $(,)?) => {
        $(
            #[allow(unused_imports)]
            use ::$name as _;
            $crate::__private::inventory::submit! {
                $crate::__private::LinkedCrate {
                    name: ::core::stringify!($name),
                    own: $crate::__private::own_name(&[$(::core::stringify!($own))?]),
                    location: $crate::__private::Location::new(
                        ::core::module_path!(), ::core::file!(), ::core::line!(),
                    ),
                }
            }
        )+
    };
}
