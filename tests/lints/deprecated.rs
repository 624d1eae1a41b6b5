//! What is deprecated is deprecated for those who use it, not for what is written beside it.

#![deny(deprecated)]
#![allow(dead_code, reason = "nobody uses what is deprecated")]

mod command {
    use diator::prelude::*;

    #[deprecated]
    #[derive(Clone, Debug, Command)]
    #[request(idempotent)]
    struct Change;
}

mod query {
    use diator::prelude::*;

    #[deprecated]
    #[derive(Debug, Query)]
    struct Ask<T>(T);
}

mod domain_event {
    use diator::prelude::*;

    #[deprecated]
    #[derive(Debug, DomainEvent)]
    #[event(must_be_handled)]
    struct Changed;
}

mod event_on_the_wire {
    use diator::prelude::*;
    use serde::Serialize;

    #[deprecated]
    #[derive(Debug, Serialize, EcstEvent)]
    #[event(key = id)]
    enum Changed {
        One { id: u64 },
    }
}

mod key {
    use diator::prelude::*;
    use serde::Serialize;

    #[derive(Debug, Serialize, NotificationEvent)]
    #[event(key = id)]
    struct Changed {
        #[deprecated]
        id: u64,
    }

    #[derive(Debug, Serialize, NotificationEvent)]
    #[event(key = id)]
    enum Moved {
        #[deprecated]
        One { id: u64 },
        Other {
            #[deprecated]
            id: u64,
        },
    }
}

mod handler {
    use diator::prelude::*;

    #[derive(Debug, Command)]
    struct Change;

    #[derive(Debug, DomainEvent)]
    struct Changed;

    #[deprecated]
    #[request_handler(Change)]
    #[event_handler(Changed)]
    struct Changes {
        #[inject(default)]
        number: u8,
    }

    #[allow(deprecated, reason = "it is written by hand")]
    impl RequestHandler<Change> for Changes {
        async fn handle(&self, _: Change, _: &mut RequestContext<'_, Change>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[allow(deprecated, reason = "it is written by hand")]
    impl EventHandler<Changed> for Changes {
        async fn handle(&self, _: &Changed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

mod field {
    use std::sync::Arc;

    use diator::prelude::*;

    #[derive(Debug, Command)]
    struct Change;

    #[request_handler(Change)]
    struct Changes {
        #[deprecated]
        service: Option<Arc<u8>>,
        #[deprecated]
        #[inject(default)]
        number: u8,
    }

    impl RequestHandler<Change> for Changes {
        async fn handle(&self, _: Change, _: &mut RequestContext<'_, Change>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

mod field_with_an_expression {
    use diator::prelude::*;

    #[derive(Debug, Command)]
    struct Change;

    #[request_handler(Change)]
    struct Changes {
        #[deprecated]
        #[inject(with = 7)]
        number: u8,
    }

    impl RequestHandler<Change> for Changes {
        async fn handle(&self, _: Change, _: &mut RequestContext<'_, Change>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

/// Who handles what is deprecated has no other way to say so.
mod handled {
    use diator::prelude::*;

    mod messages {
        #![allow(deprecated, reason = "see above")]

        use diator::prelude::*;

        #[deprecated]
        #[derive(Debug, Command)]
        pub(super) struct Change;

        #[deprecated]
        #[derive(Debug, DomainEvent)]
        pub(super) struct Changed;
    }

    #[request_handler(messages::Change)]
    #[event_handler(messages::Changed)]
    struct Changes;

    #[allow(deprecated, reason = "it is written by hand")]
    impl RequestHandler<messages::Change> for Changes {
        async fn handle(
            &self,
            _: messages::Change,
            _: &mut RequestContext<'_, messages::Change>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[allow(deprecated, reason = "it is written by hand")]
    impl EventHandler<messages::Changed> for Changes {
        async fn handle(&self, _: &messages::Changed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}
