//! Who may call a type or a field as they like, need not hear of the names that are made of it.

#![deny(nonstandard_style, clippy::style, clippy::pedantic)]

use std::sync::Arc;

use diator::prelude::*;
use serde::{Deserialize, Serialize};

#[allow(non_camel_case_types, reason = "it is tried here")]
#[derive(Clone, Debug, Command)]
#[request(response = u8, idempotent)]
struct place_order;

#[allow(non_camel_case_types, reason = "it is tried here")]
#[derive(Debug, Query)]
struct r#match<T>(T);

#[allow(non_camel_case_types, reason = "it is tried here")]
#[derive(Debug, DomainEvent)]
struct order_placed;

#[allow(non_camel_case_types, reason = "it is tried here")]
#[derive(Debug, Serialize, Deserialize, EcstEvent)]
#[event(key = r#type)]
enum order_changed {
    r#move { r#type: u64 },
    Lost { r#type: u64 },
}

#[allow(non_snake_case, reason = "it is tried here")]
#[derive(Debug, Serialize, EcstEvent)]
#[event(key = Id)]
enum Changed {
    Sent { Id: u64 },
}

#[allow(non_camel_case_types, non_snake_case, reason = "it is tried here")]
#[request_handler(place_order, r#match<u8>)]
#[event_handler(order_placed)]
#[event_handler(order_changed)]
struct orders {
    r#use: Option<Arc<u8>>,
    Other: Option<Arc<u8>>,
    #[inject(default)]
    r#dyn: u8,
}

impl RequestHandler<place_order> for orders {
    async fn handle(&self, _: place_order, cx: &mut RequestContext<'_, place_order>) -> Result<u8, BoxError> {
        cx.emit(order_placed);
        cx.emit(order_changed::r#move { r#type: 1 });
        cx.emit(order_changed::Lost { r#type: 2 });
        cx.emit(Changed::Sent { Id: 3 });
        cx.send(r#match(1)).await?;
        let _ = (&self.r#use, &self.Other);
        Ok(self.r#dyn)
    }
}

impl RequestHandler<r#match<u8>> for orders {
    async fn handle(&self, query: r#match<u8>, _: &mut RequestContext<'_, r#match<u8>>) -> Result<(), BoxError> {
        assert_eq!(query.0, 1);
        Ok(())
    }
}

impl EventHandler<order_placed> for orders {
    async fn handle(&self, _: &order_placed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl EventHandler<order_changed> for orders {
    async fn handle(&self, _: &order_changed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn raw_identifiers_are_shown_without_their_marks() {
    let broker = InMemoryBroker::new();
    let mediator = Mediator::builder().handlers(handlers![orders]).broker(broker.clone()).build().unwrap();
    assert_eq!(mediator.send(place_order).await.unwrap(), 0);
    let published: Vec<_> =
        broker.published().iter().map(|message| (message.name.to_string(), message.key.clone())).collect();
    let expected = [("order_changed", "1"), ("order_changed", "2"), ("Changed", "3")];
    assert_eq!(published, expected.map(|(name, key)| (name.to_owned(), Some(key.to_owned()))));
    assert_eq!((r#match::<u8>::NAME, order_changed::KEY), ("match", Some("type")));
}
