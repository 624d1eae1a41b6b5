//! Macros of the program that are called like those of the standard library.

#![allow(unused_macros)]

use diator::prelude::*;

macro_rules! column {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! concat {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! file {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! line {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! stringify {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! unreachable {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! vec {
    () => {
        compile_error!("it is the program's own")
    };
}

#[derive(Debug, Query)]
#[request(response = String)]
struct Ask;

#[request_handler(Ask)]
struct Answer {
    #[inject(with = "the user's".to_owned())]
    text: String,
}

impl RequestHandler<Ask> for Answer {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<String, BoxError> {
        Ok(self.text.clone())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![Answer]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(Ask)).unwrap(), "the user's");
}
