//! Generated code passes the lints of a strict crate.

#![deny(
    warnings,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::disallowed_script_idents,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_enums,
    clippy::expect_used,
    clippy::field_scoped_visibility_modifiers,
    clippy::impl_trait_in_params,
    clippy::indexing_slicing,
    clippy::items_after_statements,
    clippy::min_ident_chars,
    clippy::module_name_repetitions,
    clippy::multiple_inherent_impl,
    clippy::nursery,
    clippy::partial_pub_fields,
    clippy::pedantic,
    clippy::pub_use,
    clippy::redundant_type_annotations,
    clippy::same_name_method,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::single_call_fn,
    clippy::single_char_lifetime_names,
    clippy::str_to_string,
    clippy::undocumented_unsafe_blocks,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    absolute_paths_not_starting_with_crate,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    future_incompatible,
    impl_trait_redundant_captures,
    keyword_idents,
    let_underscore_drop,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_ascii_idents,
    non_local_definitions,
    nonstandard_style,
    redundant_imports,
    redundant_lifetimes,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

/// What is asked and what happens.
pub mod messages {
    use diator::prelude::*;
    use serde::{Deserialize, Serialize};

    /// A command.
    #[derive(Clone, Debug, Command)]
    #[request(response = u64, error = std::fmt::Error, idempotent)]
    pub struct PlaceOrder {
        /// What is ordered.
        pub article: String,
    }

    /// A query.
    #[derive(Clone, Copy, Debug, Query)]
    #[request(response = usize)]
    pub struct CountOrders;

    /// An event in the process.
    #[derive(Clone, Copy, Debug, DomainEvent)]
    #[event(must_be_handled)]
    pub struct OrderPlaced {
        /// Which order.
        pub id: u64,
    }

    /// An event on the wire.
    #[derive(Clone, Debug, Serialize, Deserialize, EcstEvent)]
    #[event(name = "order_changed", topic = "orders", key = article, alias = "OrderChanged")]
    pub struct ArticleChanged {
        /// What was ordered.
        pub article: String,
    }
}

mod handlers {
    use std::sync::Arc;

    use diator::prelude::*;

    use crate::messages::{ArticleChanged, CountOrders, OrderPlaced, PlaceOrder};

    trait Store: Send + Sync {
        fn count(&self) -> usize;
    }

    #[request_handler(PlaceOrder, CountOrders)]
    #[event_handler(OrderPlaced, order = -10)]
    #[event_handler(ArticleChanged)]
    #[derive(Debug)]
    struct Orders {
        store: Option<Arc<u64>>,
        #[inject(clone)]
        handle: Arc<str>,
        #[inject(default)]
        prefix: String,
        #[inject(with = 3 + 4)]
        retries: u32,
    }

    impl RequestHandler<PlaceOrder> for Orders {
        async fn handle(
            &self,
            command: PlaceOrder,
            cx: &mut RequestContext<'_, PlaceOrder>,
        ) -> Result<u64, std::fmt::Error> {
            let id = u64::from(self.retries) + self.store.as_deref().copied().unwrap_or_default();
            cx.emit(OrderPlaced { id });
            cx.emit(ArticleChanged { article: format!("{}{}{}", self.prefix, self.handle, command.article) });
            Ok(id)
        }
    }

    impl RequestHandler<CountOrders> for Orders {
        async fn handle(&self, _: CountOrders, _: &mut RequestContext<'_, CountOrders>) -> Result<usize, BoxError> {
            Ok(self.prefix.len())
        }
    }

    impl EventHandler<OrderPlaced> for Orders {
        async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    impl EventHandler<ArticleChanged> for Orders {
        async fn handle(&self, _: &ArticleChanged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[event_handler(OrderPlaced, after_commit)]
    struct Count {
        store: Arc<dyn Store>,
    }

    impl EventHandler<OrderPlaced> for Count {
        async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            assert!(self.store.count() > 0);
            Ok(())
        }
    }
}

fn main() {}
