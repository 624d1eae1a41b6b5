use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{EventKind, RequestKind};
use crate::attr::Role;
use crate::expand;

#[test]
fn print() {
    show(expand::request::derive(RequestKind::Command, quote! {
        #[request(response = MeetingLink, error = JoinError, idempotent)]
        pub struct JoinMeeting { pub meeting_id: u64 }
    }));
    show(expand::event::derive(EventKind::Notification, quote! {
        #[event(name = "moved", topic = "t", key = order.id, alias = "a")]
        enum Moved { A { order: Order }, B { order: Order, x: u8} }
    }));
    let item = quote! {
        #[derive(Debug)]
        pub struct H { a: Arc<A>, #[inject(clone)] p: PgPool, #[inject(default)] q: u8, #[inject(with = 1 + 2)] z: u32 }
    };
    let once = expand::handler::attribute(Role::Request, quote!(orders::JoinMeeting, Wrapper<u32>), item);
    let twice = expand::handler::attribute(Role::Event, quote!(E, order = -10, after_commit), once);
    show(twice.clone());
    show(expand::handler::glue(twice));
}

fn show(tokens: TokenStream) {
    let file = syn::parse2(tokens.clone()).unwrap_or_else(|e| panic!("{e} {tokens}"));
    println!("{}", prettyplease::unparse(&file));
}
