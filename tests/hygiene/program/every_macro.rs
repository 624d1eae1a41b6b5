// A program with all that the macros write, in words that nothing can hide: what stands beside it is the case.

#[derive(::core::fmt::Debug, ::core::clone::Clone, ::diator::Query)]
#[request(response = ::std::string::String, idempotent)]
struct Ask;

#[derive(::core::fmt::Debug, ::diator::DomainEvent)]
struct Asked;

#[derive(::core::fmt::Debug, ::diator::NotificationEvent)]
#[event(topic = "asked", key = id, alias = "Asks")]
struct AskedNotification {
    id: ::core::primitive::u64,
}

#[derive(::core::fmt::Debug, ::diator::EcstEvent)]
#[event(key = id)]
enum AskedEcst {
    One { id: ::core::primitive::u64 },
    Other { id: ::core::primitive::u64 },
}

#[::diator::request_handler(Ask)]
#[::diator::event_handler(Asked, order = 1)]
#[::diator::event_handler(AskedNotification, id = "answer")]
struct Answer {
    _service: ::core::option::Option<::std::sync::Arc<::core::primitive::u64>>,
    #[inject(default)]
    _zero: ::core::primitive::u64,
    #[inject(with = "the user's".to_owned())]
    text: ::std::string::String,
}

type Outcome<T> = ::core::result::Result<T, ::diator::BoxError>;

impl ::diator::RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut ::diator::RequestContext<'_, Ask>) -> Outcome<::std::string::String> {
        ::core::result::Result::Ok(self.text.clone())
    }
}

impl ::diator::EventHandler<Asked> for Answer {
    async fn handle(&self, _: &Asked, _: &mut ::diator::EventContext<'_>) -> Outcome<()> {
        ::core::result::Result::Ok(())
    }
}

impl ::diator::EventHandler<AskedNotification> for Answer {
    async fn handle(&self, _: &AskedNotification, _: &mut ::diator::EventContext<'_>) -> Outcome<()> {
        ::core::result::Result::Ok(())
    }
}

// By hand: what serde's derives write, is serde's business.
impl ::serde::Serialize for AskedNotification {
    fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> ::serde::Deserialize<'de> for AskedNotification {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
        let id = ::serde::Deserialize::deserialize(deserializer)?;
        ::core::result::Result::Ok(Self { id })
    }
}

impl ::serde::Serialize for AskedEcst {
    fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

pub(crate) fn main() {
    let builder = ::diator::Mediator::builder().handlers(::diator::handlers![Answer]).without_broker();
    let mediator = builder.build().unwrap();
    let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
