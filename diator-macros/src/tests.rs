//! Expansions, pretty-printed. What the compiler makes of them, the UI tests show.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{EventKind, RequestKind};
use crate::attr::Role;
use crate::expand::{event, handler, request};

#[test]
fn a_command() {
    let expanded = request::derive(
        RequestKind::Command,
        quote! {
            #[request(response = u64, error = OrderError, idempotent, mark = Audited, mark = RateLimit(5))]
            struct PlaceOrder;
        },
    );
    assert_eq!(
        pretty(expanded),
        r#"#[automatically_derived]
impl ::diator::Request for PlaceOrder {
    type Response = u64;
    type Error = OrderError;
    type Kind = ::diator::Changes;
    const NAME: &'static ::core::primitive::str = "PlaceOrder";
    const IDEMPOTENT: ::core::primitive::bool = true;
    fn retry_copy(&self) -> ::core::option::Option<Self> {
        ::core::option::Option::Some(::diator::__private::copied(self))
    }
    const MARKS: &'static [::diator::Mark] = &[
        ::diator::Mark {
            value: &Audited,
            text: "Audited",
        },
        ::diator::Mark {
            value: &RateLimit(5),
            text: "RateLimit(5)",
        },
    ];
}
#[automatically_derived]
impl ::diator::Command for PlaceOrder {}
::diator::__private::inventory::submit! {
    ::diator::__private::RequestDescriptor::of:: < PlaceOrder >
    (::diator::__private::Location::here(::core::module_path!()))
}
"#
    );
}

#[test]
fn a_command_that_says_which_errors_it_expects() {
    let expanded = request::derive(
        RequestKind::Command,
        quote! {
            #[request(error = OrderError, expected = |error| matches!(error, OrderError::SoldOut))]
            struct PlaceOrder;
        },
    );
    let expected = "    fn is_expected(error: &OrderError) -> ::core::primitive::bool {
        let expected: fn(&OrderError) -> ::core::primitive::bool = |error| {
            matches!(error, OrderError::SoldOut)
        };
        expected(error)
    }
";
    let text = pretty(expanded);
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_generic_query() {
    let expanded = request::derive(
        RequestKind::Query,
        quote!(
            struct Find<T: Clone, const N: usize = 1>(T);
        ),
    );
    assert_eq!(
        pretty(expanded),
        r#"#[automatically_derived]
impl<T: Clone, const N: usize> ::diator::Request for Find<T, N>
where
    T: ::core::marker::Send + 'static,
{
    type Response = ();
    type Error = ::diator::BoxError;
    type Kind = ::diator::Reads;
    const NAME: &'static ::core::primitive::str = "Find";
}
"#
    );
}

#[test]
fn an_event_on_the_wire() {
    let expanded = event::derive(
        EventKind::Ecst,
        quote! {
            #[event(name = "order_moved", topic = "orders", key = order.id, alias = "Moved")]
            enum OrderMoved { Sent { order: Order }, Lost { order: Order, at: Place } }
        },
    );
    assert_eq!(
        pretty(expanded),
        r#"#[automatically_derived]
impl ::diator::Event for OrderMoved {
    type Kind = ::diator::event::Ecst;
    const NAME: &'static ::core::primitive::str = "order_moved";
    const TOPIC: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(
        "orders",
    );
    const ALIASES: &'static [&'static ::core::primitive::str] = &["Moved"];
    const KEY: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(
        "order.id",
    );
    fn key(&self) -> ::core::option::Option<::std::string::String> {
        ::core::option::Option::Some(
            match self {
                Self::Sent { order: __diator_key, .. } => {
                    ::diator::__private::key_text(&__diator_key.id)
                }
                Self::Lost { order: __diator_key, .. } => {
                    ::diator::__private::key_text(&__diator_key.id)
                }
            },
        )
    }
}
::diator::__private::inventory::submit! {
    ::diator::__private::EventDescriptor::of:: < OrderMoved >
    (::diator::__private::Location::here(::core::module_path!()))
}
"#
    );
}

#[test]
fn an_attribute_alone_expands_at_once() {
    let item = quote! {
        /// Documented.
        #[derive(Debug, Default)]
        struct Orders { #[inject(default)] count: u64 }
    };
    assert_eq!(
        pretty(handler::attribute(Role::Event, &quote!(OrderPlaced, order = -1), &item)),
        r#"/// Documented.
#[derive(Debug, Default)]
struct Orders {
    count: u64,
}
#[allow(deprecated)]
#[automatically_derived]
impl ::diator::__private::Inject for Orders {
    const DEPENDENCIES: &'static [::diator::__private::Dependency] = &[];
    const __DIATOR_DESCRIPTORS: &'static [::diator::__private::HandlerDescriptor] = &[
        ::diator::__private::HandlerDescriptor::event::<
            OrderPlaced,
            Self,
        >(-1i32, false, ::diator::__private::Location::here(::core::module_path!())),
    ];
    fn __diator_build(_: ::std::boxed::Box<dyn ::diator::__private::Slots>) -> Self {
        Self {
            count: ::core::default::Default::default(),
        }
    }
}
::diator::__private::inventory::submit! {
    ::diator::__private::HandlerSet(< Orders as ::diator::__private::Registered >
    ::DESCRIPTORS)
}
"#
    );
}

#[test]
fn what_the_compiler_may_change_is_expanded_in_two_steps() {
    for item in [
        quote!(
            #[cfg(test)]
            struct H;
        ),
        quote!(
            #[derive(Other)]
            struct H;
        ),
        quote!(
            #[derive(std::fmt::Debug)]
            struct H;
        ),
        quote!(
            #[deprecated]
            struct H;
        ),
        quote!(
            struct H {
                #[cfg(test)]
                count: u64,
            }
        ),
        quote!(
            struct H<T>(T);
        ),
        quote!(
            struct H {
                #[inject(clone, default)]
                count: u64,
            }
        ),
    ] {
        let expanded = handler::attribute(Role::Request, &quote!(A), &item).to_string();
        assert!(expanded.contains("Glue") && !expanded.contains("Inject"), "{expanded}");
    }
}

#[test]
fn what_is_deprecated_is_used_without_a_word() {
    let expanded = request::derive(
        RequestKind::Query,
        quote! {
            #[deprecated]
            struct Find;
        },
    );
    let text = pretty(expanded);
    assert_eq!(text.matches("#[allow(deprecated)]").count(), 2, "{text}");
}

#[test]
fn names_of_the_item_are_not_taken() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(Find, FindHandledByH)]
        struct H;
    });
    let text = pretty(expanded);
    assert!(
        text.contains("HandledBy<FindHandledByH_>\n    for Find {")
            || text.contains("HandledBy<FindHandledByH_> for Find {"),
        "{text}"
    );
}

#[test]
fn the_attributes_add_one_derive_and_carry_their_arguments() {
    let item = quote! {
        #[derive(Debug)]
        pub(crate) struct Orders { #[cfg(test)] #[inject(default)] count: u64 }
    };
    let once = handler::attribute(Role::Event, &quote!(OrderPlaced, order = -1), &item);
    let twice = handler::attribute(Role::Request, &quote!(PlaceOrder), &once);
    assert_eq!(
        pretty(twice),
        r#"#[derive(Debug)]
#[derive(::diator::__private::Glue)]
#[diator_event_handler(OrderPlaced, order = -1)]
#[diator_request_handler(PlaceOrder)]
pub(crate) struct Orders {
    #[cfg(test)]
    #[inject(default)]
    count: u64,
}
"#
    );
}

#[test]
fn a_handler() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(orders::PlaceOrder)]
        #[diator_event_handler(OrderPlaced, order = -1, after_commit)]
        struct Orders {
            store: Arc<dyn Store>,
            #[inject(clone)]
            pool: Pool,
            #[inject(with = 1)]
            retries: u32,
        }
    });
    assert_eq!(
        pretty(expanded),
        r#"#[allow(deprecated)]
const _: () = {
    struct __DiatorServices(::diator::__private::Shared<dyn Store>);
    #[doc(hidden)]
    #[allow(missing_debug_implementations)]
    pub enum PlaceOrderHandledByOrders {}
    #[automatically_derived]
    impl ::diator::__private::HandledBy<PlaceOrderHandledByOrders>
    for orders::PlaceOrder {
        ::diator::__private::in_place! {
            fn __diator_slot() -> & 'static ::diator::__private::SlotIndex { static SLOT
            : ::diator::__private::SlotIndex = ::diator::__private::SlotIndex::new(); &
            SLOT } fn __diator_dispatch(self, __diator_dispatch : impl
            ::diator::__private::Dispatch) -> impl ::core::future::Future < Output =
            ::diator::__private::SendResult < Self >, > + ::core::marker::Send {
            ::diator::__private::Dispatch::send:: < Self, Orders > (__diator_dispatch,
            self, < Self as ::diator::__private::HandledBy < PlaceOrderHandledByOrders >>
            ::__diator_slot()) }
        }
    }
    #[automatically_derived]
    impl ::diator::__private::Inject for Orders {
        const DEPENDENCIES: &'static [::diator::__private::Dependency] = ::diator::__private::dependencies!(
            "store" < Arc < dyn Store > as ::diator::InjectField > ::ASKED, Arc < dyn
            Store >; "pool" < ::diator::__private::Cloned < Pool > as
            ::diator::InjectField > ::ASKED, ();
        );
        const __DIATOR_DESCRIPTORS: &'static [::diator::__private::HandlerDescriptor] = &[
            ::diator::__private::HandlerDescriptor::request::<
                orders::PlaceOrder,
                Self,
                PlaceOrderHandledByOrders,
            >(::diator::__private::Location::here(::core::module_path!())),
            ::diator::__private::HandlerDescriptor::event::<
                OrderPlaced,
                Self,
            >(-1i32, true, ::diator::__private::Location::here(::core::module_path!())),
        ];
        fn __diator_slots() -> ::std::boxed::Box<dyn ::diator::__private::Slots> {
            ::std::boxed::Box::new((
                <Arc<dyn Store> as ::diator::InjectField>::slot(),
                (
                    <::diator::__private::Cloned<Pool> as ::diator::InjectField>::slot(),
                    (),
                ),
            ))
        }
        fn __diator_build(
            __diator_slots: ::std::boxed::Box<dyn ::diator::__private::Slots>,
        ) -> Self {
            let __diator_slots = ::diator::__private::filled::<
                (_, (_, ())),
            >(__diator_slots);
            Self {
                store: <Arc<dyn Store> as ::diator::InjectField>::take(__diator_slots.0),
                pool: <::diator::__private::Cloned<
                    Pool,
                > as ::diator::InjectField>::take(__diator_slots.1.0)
                    .0,
                retries: <Self as ::diator::__private::With<2, _>>::value(),
            }
        }
    }
};
#[automatically_derived]
impl ::diator::__private::With<2, u32> for Orders {
    fn value() -> u32 {
        1
    }
}
::diator::__private::inventory::submit! {
    ::diator::__private::HandlerSet(< Orders as ::diator::__private::Registered >
    ::DESCRIPTORS)
}
"#
    );
}

#[test]
fn another_path_of_the_library_replaces_every_mention() {
    let request = quote!(
        #[request(idempotent, crate = my::framework)]
        struct A;
    );
    let event = quote!(
        #[event(must_be_handled, crate = my::framework)]
        struct E;
    );
    let handled = quote!(A, crate = my::framework);
    let item = quote!(
        struct H {
            a: Arc<u8>,
            #[inject(clone)]
            b: B,
        }
    );
    let at_once = handler::attribute(Role::Request, &handled, &item);
    let attributed = handler::attribute(Role::Request, &handled, &quote!(#[repr(C)] #item));
    let faulty = quote!(
        #[diator_request_handler(A, A, crate = my::framework)]
        struct H;
    );
    for expanded in [
        request::derive(RequestKind::Command, request),
        event::derive(EventKind::Domain, event),
        handler::glue(attributed.clone()),
        handler::glue(faulty),
        at_once,
        attributed,
    ] {
        let text = expanded.to_string();
        assert!(text.contains("my :: framework ::"), "{text}");
        // The attributes that carry the arguments have one word for it all.
        let text = text.replace("diator_request_handler", "").replace("__diator_", "");
        assert!(!text.contains("diator"), "{text}");
    }
}

#[test]
fn what_is_unregistered_is_expanded_like_all_else_but_not_submitted() {
    let expand = |flag: TokenStream| {
        let request = quote!(
            #[request(response = u64, #flag)]
            struct A;
        );
        let event = quote!(
            #[event(must_be_handled, #flag)]
            struct E;
        );
        let handler = quote!(
            #[diator_request_handler(A, #flag)]
            #[diator_event_handler(E, #flag)]
            struct H;
        );
        [
            request::derive(RequestKind::Command, request),
            event::derive(EventKind::Domain, event),
            handler::glue(handler),
        ]
        .map(pretty)
    };
    for (registered, unregistered) in expand(TokenStream::new()).iter().zip(expand(quote!(unregistered))) {
        let submit = || registered.find("::diator::__private::inventory::submit!");
        let submission = registered.find("enum _AHasTwoHandlersKeepOne").or_else(submit).expect("it is submitted");
        assert_eq!(unregistered, registered[..submission]);
    }
}

#[test]
fn a_second_handler_clashes_if_the_name_alone_tells_that_the_request_is_the_same() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(Place, other::Place, Store<u32>, legacy_name, Snake_Case)]
        struct H;
    });
    let text = pretty(expanded);
    assert_eq!(text.matches("HasTwoHandlersKeepOne").count(), 1, "{text}");
    assert!(text.contains("enum _PlaceHasTwoHandlersKeepOne {}"), "{text}");
}

#[test]
fn a_handler_is_registered_as_a_whole() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(A)]
        #[diator_event_handler(E, unregistered, unregistered)]
        struct H;
    });
    assert_eq!(
        errors(&expanded),
        [
            "`unregistered` is given twice: keep one of them",
            "`H` is registered as a whole or not at all: write `unregistered` in each of its attributes, or in none",
        ]
    );
}

#[test]
fn instances_of_one_generic_request_have_different_markers() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(Find<u8>, Find<u16>)]
        struct H;
    });
    let text = pretty(expanded);
    assert!(text.contains("pub enum FindHandledByH {}"), "{text}");
    assert!(text.contains("pub enum FindHandledByH_ {}"), "{text}");
}

#[test]
fn all_mistakes_are_reported_and_what_was_right_is_expanded() {
    let expanded = request::derive(
        RequestKind::Query,
        quote! {
            #[request(response = "u64", eror = Map<K, V>, error = OrderError, idempotent = 1)]
            #[request]
            struct Find;
        },
    );
    assert_eq!(
        errors(&expanded),
        [
            "expected a type without quotes, as in `response = Type`",
            "unknown argument `eror`: did you mean `error = Type`?",
            "`idempotent` takes no value: write `idempotent` alone",
            "`#[request(…)]` takes `response = Type`, `error = Type`, `expected = |error| …`, `idempotent`, `mark = CONSTANT`, `unregistered` and `crate = path`",
        ]
    );
    assert!(pretty(expanded).contains("type Error = OrderError;"));
}

#[test]
fn a_faulty_handler_still_handles() {
    let expanded = handler::glue(quote! {
        #[diator_request_handler(A, A, &'static B)]
        #[diator_event_handler()]
        struct H { #[inject(clone, default)] field: Field }
    });
    assert_eq!(
        errors(&expanded),
        [
            "the field is filled by `clone` already: keep one of them",
            "expected the type of a request, as in `#[request_handler(SomeRequest)]`",
            "which event does it handle? write `#[event_handler(SomeEvent)]`",
            "`H` is registered for `A` twice: keep one of them",
        ]
    );
    let text = pretty(expanded);
    assert_eq!(text.matches("HandledBy<AHandledByH> for A").count(), 1, "{text}");
    assert!(text.contains("Inject for H"), "{text}");
}

#[test]
fn numbers_that_are_no_order() {
    for (given, valid) in [
        (quote!(10), true),
        (quote!(-2147483648), true),
        (quote!(2147483647), true),
        (quote!(2147483648), false),
        (quote!(99999999999999999999), false),
        (quote!(1.5), false),
        (quote!("1"), false),
        (quote!(FIRST), false),
        (quote!(1 + 1), false),
    ] {
        let expanded = handler::glue(quote!(
            #[diator_event_handler(E, order = #given)]
            struct H;
        ));
        assert_eq!(errors(&expanded).is_empty(), valid, "{given}");
    }
}

fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("an expansion is a list of items"))
}

/// What is said by the `compile_error!`s.
fn errors(tokens: &TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(tokens.clone()).expect("an expansion is a list of items");
    let said = |item: &syn::Item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => {
            item.mac.parse_body::<syn::LitStr>().ok().map(|text| text.value())
        }
        _ => None,
    };
    file.items.iter().filter_map(said).collect()
}
