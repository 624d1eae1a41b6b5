pub(crate) mod direct;
pub(crate) mod hand_written;
pub(crate) mod hexeract;
pub(crate) mod medi_rs;
pub(crate) mod mediator;
pub(crate) mod mediator_rs;
pub(crate) mod ours;
pub(crate) mod rust_bus;
