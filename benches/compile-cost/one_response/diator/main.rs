use diator::prelude::*;

pub struct Offset(u64);

//each mod handlerNUMBER;

fn main() {
    let mediator = Mediator::from_registry().container(Services::new().value(Offset(1))).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         assert_eq!(mediator.send(handlerNUMBER::Add { number: 1 }).await.unwrap(), 2);
    });
}
